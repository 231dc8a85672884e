import { type Breaker, breaker, type Growth, growths, vmsPerCore } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { achieved } from './objective.ts';
import { pause } from './pause.ts';
import type { Pool } from './pool.ts';
import type { Question } from './question.ts';
import { type Found, search, testValue } from './search.ts';
import type { UnitResult } from './unit.ts';

/** Answers a question by running units, which are stored: asked again, it runs what is missing. */
export interface Answer {
  /** Labels of the axes asked across. */
  readonly labels: readonly string[];
  /** The last value that meets the objective with 95 % confidence; undefined when not even the first does. */
  readonly value: string | undefined;
  /** The last value that may meet it: the next one surely does not. Undefined like `value`. */
  readonly atMost: string | undefined;
  /** The search ended at its end and not at the objective. */
  readonly unlimited: boolean;
  /** VMs per pCPU at `value` and at `atMost`. */
  readonly vmsPerCore: readonly [number, number] | undefined;
  /** About the first value that is not sure to meet the objective; undefined when there is none. */
  readonly broken: Broken | undefined;
  readonly runs: number;
}

export interface Broken {
  readonly value: string;
  readonly mean: number;
  readonly halfWidth: number | undefined;
  /** Replications. */
  readonly runs: number;
  readonly vm: Breaker | undefined;
  /** What takes more cycles there than at the first value, most first. */
  readonly grew: readonly Growth[];
}

export interface FindOptions {
  readonly pool: Pool;
  /** `note` says what is being looked at. */
  readonly onProgress?: ((fraction: number, note: string) => void) | undefined;
  /** Nothing was measured at a point: its VMs do not report what the objective is about. */
  readonly onNothing: (point: number) => never;
}

/** Rejects with UnitFailed when a unit fails, with RunAborted when the pool was closed. */
export async function find(
  question: Question,
  campaign: Campaign,
  options: FindOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const points of question.series) {
    answers.push(await new Search(question, campaign, options, points, answers.length).answer());
  }
  return answers;
}

class Search {
  readonly #question: Question;
  readonly #campaign: Campaign;
  readonly #options: FindOptions;
  readonly #points: readonly number[];
  readonly #number: number;
  readonly #results = new Map<number, UnitResult[]>();

  constructor(
    question: Question,
    campaign: Campaign,
    options: FindOptions,
    points: readonly number[],
    number: number,
  ) {
    this.#question = question;
    this.#campaign = campaign;
    this.#options = options;
    this.#points = points;
    this.#number = number;
  }

  async answer(): Promise<Answer> {
    const { objective, sequential } = this.#question;
    const found = await search(this.#points.length, (position) =>
      testValue(async (from, to) => {
        const point = this.#points[position]!;
        const results = await this.#run(position, from, to);
        return results.map(
          (result) => achieved(objective, result) ?? this.#options.onNothing(point),
        );
      }, sequential),
    );
    const { last, fails } = found;
    const labels = this.#campaign.plan.point(this.#points[0]!).values.slice(0, -1);
    const some = last >= 0;
    return {
      labels: labels.map(({ label }) => label),
      value: some ? this.#label(last) : undefined,
      atMost: some ? this.#label(fails - 1) : undefined,
      unlimited: last === this.#points.length - 1,
      vmsPerCore: some ? [this.#perCore(last), this.#perCore(fails - 1)] : undefined,
      broken: this.#broken(found),
      runs: [...this.#results.values()].reduce((sum, { length }) => sum + length, 0),
    };
  }

  #broken({ last, tests }: Found): Broken | undefined {
    const at = last + 1;
    const test = tests.get(at);
    if (!test) return undefined;
    const { objective } = this.#question;
    const results = this.#results.get(at)!;
    const vm = breaker(objective, results);
    const first = this.#results.get(0)!;
    return {
      value: this.#label(at),
      mean: test.mean,
      halfWidth: test.halfWidth,
      runs: test.n,
      vm,
      grew: growths(at === 0 ? [] : first, results, vm?.group),
    };
  }

  #label(position: number): string {
    return this.#campaign.plan.point(this.#points[position]!).values.at(-1)!.label;
  }

  #perCore(position: number): number {
    return vmsPerCore(this.#campaign.plan.point(this.#points[position]!).load().scenario);
  }

  /** Replications `from` up to, not including, `to`, as many at a time as the pool takes. */
  async #run(position: number, from: number, to: number): Promise<UnitResult[]> {
    const point = this.#points[position]!;
    const results: UnitResult[] = [];
    let next = from;
    const lane = async () => {
      for (let r = next++; r < to; r = next++) results[r - from] = await this.#unit(point, r);
    };
    await Promise.all(Array.from({ length: this.#options.pool.lanes }, lane));
    this.#results.set(position, [...(this.#results.get(position) ?? []), ...results]);
    return results;
  }

  async #unit(point: number, replication: number): Promise<UnitResult> {
    const campaign = this.#campaign;
    const name = campaign.unit(point, replication);
    await pause();
    const stored = campaign.store.read(name);
    if (stored) return stored.result;
    const { pool, onProgress } = this.#options;
    const label = campaign.plan.point(point).values.at(-1)!.label;
    const note = `trying ${label}, replication ${replication}`;
    const share = this.#number / this.#question.series.length;
    onProgress?.(share, note);
    const start = performance.now();
    const result = await pool.run(campaign.job(point, replication), () =>
      onProgress?.(share, note),
    );
    const wallSeconds = Number(((performance.now() - start) / 1000).toFixed(3));
    campaign.store.write(name, { wallSeconds, result });
    return result;
  }
}

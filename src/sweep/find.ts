import { type Growth, growths, vmsPerCore } from './answer.ts';
import type { Campaign, Variant } from './campaign.ts';
import { type Compared, comparisons, type Ran } from './pairs.ts';
import { pause } from './pause.ts';
import type { Pool } from './pool.ts';
import type { Question } from './question.ts';
import { type Found, search } from './search.ts';
import { type Tested, tested } from './tested.ts';
import { type Trial, tryValue } from './trial.ts';
import type { UnitResult } from './unit.ts';
import { ownWindow, settingsOf, type Window } from './windows.ts';

/** Answers a question by running units, which are stored: asked again, it runs what is missing. */
export interface Answer {
  /** Labels of the axes asked across. */
  readonly labels: readonly string[];
  /**
   * The last value that meets the objective with 95 % confidence; undefined when not even the first
   * does.
   */
  readonly value: string | undefined;
  /** The last value that may meet it: the next one surely does not. Undefined like `value`. */
  readonly atMost: string | undefined;
  /** The search ended at its end and not at the objective. */
  readonly unlimited: boolean;
  /** VMs per pCPU at `value` and at `atMost`. */
  readonly vmsPerCore: readonly [number, number] | undefined;
  /** About the first value that is not sure to meet the objective; undefined when there is none. */
  readonly broken: Broken | undefined;
  /** Every value tried, in the order of the axis. */
  readonly tested: readonly Tested[];
  readonly runs: number;
}

export interface Broken extends Tested {
  /** What takes more cycles there than at the first value, most first. */
  readonly grew: readonly Growth[];
}

export interface Answers {
  readonly answers: readonly Answer[];
  /** Each configuration with the first, in pairs, at the values that both have run. */
  readonly compared: readonly Compared[];
}

export interface FindOptions {
  readonly pool: Pool;
  /** `note` says what is being looked at. */
  readonly onProgress?: ((fraction: number, note: string) => void) | undefined;
  /**
   * The windows at a point become longer. `seconds`: what a run will take then, when that is known.
   */
  readonly onLonger?:
    | ((point: number, next: Window, because: string, seconds: number | undefined) => void)
    | undefined;
  /** Nothing was measured at a point: its VMs do not report what the objective is about. */
  readonly onNothing: (point: number) => never;
}

/** Rejects with UnitFailed when a unit fails, with RunAborted when the pool was closed. */
export async function find(
  question: Question,
  campaign: Campaign,
  options: FindOptions,
): Promise<Answers> {
  const answers: Answer[] = [];
  const ran: Ran[] = [];
  for (const points of question.series) {
    const one = new Search(question, campaign, options, points, answers.length);
    const answer = await one.answer();
    answers.push(answer);
    ran.push({ labels: answer.labels, results: one.results });
  }
  return { answers, compared: comparisons(question.objective, ran) };
}

class Search {
  readonly #question: Question;
  readonly #campaign: Campaign;
  readonly #options: FindOptions;
  readonly #points: readonly number[];
  readonly #number: number;
  /** By label of the value, then by window. */
  readonly results = new Map<string, Map<string, UnitResult[]>>();
  /** Seconds that a run took, by position. */
  readonly #seconds = new Map<number, number>();
  #runs = 0;

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
    const { axis, want } = this.#question;
    const found = await search(this.#points.length, (position) => this.#try(position));
    const { last, fails, tests } = found;
    const labels = this.#campaign.plan.point(this.#points[0]!).values.slice(0, -1);
    const some = last >= 0;
    const order = want === 'largest' ? 1 : -1;
    const positions = [...tests.keys()].toSorted((a, b) => order * (a - b));
    return {
      labels: labels.map(({ label }) => label),
      value: some ? this.#label(last) : undefined,
      atMost: some ? this.#label(fails - 1) : undefined,
      unlimited: last === axis.values.length - 1,
      vmsPerCore: some ? [this.#perCore(last), this.#perCore(fails - 1)] : undefined,
      broken: this.#broken(found),
      tested: positions.map((position) => this.#tested(position, tests.get(position)!)),
      runs: this.#runs,
    };
  }

  #try(position: number): Promise<Trial> {
    const { objective, replications, maxReplications, ceiling } = this.#question;
    const point = this.#points[position]!;
    const { scenario } = this.#campaign.plan.point(point).load();
    const own = ceiling === undefined ? undefined : ownWindow(scenario);
    let window = own;
    return tryValue({
      objective,
      replications,
      maxReplications,
      own,
      ceiling: ceiling ?? 0,
      run: (asked, from, to) => this.#run(position, asked === own ? undefined : asked, from, to),
      onLonger: (next, because) => {
        const grows = (next.warmup + next.length) / (window!.warmup + window!.length);
        const seconds = this.#seconds.get(position);
        window = next;
        this.#options.onLonger?.(point, next, because, seconds && seconds * grows);
      },
      onNothing: () => this.#options.onNothing(point),
    });
  }

  #broken({ last, tests }: Found<Trial>): Broken | undefined {
    const at = last + 1;
    const trial = tests.get(at);
    if (!trial) return undefined;
    const own = this.#tested(at, trial);
    const first = tests.get(0)?.results ?? [];
    return { ...own, grew: growths(at === 0 ? [] : first, trial.results, own.vm?.group) };
  }

  #tested(position: number, trial: Trial): Tested {
    return tested(this.#question.objective, this.#label(position), trial);
  }

  #label(position: number): string {
    return this.#campaign.plan.point(this.#points[position]!).values.at(-1)!.label;
  }

  #perCore(position: number): number {
    return vmsPerCore(this.#campaign.plan.point(this.#points[position]!).load().scenario);
  }

  /** Replications `from` up to, not including, `to`, as many at a time as the pool takes. */
  async #run(
    position: number,
    window: Window | undefined,
    from: number,
    to: number,
  ): Promise<UnitResult[]> {
    const point = this.#points[position]!;
    const results: UnitResult[] = [];
    const units: Variant = window
      ? await this.#campaign.variant(point, settingsOf(window, this.#question.axis.place))
      : {
          unit: (r) => this.#campaign.unit(point, r),
          job: (r) => this.#campaign.job(point, r),
        };
    let next = from;
    const lane = async () => {
      for (let r = next++; r < to; r = next++)
        results[r - from] = await this.#unit(position, units, r);
    };
    await Promise.all(Array.from({ length: this.#options.pool.lanes }, lane));
    this.#runs += results.length;
    this.#keep(position, window, results);
    return results;
  }

  #keep(position: number, window: Window | undefined, results: readonly UnitResult[]): void {
    const label = this.#label(position);
    const windows = this.results.get(label) ?? new Map<string, UnitResult[]>();
    this.results.set(label, windows);
    const key = window ? `${window.warmup} ${window.length}` : 'own';
    windows.set(key, [...(windows.get(key) ?? []), ...results]);
  }

  async #unit(position: number, units: Variant, replication: number): Promise<UnitResult> {
    const { store } = this.#campaign;
    const name = units.unit(replication);
    await pause();
    const stored = store.read(name);
    if (stored) {
      this.#seconds.set(position, stored.wallSeconds);
      return stored.result;
    }
    const { pool, onProgress } = this.#options;
    const note = `trying ${this.#label(position)}, replication ${replication}`;
    const share = this.#number / this.#question.series.length;
    onProgress?.(share, note);
    const start = performance.now();
    const result = await pool.run(units.job(replication), () => onProgress?.(share, note));
    const wallSeconds = Number(((performance.now() - start) / 1000).toFixed(3));
    this.#seconds.set(position, wallSeconds);
    store.write(name, { wallSeconds, result });
    return result;
  }
}

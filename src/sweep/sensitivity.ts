import type { PlacedValue } from '../scenario/overrides.ts';
import { type MeasureName, measures } from '../stats/measures.ts';
import type { Campaign } from './campaign.ts';
import type { Verdict } from './evidence.ts';
import { achieved, concerned, type Objective, vmValue } from './objective.ts';
import { pause } from './pause.ts';
import { type Pool, UnitFailed } from './pool.ts';
import type { Question } from './question.ts';
import { tryValue } from './trial.ts';
import type { UnitResult } from './unit.ts';
import { ownWindow, settingsOf, type Window } from './windows.ts';

/**
 * Which numbers of the model move the answer of a search by more than one step of its axis. Each
 * number is put to either end of its range, alone, with the same seed:
 *
 * 1. in a window of a few milliseconds: most numbers change nothing at all there, to the last
 *    cycle, because nothing uses them;
 * 2. the others in an eighth of the window of the scenario. What the objective is about, as a mean
 *    over all VMs, is held against the same scenario with fewer and more steps: the effect, in
 *    steps;
 * 3. those whose effect is near a step or more are tried as `find` tries first: one step before the
 *    answer, or two steps after it, in the window of the scenario and with as many replications as
 *    it asks for.
 */
export interface Varied {
  /** As `--set` takes it. */
  readonly path: string;
  /** `processor opteron-1354`. */
  readonly preset: string;
  readonly value: string;
  readonly range: string;
  readonly ends: readonly End[];
}

export interface End {
  readonly value: string;
  readonly settings: readonly PlacedValue[];
}

export interface Effect {
  readonly number: Varied;
  readonly end: string;
  /**
   * How many steps further (or, negative, less far) the answer is expected; 0 when nothing changed;
   * undefined: the value does not fit into the scenario, `refused` says why.
   */
  readonly steps: number | undefined;
  readonly refused: string | undefined;
  /** Of those that were tried: whether the answer moves by two steps or more. */
  readonly moves: 'yes' | 'no' | 'undecided' | undefined;
}

export interface Sensitivity {
  /** The answer, by its label. */
  readonly answer: string;
  /** Effects of all ends, greatest first. */
  readonly effects: readonly Effect[];
  /** Of the second stage, in picoseconds. */
  readonly window: Window;
  readonly runs: number;
}

export interface SensitivityOptions {
  readonly pool: Pool;
  /** Position of the answer in the first series of the question. */
  readonly last: number;
  readonly onProgress: (fraction: number, note: string) => void;
  /** What comes next, how many runs of it, and how many seconds a run takes. */
  readonly onStage: (what: string, runs: number, seconds: number) => void;
}

/** Effects from here on are tried: what a mean says of a percentile is not exact. */
const NEAR = 0.75;
/** Steps from the answer at which the scenario as it is says what a step is worth. */
const CURVE = [-2, -1, 0, 1, 2, 3];
const FARTHEST = 4;
const SHORT: Window = { warmup: 1e9, length: 3e9 };
const FEWEST = 4e9;
const PART = 8;
/** A scenario refuses what nothing in it would use. */
const UNUSED = /has no effect here/;

export async function sensitivity(
  question: Question,
  campaign: Campaign,
  numbers: readonly Varied[],
  options: SensitivityOptions,
): Promise<Sensitivity> {
  return new Screen(question, campaign, options).run(numbers);
}

interface Ask {
  readonly number: Varied;
  readonly end: End;
}

class Screen {
  readonly #question: Question;
  readonly #campaign: Campaign;
  readonly #options: SensitivityOptions;
  readonly #points: readonly number[];
  /** Why an end does not fit, in one line. */
  readonly #refused = new Map<Ask, string>();
  #runs = 0;

  constructor(question: Question, campaign: Campaign, options: SensitivityOptions) {
    this.#question = question;
    this.#campaign = campaign;
    this.#options = options;
    this.#points = question.series[0]!;
  }

  async run(numbers: readonly Varied[]): Promise<Sensitivity> {
    const { last } = this.#options;
    const asks = numbers.flatMap((number) => number.ends.map((end) => ({ number, end })));
    const unused = new Set<Ask>();
    for (const ask of asks) {
      const why = this.#refusal(ask.end);
      if (why !== undefined && UNUSED.test(why)) unused.add(ask);
      else if (why !== undefined) this.#refused.set(ask, why);
    }
    const fitting = () => asks.filter((ask) => !this.#refused.has(ask) && !unused.has(ask));
    const same = await this.#inert(fitting());
    const moving = fitting().filter((ask) => !same.has(ask));
    const window = this.#window();
    const steps = await this.#steps(moving, window);
    const near = moving.filter((ask) => Math.abs(steps.get(ask) ?? 0) >= NEAR);
    const tried = await this.#tried(near, steps);
    const effects = asks.map(
      (ask): Effect => ({
        number: ask.number,
        end: ask.end.value,
        steps: this.#refused.has(ask) ? undefined : (steps.get(ask) ?? 0),
        refused: this.#refused.get(ask),
        moves: tried.get(ask),
      }),
    );
    const size = ({ steps: n }: Effect) => Math.abs(n ?? -1);
    return {
      answer: this.#label(last),
      effects: effects.toSorted((a, b) => size(b) - size(a)),
      window,
      runs: this.#runs,
    };
  }

  #label(position: number): string {
    return this.#campaign.plan.point(this.#points[position]!).values.at(-1)!.label;
  }

  /** Why a value does not fit, in one line. */
  #refusal({ settings }: End): string | undefined {
    try {
      this.#campaign.plan.point(this.#points[this.#options.last]!).load(settings);
      return undefined;
    } catch (error) {
      return (error as Error).message.split('\n')[0];
    }
  }

  /** Some values show only in a run that they do not fit. */
  async #unlessFailed(ask: Ask, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof UnitFailed)) throw error;
      this.#refused.set(ask, error.fault.message.split('\n')[0]!);
    }
  }

  /** Of the second stage: a part of the scenario's own, and its warm-up. */
  #window(): Window {
    const own = ownWindow(this.#campaign.plan.point(this.#points[0]!).load().scenario);
    if (!own) return SHORT;
    const length = Math.max(FEWEST, own.length / PART);
    return { warmup: own.warmup, length: Math.round(length / 1e6) * 1e6 };
  }

  /** Those that change nothing. */
  async #inert(asks: readonly Ask[]): Promise<ReadonlySet<Ask>> {
    const { last } = this.#options;
    const start = performance.now();
    const text = async (settings: readonly PlacedValue[]) =>
      JSON.stringify(await this.#unit(last, settings, SHORT, 0));
    const base = await text([]);
    const seconds = (performance.now() - start) / 1000;
    this.#options.onStage('short runs, to see which numbers matter at all', asks.length, seconds);
    const same = new Set<Ask>();
    await this.#each(asks, 'what is used', (ask) =>
      this.#unlessFailed(ask, async () => {
        if ((await text(ask.end.settings)) === base) same.add(ask);
      }),
    );
    return same;
  }

  /** Effects in steps of the axis. */
  async #steps(asks: readonly Ask[], window: Window): Promise<ReadonlyMap<Ask, number>> {
    const { last } = this.#options;
    const { objective } = this.#question;
    const start = performance.now();
    const value = async (position: number, settings: readonly PlacedValue[]) =>
      typical(objective, await this.#unit(position, settings, window, 0));
    const curve = new Map<number, number>([[0, await value(last, [])]]);
    const seconds = (performance.now() - start) / 1000;
    const others = CURVE.filter((by) => by !== 0 && this.#points[last + by] !== undefined);
    this.#options.onStage(
      `runs of ${Math.round((window.warmup + window.length) / 1e9)} ms, to see by how much`,
      asks.length + others.length,
      seconds,
    );
    await this.#each(others, 'the scenario as it is', async (by) => {
      curve.set(by, await value(last + by, []));
    });
    const steps = new Map<Ask, number>();
    await this.#each(asks, 'how much', (ask) =>
      this.#unlessFailed(ask, async () => {
        const own = await value(last, ask.end.settings);
        // What looks like a step more on the axis brings the answer a step back.
        steps.set(ask, -stepsOf(curve, own));
      }),
    );
    return steps;
  }

  /** As `find` would, at the value that an answer two steps away would meet or miss. */
  async #tried(
    asks: readonly Ask[],
    steps: ReadonlyMap<Ask, number>,
  ): Promise<ReadonlyMap<Ask, Effect['moves']>> {
    const { last } = this.#options;
    const found = new Map<Ask, Effect['moves']>();
    let first = true;
    const start = performance.now();
    for (const [i, ask] of asks.entries()) {
      this.#options.onProgress(i / asks.length, `trying ${ask.number.path}=${ask.end.value}`);
      const further = steps.get(ask)! > 0;
      const position = last + (further ? 2 : -1);
      // Two steps before the first value there is nothing.
      if (position < 0) found.set(ask, 'no');
      else if (this.#points[position] === undefined) found.set(ask, 'undecided');
      else {
        await this.#unlessFailed(ask, async () => {
          found.set(ask, moved(await this.#trial(position, ask), further));
        });
      }
      const seconds = ((performance.now() - start) / 1000) * this.#options.pool.lanes;
      if (first) this.#options.onStage('trials', asks.length - 1, seconds);
      first = false;
    }
    return found;
  }

  async #trial(position: number, { end }: Ask): Promise<Verdict> {
    const { objective, replications } = this.#question;
    const own = ownWindow(this.#campaign.plan.point(this.#points[position]!).load().scenario);
    const { verdict } = await tryValue({
      // A longer look at so many ends would take hours.
      ...{ objective, replications, maxReplications: replications, own },
      ceiling: own ? own.warmup + own.length : 0,
      run: async (_window, from, to) => {
        const results: UnitResult[] = [];
        const indices = Array.from({ length: to - from }, (_, i) => from + i);
        await this.#each(indices, `trying ${end.value}`, async (replication) => {
          results[replication - from] = await this.#unit(
            ...([position, end.settings, undefined, replication] as const),
          );
        });
        return results;
      },
      onNothing: () => {
        throw new Error('no VM reports what the objective is about');
      },
    });
    return verdict;
  }

  /** As many at a time as the pool takes. */
  async #each<T>(
    items: readonly T[],
    note: string,
    work: (item: T) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const lane = async () => {
      for (let i = next++; i < items.length; i = next++) {
        this.#options.onProgress(i / items.length, note);
        await work(items[i]!);
      }
    };
    await Promise.all(Array.from({ length: this.#options.pool.lanes }, lane));
  }

  /** Undefined: the window of the scenario. */
  async #unit(
    position: number,
    settings: readonly PlacedValue[],
    window: Window | undefined,
    replication: number,
  ): Promise<UnitResult> {
    const { store } = this.#campaign;
    const { place } = this.#question.axis;
    const times = window ? settingsOf(window, place) : [];
    const units = await this.#campaign.variant(this.#points[position]!, [...settings, ...times]);
    const name = units.unit(replication);
    await pause();
    this.#runs++;
    const stored = store.read(name);
    if (stored) return stored.result;
    const start = performance.now();
    const result = await this.#options.pool.run(units.job(replication));
    const wallSeconds = Number(((performance.now() - start) / 1000).toFixed(3));
    store.write(name, { wallSeconds, result });
    return result;
  }
}

function moved(verdict: Verdict, further: boolean): Effect['moves'] {
  if (verdict === 'undecided') return 'undecided';
  return (verdict === 'meets') === further ? 'yes' : 'no';
}

/** A mean says more in a short window than a percentile or the slowest VM. */
function typical(objective: Objective, result: UnitResult): number {
  if (objective.scope === 'host') return achieved(objective, result) ?? Number.NaN;
  const time = measures[objective.measure].unit === 'ns' && objective.measure.startsWith('latency');
  const measure: MeasureName = time ? 'latency_mean_ns' : objective.measure;
  const about = { ...objective, measure };
  const values = concerned(about, result)
    .map((vm) => vmValue(about, vm))
    .filter((value) => value !== undefined && Number.isFinite(value)) as number[];
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * How many steps of the axis make as much difference as from `curve(0)` to `value`: between the
 * steps in proportion, beyond them by the last slope.
 */
export function stepsOf(curve: ReadonlyMap<number, number>, value: number): number {
  // Nothing was finished at all.
  if (!Number.isFinite(value)) return FARTHEST;
  const points = [...curve].filter(([, at]) => Number.isFinite(at)).toSorted(([a], [b]) => a - b);
  if (points.length < 2) return 0;
  const sign = Math.sign(points.at(-1)![1] - points[0]![1]) || 1;
  let highest = -Infinity;
  // Chance may turn a step round: then it makes no difference.
  const rising = points.map(([by, at]) => {
    highest = Math.max(highest, sign * at);
    return [by, highest] as const;
  });
  const wanted = sign * value;
  const inside = rising.findIndex(([, at]) => at >= wanted);
  const i = Math.min(Math.max(inside < 0 ? rising.length - 1 : inside, 1), rising.length - 1);
  const [[from, low], [to, high]] = [rising[i - 1]!, rising[i]!];
  const steps = high === low ? to : from + ((wanted - low) / (high - low)) * (to - from);
  return Math.max(-FARTHEST, Math.min(FARTHEST, steps));
}

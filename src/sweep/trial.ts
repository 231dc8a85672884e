import type { Verdict } from './evidence.ts';
import type { Objective } from './objective.ts';
import type { UnitResult } from './unit.ts';
import {
  quantileOf,
  requestsFor,
  timesMore,
  verdictOf,
  type Weighed,
  type Witness,
  weigh,
  worst,
} from './weigh.ts';
import {
  growingQueue,
  longer,
  ROUNDS,
  type Shortcoming,
  shortcoming,
  showTime,
  stagesUpTo,
  type Window,
} from './windows.ts';

/**
 * Tries one value: runs replications until it is clear whether the objective holds, in windows that
 * get longer as long as they are too short to say. Looking several times gives chance several
 * chances, so every look takes an equal part of the risk of 5 % (Bonferroni).
 */
export interface TrialOptions {
  readonly objective: Objective;
  /**
   * Replications before the first look, and where to give up with windows of the scenario's own
   * length.
   */
  readonly replications: number;
  readonly maxReplications: number;
  /** The window of the scenario; undefined: it is not given by a time. */
  readonly own: Window | undefined;
  /** Longest warm-up and window together, in picoseconds. */
  readonly ceiling: number;
  /** Replications `from` up to, not including, `to`. */
  readonly run: (window: Window | undefined, from: number, to: number) => Promise<UnitResult[]>;
  /** The windows become longer. */
  readonly onLonger?: ((next: Window, because: string) => void) | undefined;
  /** No VM reports what the objective is about. */
  readonly onNothing: () => never;
}

export interface Trial {
  readonly verdict: Verdict;
  /** Replications with the last window. */
  readonly n: number;
  readonly results: readonly UnitResult[];
  readonly window: Window | undefined;
  /** Why windows were made longer, in order. */
  readonly longer: readonly Lengthened[];
  readonly weighed: Weighed;
  readonly worst: Witness | undefined;
  /** Of each bound of the interval that the verdict was read from. */
  readonly tail: number;
  /** Undecided: why, and what it would take. */
  readonly missing: Missing | undefined;
}

export interface Lengthened {
  /** The window that was too short, in picoseconds. */
  readonly length: number;
  readonly because: string;
}

export interface Missing {
  readonly because: string;
  /** Requests of a VM in all replications; undefined when it is not about requests. */
  readonly requests: number | undefined;
  /** Warm-up and window together, in picoseconds; undefined when no window would decide it. */
  readonly duration: number | undefined;
}

const RISK = 0.05;

/** Numbers of replications after which the samples are looked at: doubled each time. */
export function looks(replications: number, maxReplications: number): number[] {
  const all: number[] = [];
  for (let n = replications; n < maxReplications; n *= 2) all.push(n);
  return [...all, Math.max(replications, maxReplications)];
}

/**
 * Most replications with windows that were doubled `stage` times: as much simulated time each
 * stage, but never too few.
 */
function mostIn(stage: number, { replications, maxReplications }: TrialOptions): number {
  return Math.min(maxReplications, Math.max(2 * replications, maxReplications >> stage));
}

const looksIn = (stage: number, options: TrialOptions) =>
  looks(options.replications, mostIn(stage, options));

/**
 * The risk that each bound may be wrong, so that all looks together are not more often than they
 * may.
 */
export function tailOf(options: TrialOptions): number {
  const { own, ceiling } = options;
  const stages = own ? stagesUpTo(own, ceiling) : 1;
  let count = 0;
  for (let stage = 0; stage < stages; stage++) count += looksIn(stage, options).length;
  return RISK / 2 / count;
}

export async function tryValue(options: TrialOptions): Promise<Trial> {
  const { own, ceiling } = options;
  const tail = tailOf(options);
  const before: Lengthened[] = [];
  let window = own;
  let starved = 0;
  for (let stage = 0; ; ) {
    const found = await tryWindow(options, window, stage, tail, starved);
    const done = { ...found, window, longer: before, tail };
    if (!window || found.verdict !== 'undecided') return { ...done, missing: undefined };
    const { short } = found;
    const next = longer(window, ceiling, short);
    const hopeless = (short?.needed ?? 0) > ROUNDS * ceiling;
    if (!next || hopeless) {
      return { ...done, missing: missing(options, found, window, tail) };
    }
    if (short && short.needed === undefined && !short.drift) starved++;
    const because = short?.message ?? leftOpen(options, found);
    before.push({ length: window.length, because });
    options.onLonger?.(next, because);
    while (stage < MOST_STAGES && next.length > own!.length * 2 ** stage * 1.01) stage++;
    window = next;
  }
}

const MOST_STAGES = 40;

interface Look {
  readonly verdict: Verdict;
  readonly n: number;
  readonly results: readonly UnitResult[];
  readonly weighed: Weighed;
  readonly worst: Witness | undefined;
  /** Why the window says too little. */
  readonly short: Shortcoming | undefined;
}

async function tryWindow(
  options: TrialOptions,
  window: Window | undefined,
  stage: number,
  tail: number,
  starved: number,
): Promise<Look> {
  const { objective, run, onNothing } = options;
  const results: UnitResult[] = [];
  let look: Look | undefined;
  for (const n of looksIn(stage, options)) {
    results.push(...(await run(window, results.length, n)));
    const weighed = weigh(objective, results);
    if (weighed.each.length === 0 && weighed.silent.length === 0) onNothing();
    const short = window && shortcoming(objective, results, window, starved);
    const said = short ? despite(short, weighed, tail) : verdictOf(weighed, tail);
    const queue = said === 'meets' && window ? growingQueue(results) : undefined;
    const verdict = queue === undefined ? said : 'undecided';
    const growing = queue === undefined ? undefined : { message: queue, ...GROWS };
    look = { verdict, n, results, weighed, worst: worst(weighed), short: short ?? growing };
    if (verdict !== 'undecided' || look.short) break;
  }
  return look!;
}

/** A window of few turns shows all the same that nearly all requests are too slow. */
function despite({ blur }: Shortcoming, weighed: Weighed, tail: number): Verdict {
  if (blur === undefined || !weighed.shares) return 'undecided';
  const verdict = verdictOf({ ...weighed, limit: weighed.limit + blur }, tail);
  return verdict === 'fails' ? verdict : 'undecided';
}

const GROWS = { needed: undefined, drift: true };

/** Why a window left it open that has no shortcoming of its own. */
function leftOpen({ objective }: TrialOptions, { weighed, n, worst: witness }: Look): string {
  const few = fewRequests(objective, weighed);
  if (few) return few;
  const who = witness?.vm === undefined ? '' : ` of ${witness.vm}`;
  return `${n} runs left it open: the interval${who} covers the limit`;
}

function fewRequests(objective: Objective, { each, silent }: Weighed): string | undefined {
  if (silent.length > 0) return `no request came to ${silent[0]}`;
  const quantile = quantileOf(objective);
  const fewest = each.toSorted((a, b) => a.requests - b.requests)[0];
  if (quantile === undefined || !fewest || fewest.evidence.enough) return undefined;
  const needed = requestsFor(quantile);
  return (
    `too few requests: ${fewest.vm} had ${fewest.requests} in all runs, and ${needed} are ` +
    'needed'
  );
}

function missing(options: TrialOptions, look: Look, window: Window, tail: number): Missing {
  const { objective, ceiling } = options;
  const { weighed, short } = look;
  const because = short?.message ?? leftOpen(options, look);
  const longest = window.warmup + window.length;
  if (short) {
    const needed = Math.max(short.needed ?? 0, 2 * Math.max(longest, ceiling / 2));
    return { because, requests: undefined, duration: window.warmup + needed };
  }
  const quantile = quantileOf(objective);
  const enough = quantile === undefined ? 1 : requestsFor(quantile);
  const times = weighed.each.length > 0 ? timesMore(weighed, tail, enough) : 2;
  const requests = look.worst?.requests;
  return {
    because,
    requests:
      times === undefined || quantile === undefined || !requests
        ? undefined
        : Math.ceil(requests * times),
    duration: times === undefined ? undefined : window.warmup + Math.ceil(window.length * times),
  };
}

/** `windows of 400 ms: 50 ms: too few requests: …`. */
export function windowText({ window, longer: before }: Trial): string | undefined {
  const first = before[0];
  if (!window || !first) return undefined;
  return `windows of ${showTime(window.length)}; in ${showTime(first.length)}, ${first.because}`;
}

import { estimate } from '../stats/replications.ts';

/**
 * Looks for the last of an ordered list of values that still meets an objective. Values are tried by doubling steps,
 * then by bisection; each is replicated until a Student-t interval says on which side of the limit it is.
 */
export type Verdict = 'meets' | 'fails' | 'undecided';

export interface Test {
  readonly verdict: Verdict;
  readonly n: number;
  readonly mean: number;
  /** Of the interval that the verdict was read from. */
  readonly halfWidth: number | undefined;
}

export interface Found {
  /** Position of the last value that meets the objective; -1 when the first does not. */
  readonly last: number;
  /** Position of the first value that surely does not; the length of the list when there is none. */
  readonly fails: number;
  readonly tests: ReadonlyMap<number, Test>;
}

export interface SequentialOptions {
  /** Replications before the first look, and where to give up. */
  readonly replications: number;
  readonly maxReplications: number;
  readonly below: boolean;
  readonly limit: number;
}

const RISK = 0.05;

/** Numbers of replications after which the samples are looked at: doubled each time. */
export function looks({ replications, maxReplications }: SequentialOptions): number[] {
  const all: number[] = [];
  for (let n = replications; n < maxReplications; n *= 2) all.push(n);
  return [...all, Math.max(replications, maxReplications)];
}

/**
 * Samples until it is clear. Looking several times gives chance several chances, so every look takes an equal part of
 * the risk of 5 % (Bonferroni).
 */
export async function testValue(
  sample: (from: number, to: number) => Promise<readonly number[]>,
  options: SequentialOptions,
): Promise<Test> {
  const { below, limit } = options;
  const stops = looks(options);
  const samples: number[] = [];
  let test: Test | undefined;
  for (const n of stops) {
    samples.push(...(await sample(samples.length, n)));
    test = judge(samples, 1 - RISK / stops.length, below, limit);
    if (test.verdict !== 'undecided') break;
  }
  return test!;
}

function judge(
  samples: readonly number[],
  confidence: number,
  below: boolean,
  limit: number,
): Test {
  const n = samples.length;
  if (samples.includes(Number.POSITIVE_INFINITY)) {
    const verdict = below ? 'fails' : 'meets';
    return { verdict, n, mean: Number.POSITIVE_INFINITY, halfWidth: undefined };
  }
  const { mean, halfWidth = Number.POSITIVE_INFINITY } = estimate(samples, confidence)!;
  const margin = below ? limit - mean : mean - limit;
  const verdict = margin > halfWidth ? 'meets' : -margin >= halfWidth ? 'fails' : 'undecided';
  return { verdict, n, mean, halfWidth };
}

/** `test(i)` is asked at most once for each position. Assumes that what fails once fails from there on. */
export async function search(
  length: number,
  test: (position: number) => Promise<Test>,
): Promise<Found> {
  const tests = new Map<number, Test>();
  const verdict = async (position: number): Promise<Verdict> => {
    const known = tests.get(position) ?? (await test(position));
    tests.set(position, known);
    return known.verdict;
  };
  let last = -1;
  let broken = length;
  for (let step = 1; last < length - 1; step *= 2) {
    const next = Math.min(last + step, length - 1);
    if ((await verdict(next)) === 'meets') last = next;
    else {
      broken = next;
      break;
    }
  }
  while (broken - last > 1) {
    const middle = (last + broken) >>> 1;
    if ((await verdict(middle)) === 'meets') last = middle;
    else broken = middle;
  }
  return { last, fails: await firstFailure(broken, length, verdict), tests };
}

/** From the first value that is not sure to meet the objective to the first that is sure not to. */
async function firstFailure(
  broken: number,
  length: number,
  verdict: (position: number) => Promise<Verdict>,
): Promise<number> {
  let unsure = broken - 1;
  let fails = length;
  for (let step = 1; unsure < length - 1; step *= 2) {
    const next = Math.min(unsure + step, length - 1);
    if ((await verdict(next)) === 'fails') {
      fails = next;
      break;
    }
    unsure = next;
  }
  while (fails < length && fails - unsure > 1) {
    const middle = (unsure + fails) >>> 1;
    if ((await verdict(middle)) === 'fails') fails = middle;
    else unsure = middle;
  }
  return fails;
}

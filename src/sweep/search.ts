import type { Verdict } from './evidence.ts';

/**
 * Looks for the last of an ordered list of values that still meets an objective. Values are tried
 * by doubling steps, then by bisection.
 */
export interface Found<T> {
  /** Position of the last value that meets the objective; -1 when the first does not. */
  readonly last: number;
  /**
   * Position of the first value that surely does not; the length of the list when there is none.
   */
  readonly fails: number;
  readonly tests: ReadonlyMap<number, T>;
}

interface Judged {
  readonly verdict: Verdict;
}

/**
 * `test(i)` is asked at most once for each position. Assumes that what fails once fails from there
 * on.
 */
export async function search<T extends Judged>(
  length: number,
  test: (position: number) => Promise<T>,
): Promise<Found<T>> {
  const tests = new Map<number, T>();
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

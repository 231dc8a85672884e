import type { Estimate } from '../stats/replications.ts';
import { type Direction, direction, pairedDifference } from './compare.ts';
import { achieved, concerned, type Objective } from './objective.ts';
import { pooledQuantile } from './tested.ts';
import type { UnitResult } from './unit.ts';
import { quantileOf, requestsFor } from './weigh.ts';

/**
 * The configurations of a search across other axes, compared in pairs: the same seeds in the same
 * windows.
 */
export interface Compared {
  /** Labels of the configuration, and of the first one, which it is compared with. */
  readonly labels: readonly string[];
  readonly with: readonly string[];
  /** Value of the axis. */
  readonly value: string;
  readonly difference: Estimate;
  readonly says: Direction;
}

/** What one search has run: by value, then by window, replication by replication. */
export interface Ran {
  readonly labels: readonly string[];
  readonly results: ReadonlyMap<string, ReadonlyMap<string, readonly UnitResult[]>>;
}

export function comparisons(objective: Objective, [first, ...others]: readonly Ran[]): Compared[] {
  if (!first) return [];
  return others.flatMap(({ labels, results }) =>
    [...first.results].flatMap(([value, windows]): Compared[] => {
      // The last window that both ran is the longest.
      const own = results.get(value);
      const window = own && [...own.keys()].filter((key) => windows.has(key)).at(-1);
      if (window === undefined) return [];
      const samples = (all: readonly UnitResult[]) =>
        new Map(
          all.flatMap((result, r) => {
            const measured = one(objective, result);
            return measured === undefined ? [] : [[r, measured] as const];
          }),
        );
      const difference = pairedDifference(
        samples(own!.get(window)!),
        samples(windows.get(window)!),
      );
      if (!difference) return [];
      const says = direction(difference);
      return [{ labels, with: first.labels, value, difference, says }];
    }),
  );
}

/**
 * A percentile of all requests of all VMs, where it is more than the maximum in disguise; else the
 * worst VM's value.
 */
function one(objective: Objective, result: UnitResult): number | undefined {
  const quantile = quantileOf(objective);
  if (quantile === undefined) return achieved(objective, result);
  const vms = concerned(objective, result);
  const n = vms.reduce((sum, { requests }) => {
    return sum + (requests ? requests.served.length + requests.unfinished.length : 0);
  }, 0);
  return n < requestsFor(quantile)
    ? undefined
    : pooledQuantile([{ ...result, vms }], undefined, quantile);
}

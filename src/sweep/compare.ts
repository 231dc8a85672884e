import { type Estimate, estimate } from '../stats/replications.ts';
import type { Space } from './axes.ts';
import { quantity } from './expression.ts';

/**
 * Comparisons of two points of a sweep. Replication `r` draws the same random numbers at every
 * point, so two points are compared replication by replication: what chance does to both cancels
 * out, and the interval is that of the differences, which is as a rule much narrower than what the
 * intervals of the two means leave open.
 */

/** An axis as a table knows it. */
export interface NamedAxis {
  readonly path: string;
  /** Labels. */
  readonly values: readonly string[];
}

/** Replications of a point by number; some may be missing. */
export type Samples = ReadonlyMap<number, number>;

/**
 * Mean of a - b over the replications that both have, with the 95 % interval of the differences.
 * Undefined when there is no such replication, or when one of the two is infinite: what has no
 * bound has no difference either.
 */
export function pairedDifference(a: Samples, b: Samples): Estimate | undefined {
  const differences: number[] = [];
  for (const [replication, value] of a) {
    const other = b.get(replication);
    if (other !== undefined) differences.push(value - other);
  }
  return differences.every(Number.isFinite) ? estimate(differences) : undefined;
}

/** What an interval of differences says. */
export type Direction = 'more' | 'less' | 'none shown' | 'one pair only';

export function direction({ mean, halfWidth }: Estimate): Direction {
  if (halfWidth === undefined) return 'one pair only';
  if (Math.abs(mean) <= halfWidth) return 'none shown';
  return mean > 0 ? 'more' : 'less';
}

const COUNT = /^vms\.(?:[\w-]+\.)?count$/;
/** Whether an axis counts VMs. */
export const countsVms = ({ path }: Pick<NamedAxis, 'path'>): boolean => COUNT.test(path);

/**
 * Labels of a numeric axis (`8`, `30ms`) in a base unit; undefined when one of them is no number.
 */
export function numbersOf({ values }: NamedAxis): ReadonlyMap<string, number> | undefined {
  const numbers = new Map<string, number>();
  for (const label of values) {
    const value = label.trim() === '' ? undefined : quantity(label);
    if (value === undefined) return undefined;
    numbers.set(label, value);
  }
  return numbers;
}

/**
 * Number of the axis along which a sweep is read, and at whose values configurations are compared:
 * the count of VMs, or else the numeric axis with most values. Undefined when no axis that varies
 * is numeric.
 */
export function mainAxis(axes: readonly NamedAxis[]): number | undefined {
  const numeric = axes.flatMap((axis, index) =>
    axis.values.length > 1 && numbersOf(axis) ? [{ axis, index }] : [],
  );
  const longest = numeric.toSorted((a, b) => b.axis.values.length - a.axis.values.length)[0];
  return (numeric.find(({ axis }) => countsVms(axis)) ?? longest)?.index;
}

/**
 * What points are compared with when the sweep does not say: the first value of every axis that
 * varies, but for the main one, where like is compared with like. When nothing but the main axis
 * varies: its first value. Seeds have no first.
 */
export function defaultBaseline({ axes, groups }: Space): ReadonlyMap<number, string> | undefined {
  const named = axes.map(({ path, values }) => ({ path, values: values.map((v) => v.label) }));
  const main = mainAxis(named);
  const varying = groups.filter(
    ({ axes: members, length }) =>
      length > 1 && !members.some((index) => axes[index]!.path === 'seed'),
  );
  const others = varying.filter(({ axes: members }) => !members.includes(main ?? -1));
  const fixed = (others.length > 0 ? others : varying).flatMap(({ axes: members }) => members);
  if (fixed.length === 0) return undefined;
  return new Map(fixed.map((index) => [index, named[index]!.values[0]!]));
}

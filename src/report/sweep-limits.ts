import type { SweepFiles } from '../files/results.ts';
import { type Estimate, estimate } from '../stats/replications.ts';
import { pairedDifference } from '../sweep/compare.ts';
import {
  type Limit,
  type Sampled,
  type Shown,
  type Sweep,
  sampled,
  valueWords,
} from './html/sweep-data.ts';
import { groupBy } from './table.ts';

/** How far an objective holds, and which configurations differ: numbers, without words. */

/** The points of one configuration and VM group along the main axis, in its order. */
export interface Line {
  readonly group: string;
  readonly points: readonly Sampled[];
}

export type Verdict = 'meets' | 'fails' | 'undecided';

/** Numbers of the axes that tell lines apart. */
export const otherAxes = ({ axes, roles }: Sweep): number[] =>
  axes.flatMap((axis, i) => (i === roles.x?.index || axis.values.length < 2 ? [] : [i]));

/** Lines of what was measured; only of the group that the objective is about. */
export function linesOf(
  files: SweepFiles,
  sweep: Sweep,
  shown: Shown,
  limit: Limit | undefined,
): Line[] {
  const rows = sampled(files, shown).filter(
    ({ group }) => group === (limit?.objective.group ?? group) || group === 'host',
  );
  const { x } = sweep.roles;
  const others = otherAxes(sweep);
  const position = (row: Sampled) => x?.values.get(row.labels[x.index]!) ?? 0;
  const byLine = groupBy(rows, ({ labels, group }) =>
    JSON.stringify([...others.map((i) => labels[i]), group]),
  );
  return [...byLine.values()].map((all) => ({
    group: all[0]!.group,
    points: all.toSorted((a, b) => position(a) - position(b)),
  }));
}

/** Whether lines of several VM groups are there. */
export const severalGroups = (lines: readonly Line[]): boolean =>
  new Set(lines.map(({ group }) => group)).size > 1;

/** `nested paging, kvm tags`; empty when nothing tells lines apart. */
export function lineName(sweep: Sweep, line: Line, several: boolean): string {
  const labels = line.points[0]!.labels;
  const parts = otherAxes(sweep).map((i) => valueWords(sweep.axes[i]!, labels[i]!));
  return [...parts, ...(several ? [`VMs ${line.group}`] : [])].join(', ');
}

export function verdictOf({ samples, planned }: Sampled, { objective, value }: Limit): Verdict {
  const found = estimate([...samples.values()]);
  if (!found) return 'undecided';
  const margin = objective.below ? value - found.mean : found.mean - value;
  if (margin === Number.NEGATIVE_INFINITY) return 'fails';
  const { halfWidth } = found;
  // Nothing is sure with one replication, nor where some of them have no value.
  if (halfWidth === undefined || samples.size < planned) return 'undecided';
  return margin > halfWidth ? 'meets' : -margin >= halfWidth ? 'fails' : 'undecided';
}

/** How far one line meets an objective. */
export interface Held {
  readonly line: Line;
  /** The last point that surely meets it, before the first that surely fails it. */
  readonly meets: Sampled | undefined;
  /** The last point before the first that surely fails it, where that is another one. */
  readonly open: Sampled | undefined;
  readonly fails: Sampled | undefined;
}

export function heldBy(line: Line, limit: Limit): Held {
  const { points } = line;
  const verdicts = points.map((row) => verdictOf(row, limit));
  const failing = verdicts.indexOf('fails');
  const tried = failing < 0 ? points.length : failing;
  // What meets the objective speaks for the values before it too, as in a search.
  const holding = tried > 0 ? verdicts.lastIndexOf('meets', tried - 1) : -1;
  return {
    line,
    meets: points[holding],
    open: holding < tried - 1 ? points[tried - 1] : undefined,
    fails: points[tried],
  };
}

/** VMs per core of a point. */
export function perCoreOf({ points }: SweepFiles): (row: Sampled) => number {
  const ratio = new Map(points.map((row) => [row['point']!, Number(row['vms_per_core'])]));
  return (row) => ratio.get(row.point) ?? Number.NaN;
}

/** A point against the one with another value of one axis, all else equal, in pairs. */
export interface Difference {
  readonly axis: number;
  readonly label: string;
  readonly reference: string;
  /** Labels of the axes that both share, but for the main one. */
  readonly rest: readonly number[];
  readonly point: Sampled;
  readonly found: Estimate;
  /** Mean of what it is compared with, over the same replications. */
  readonly base: number;
}

/** Each value of an axis against its first (or the baseline's), at each value of the main axis. */
export function differencesOf(
  { manifest }: SweepFiles,
  sweep: Sweep,
  lines: readonly Line[],
): Difference[] {
  const { axes, roles } = sweep;
  const others = otherAxes(sweep).filter((i) => axes[i]!.path !== 'seed');
  const at = (row: Sampled) => (roles.x ? row.labels[roles.x.index] : '');
  return others.flatMap((axis) => {
    const reference = manifest.baseline?.[axes[axis]!.path] ?? axes[axis]!.values[0]!;
    const rest = otherAxes(sweep).filter((i) => i !== axis);
    return lines.flatMap((line) => {
      const { labels } = line.points[0]!;
      const label = labels[axis]!;
      if (label === reference) return [];
      const base = lines.find(({ group, points: [first] }) => {
        const same = rest.every((i) => first!.labels[i] === labels[i]);
        return group === line.group && first!.labels[axis] === reference && same;
      });
      if (!base) return [];
      return line.points.flatMap((point) => {
        const other = base.points.find((row) => at(row) === at(point));
        const found = other && pairedDifference(point.samples, other.samples);
        if (!found) return [];
        const paired = [...other.samples].filter(([replication]) => point.samples.has(replication));
        const mean = estimate(paired.map(([, value]) => value))!.mean;
        return [{ axis, label, reference, rest, point, found, base: mean }];
      });
    });
  });
}

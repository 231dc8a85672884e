import { enumerated, groupBy } from '../base/collections.ts';
import { type MeasureName, measures } from '../stats/measures.ts';
import { estimate } from '../stats/replications.ts';
import { direction, mainAxis } from '../sweep/compare.ts';
import { achieved, type Objective } from '../sweep/objective.ts';
import type { Plan } from '../sweep/plan.ts';
import { replicationsOf, type SummaryRow, type UnitSource } from '../sweep/tables.ts';
import { shown } from './quantities.ts';

/**
 * The answer of a sweep in a sentence: what its main measure spans, which configurations differ
 * from the baseline in pairs, and how far an objective holds.
 */
export interface SweepSentence {
  readonly plan: Plan;
  readonly source: UnitSource;
  /** Rows of the measures that are shown. */
  readonly rows: readonly SummaryRow[];
  readonly measure: MeasureName | undefined;
  readonly objective: Objective | undefined;
}

export function sweepSentence({ plan, source, rows, measure, objective }: SweepSentence): string {
  const own = widestGroup(rows.filter(({ metric }) => metric === measure));
  if (measure === undefined || own.length === 0) return 'No point of the sweep has a result.';
  const names = new Names(plan, rows);
  const parts = [
    spanText(measure, own, names),
    pairsText(own, names),
    objective && objectiveText(plan, source, objective, names),
  ];
  const text = parts.filter((part) => part !== undefined).join('; ');
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/**
 * Groups do different work: of several, the rows of the one whose values differ most, by their
 * ratio; all rows where none has a ratio.
 */
export function widestGroup<T extends { readonly group: string; readonly mean: number }>(
  rows: readonly T[],
): readonly T[] {
  const [widest] = [...groupBy(rows, ({ group }) => group).values()]
    .map((own) => {
      const means = own.map(({ mean }) => mean);
      return { own, ratio: Math.max(...means) / Math.min(...means) };
    })
    .filter(({ ratio }) => ratio > 0)
    .toSorted((a, b) => b.ratio - a.ratio);
  return widest?.own ?? rows;
}

/**
 * How points are named in a sentence: by the axes that vary, and by group where there are several.
 */
class Names {
  readonly axes: readonly { readonly path: string; readonly values: readonly string[] }[];
  readonly columns: readonly string[];
  readonly main: number | undefined;
  readonly varying: readonly number[];
  readonly #groups: number;

  constructor({ space }: Plan, rows: readonly SummaryRow[]) {
    this.axes = space.axes.map(({ path, values }) => ({
      path,
      values: values.map(({ label }) => label),
    }));
    this.columns = space.axes.map(({ column }) => column);
    this.main = mainAxis(this.axes);
    this.varying = this.axes.flatMap(({ values }, i) => (values.length > 1 ? [i] : []));
    this.#groups = new Set(rows.map(({ group }) => group)).size;
  }

  at = (axis: number, label: string): string => {
    const { path } = this.axes[axis]!;
    const column = this.columns[axis]!;
    const name = column === path ? vmsOf(path) : undefined;
    if (name === undefined) return `${shortAxis(path, column)} ${label}`;
    return `${label} ${name}${label === '1' ? 'VM' : 'VMs'}`;
  };

  point({ labels, group }: Pick<SummaryRow, 'labels' | 'group'>): string {
    const axes = this.varying.map((i) => this.at(i, labels[i]!));
    return [...axes, ...(this.#groups > 1 ? [group] : [])].join(', ');
  }
}

/** `web `, or nothing where the path counts the VMs of no group; undefined where it counts none. */
function vmsOf(path: string): string | undefined {
  const match = /^vms\.(?:([\w-]+)\.)?count$/.exec(path);
  return match ? (match[1] ? `${match[1]} ` : '') : undefined;
}

/** An axis in fewer letters than its path: `tags` for `hypervisor.tags.kind`; labels stay. */
export function shortAxis(path: string, column: string): string {
  if (column !== path) return column;
  const vms = vmsOf(path);
  if (vms !== undefined) return `${vms}VMs`;
  return path
    .replace(/\.kind$/, '')
    .split('.')
    .slice(-2)
    .join('.')
    .replace(/^hypervisor\./, '');
}

function spanText(measure: MeasureName, rows: readonly SummaryRow[], names: Names): string {
  const { words } = measures[measure];
  const value = ({ mean, halfWidth, n }: SummaryRow) => shown(measure, mean, halfWidth, n);
  const finite = rows.filter(({ mean }) => Number.isFinite(mean));
  const sorted = finite.toSorted((a, b) => a.mean - b.mean);
  const [least, most] = [sorted[0], sorted.at(-1)];
  const without = rows.length - finite.length;
  const unbounded = without > 0 ? `, and without bound at ${without} of ${rows.length} points` : '';
  if (!least || !most) return `${words} has no bound at any point`;
  if (least.mean === most.mean) return `${words} is ${value(least)} at all points${unbounded}`;
  return (
    `${words} goes from ${value(least)} (${names.point(least)}) to ${value(most)} ` +
    `(${names.point(most)})${unbounded}`
  );
}

const MOST_NAMED = 3;

/** Points against their baseline point, by what is different between the two. */
function pairsText(rows: readonly SummaryRow[], names: Names): string | undefined {
  const byPoint = new Map(rows.map((row) => [`${row.point} ${row.group}`, row]));
  const found = new Map<string, { more: number; less: number; all: number; single: number }>();
  for (const { labels, group, baseline, difference } of rows) {
    const other = baseline === undefined ? undefined : byPoint.get(`${baseline} ${group}`);
    if (!other || !difference) continue;
    const changed = names.varying.filter((i) => i !== names.main && labels[i] !== other.labels[i]);
    if (changed.length !== 1) continue;
    const [axis] = changed;
    const key = `${labels[axis!]} than ${other.labels[axis!]}`;
    const says = direction(difference);
    const count = found.get(key) ?? { more: 0, less: 0, all: 0, single: 0 };
    found.set(key, count);
    count.all++;
    if (says === 'more') count.more++;
    if (says === 'less') count.less++;
    if (says === 'one pair only') count.single++;
  }
  const counts = [...found].filter(([, { all, single }]) => all > single);
  if (counts.length === 0) return undefined;
  const sentences = counts.flatMap(([than, { more, less, all }]) => {
    const [config, base] = than.split(' than ');
    if (more + less === 0) return [];
    const higher = more > 0 ? `higher at ${more}` : '';
    const lower = less > 0 ? `lower at ${less}` : '';
    const both = [higher, lower].filter((part) => part !== '').join(' and ');
    return `${both} of ${all} ${all === 1 ? 'point' : 'points'} with ${config} than with ${base}`;
  });
  const equal = counts.flatMap(([than, { more, less }]) =>
    more + less === 0 ? than.replace(' than ', ' and ') : [],
  );
  const more = sentences.length - MOST_NAMED;
  const differing = [
    ...sentences.slice(0, MOST_NAMED),
    ...(more > 0 ? [`${more} more in differences.csv`] : []),
  ];
  return [
    ...(differing.length > 0 ? [`in pairs, it is ${differing.join(', ')}`] : []),
    ...(equal.length > 0
      ? [`no difference is shown between ${equal.slice(0, MOST_NAMED).join(', or ')}`]
      : []),
  ].join('; ');
}

/** Up to which value of the main axis the whole interval keeps to the limit. */
function objectiveText(
  plan: Plan,
  source: UnitSource,
  objective: Objective,
  names: Names,
): string | undefined {
  const { main, varying } = names;
  if (main === undefined) return undefined;
  const { below, limit, text } = objective;
  const order = names.axes[main]!.values;
  let single = true;
  const held = new Map<string, { readonly label: string; readonly meets: boolean }[]>();
  for (let index = 0; index < plan.points; index++) {
    const labels = plan.point(index).values.map(({ label }) => label);
    const results = replicationsOf(plan, source, index);
    if (results.length > 1) single = false;
    const samples = results.flatMap((result) => achieved(objective, result) ?? []);
    const found = estimate(samples);
    const half = found?.halfWidth;
    const whole = found && half !== undefined && samples.length === results.length;
    const meets = whole ? (below ? found.mean + half < limit : found.mean - half > limit) : false;
    const line = varying.filter((i) => i !== main).map((i) => labels[i]!);
    const key = line.join(', ');
    held.set(key, [...(held.get(key) ?? []), { label: labels[main]!, meets }]);
  }
  if (single) return `one run of each point does not decide ${text}`;
  const ends = new Map<string, string[]>();
  for (const [line, points] of held) {
    const sorted = points.toSorted((a, b) => order.indexOf(a.label) - order.indexOf(b.label));
    const failing = sorted.findIndex(({ meets }) => !meets);
    const last = sorted[(failing < 0 ? sorted.length : failing) - 1];
    const end =
      last === undefined
        ? `is not sure even at ${names.at(main, sorted[0]!.label)}`
        : failing < 0
          ? 'holds at every point'
          : `holds up to ${names.at(main, last.label)}`;
    ends.set(end, [...(ends.get(end) ?? []), line]);
  }
  const several = ends.size > 1;
  const parts = [...ends].map(([end, lines]) =>
    several ? `${end} with ${enumerated(lines)}` : end,
  );
  return `${text} ${parts.join(', ')}, with 95 % confidence`;
}

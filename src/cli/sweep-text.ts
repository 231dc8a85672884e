import { axisScale, estimated, never } from '../report/quantities.ts';
import { shortAxis, sweepSentence } from '../report/sweep-sentence.ts';
import { wrapped } from '../report/table.ts';
import { type MeasureName, measures } from '../stats/measures.ts';
import type { Objective } from '../sweep/objective.ts';
import type { Plan } from '../sweep/plan.ts';
import { HOST, type SummaryRow, type UnitSource } from '../sweep/tables.ts';
import { alignedAtPoint, textTable } from './text-table.ts';

/** What the terminal shows of a sweep: its answer, then the means of a few measures by point. */

export const MOST_ROWS = 40;
/** Shown first of what there is. */
const HEADLINES: readonly MeasureName[] = [
  'slowdown',
  'work_per_second',
  'latency_p99_ns',
  'latency_p95_ns',
  'cycles_per_instruction',
  'ready_share',
  'host_overhead',
];
const MOST_METRICS = 5;
const WIDTH = 98;

interface Line {
  readonly labels: readonly string[];
  readonly group: string;
  readonly cells: Map<MeasureName, string>;
}

export interface SweepText {
  readonly plan: Plan;
  readonly source: UnitSource;
  readonly rows: readonly SummaryRow[];
  readonly objective: Objective | undefined;
  readonly style: (format: 'bold' | 'dim', text: string) => string;
}

/** The measures that a table on a terminal has room for. */
export const metricsShown = ({ metrics }: Plan): readonly MeasureName[] =>
  (metrics ?? HEADLINES).slice(0, metrics ? MOST_METRICS : undefined);

export function sweepText({ plan, source, rows, objective, style }: SweepText): string {
  const names = metricsShown(plan).filter((name) => rows.some(({ metric }) => metric === name));
  const answer = sweepSentence({
    plan,
    source,
    rows,
    objective,
    measure: mainOf(names, rows, objective),
  });
  const replications = [...new Set(rows.map(({ n }) => n))].toSorted((a, b) => a - b);
  const [least, most] = [replications[0] ?? 0, replications.at(-1) ?? 0];
  const runs = least === most ? `${most}` : `${least} to ${most}`;
  const points = plan.points === 1 ? '1 point' : `${plan.points} points`;
  const title =
    `${style('bold', plan.base.name)}: ${points}, ${runs} ${runs === '1' ? 'run' : 'runs'} of ` +
    'each';
  return [
    title,
    ...wrapped(answer, WIDTH),
    '',
    tableOf(plan, names.slice(0, MOST_METRICS), rows, style),
    `${most > 1 ? 'mean ± half of its 95 % interval' : 'one run of each point: no intervals'}\n`,
  ].join('\n');
}

/** What the objective is about, or the first that is not the same everywhere. */
function mainOf(
  names: readonly MeasureName[],
  rows: readonly SummaryRow[],
  objective: Objective | undefined,
): MeasureName | undefined {
  if (objective && names.includes(objective.measure)) return objective.measure;
  const differs = (name: MeasureName) =>
    new Set(rows.filter(({ metric }) => metric === name).map(({ mean }) => mean)).size > 1;
  return names.find(differs) ?? names[0];
}

function tableOf(
  plan: Plan,
  names: readonly MeasureName[],
  rows: readonly SummaryRow[],
  style: SweepText['style'],
): string {
  const all = folded(linesOf(rows, names));
  const lines = all.slice(0, MOST_ROWS);
  const several = new Set(lines.map(({ group }) => group)).size > 1;
  let used = names.filter((name) => lines.some(({ cells }) => cells.has(name)));
  const render = () => {
    const columns = used.map((name) => {
      const cells = lines.map(({ cells: own }) => own.get(name) ?? '');
      const { unit } = axisScale(name);
      return [`${measures[name].words}${unit === '' ? '' : `, ${unit}`}`, ...alignedAtPoint(cells)];
    });
    const header = [
      ...plan.space.axes.map(({ path, column }) => shortAxis(path, column)),
      ...(several ? ['group'] : []),
      ...columns.map(([head]) => head!),
    ];
    const body = lines.map(({ labels, group }, i) => [
      ...labels,
      ...(several ? [group] : []),
      ...columns.map((column) => column[i + 1]!),
    ]);
    return textTable([header, ...body])
      .trimEnd()
      .split('\n');
  };
  let text = render();
  while (used.length > 1 && Math.max(...text.map((line) => line.length)) > WIDTH + 2) {
    used = used.slice(0, -1);
    text = render();
  }
  const more = all.length - lines.length;
  return [
    style('bold', text[0]!),
    ...text.slice(1),
    ...(more > 0 ? [`… ${more} more lines in summary.csv`] : []),
  ].join('\n');
}

/** A line for each point and group. What is about the host stands beside the only group. */
function linesOf(rows: readonly SummaryRow[], names: readonly MeasureName[]): Line[] {
  const groups = new Set(rows.map(({ group }) => group).filter((group) => group !== HOST));
  const [only] = groups;
  const lines = new Map<string, Line>();
  for (const { point, labels, group, metric, mean, halfWidth, n } of rows) {
    if (!names.includes(metric)) continue;
    const of = group === HOST && groups.size === 1 ? only! : group;
    const key = `${point} ${of}`;
    const line = lines.get(key) ?? { labels, group: of, cells: new Map() };
    lines.set(key, line);
    line.cells.set(metric, cellOf(metric, mean, halfWidth, n));
  }
  return [...lines.values()];
}

/** In the unit of the column. */
function cellOf(name: MeasureName, mean: number, half: number | undefined, n: number): string {
  if (!Number.isFinite(mean)) return never(name);
  const { factor } = axisScale(name);
  return estimated(mean * factor, half === undefined ? undefined : half * factor, n);
}

/** Lines that are equal but for one axis are one: `none, kvm`. */
function folded(lines: readonly Line[]): Line[] {
  let all = [...lines];
  const axes = lines[0]?.labels.length ?? 0;
  for (let axis = 0; axis < axes; axis++) {
    const same = new Map<string, Line[]>();
    for (const line of all) {
      const rest = line.labels.filter((_, i) => i !== axis);
      const key = JSON.stringify([rest, line.group, [...line.cells]]);
      same.set(key, [...(same.get(key) ?? []), line]);
    }
    all = [...same.values()].map((equal) => ({
      ...equal[0]!,
      labels: equal[0]!.labels.map((label, i) =>
        i === axis ? equal.map(({ labels }) => labels[i]).join(', ') : label,
      ),
    }));
  }
  return all;
}

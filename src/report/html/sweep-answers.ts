import type { SweepFiles } from '../../files/results.ts';
import { measures } from '../../stats/measures.ts';
import { type Estimate, estimate } from '../../stats/replications.ts';
import { direction, pairedDifference } from '../../sweep/compare.ts';
import { findCommand } from '../../sweep/find-command.ts';
import { axisScale, interval, plain } from '../quantities.ts';
import { groupBy } from '../table.ts';
import type { Table } from './page.ts';
import { named, type Sampled, type Shown, sampled, withInterval } from './sweep-data.ts';
import type { Limit, Sweep } from './sweep-lines.ts';

/**
 * How far an objective holds, what is undecided and how to decide it, and which configurations
 * differ.
 */

/** The points of one configuration and VM group along the main axis, in its order. */
interface Line {
  readonly group: string;
  readonly points: readonly Sampled[];
}

type Verdict = 'meets' | 'fails' | 'undecided';

export interface Answers {
  readonly tables: readonly Table[];
  /** Commands that decide what is undecided. */
  readonly commands: readonly string[];
}

/** `shown` is what the objective is about, or what the curve shows when there is no objective. */
export function answers(
  files: SweepFiles,
  sweep: Sweep,
  shown: Shown,
  limit: Limit | undefined,
): Answers {
  const rows = sampled(files, shown).filter(
    ({ group }) => group === (limit?.objective.group ?? group) || group === 'host',
  );
  const lines = linesOf(sweep, rows);
  const held = limit && howFar(files, sweep, lines, limit);
  const differing = differences(files, sweep, lines, shown);
  return {
    tables: [...(held ? [held.table] : []), ...(differing ? [differing] : [])],
    commands: held?.commands ?? [],
  };
}

/** Numbers of the axes that tell lines apart. */
const otherAxes = ({ axes, roles }: Sweep) =>
  axes.flatMap((axis, i) => (i === roles.x!.index || axis.values.length < 2 ? [] : [i]));

function linesOf(sweep: Sweep, rows: readonly Sampled[]): Line[] {
  const x = sweep.roles.x!;
  const others = otherAxes(sweep);
  const position = (row: Sampled) => x.values.get(row.labels[x.index]!)!;
  const byLine = groupBy(rows, ({ labels, group }) =>
    JSON.stringify([...others.map((i) => labels[i]), group]),
  );
  return [...byLine.values()].map((all) => ({
    group: all[0]!.group,
    points: all.toSorted((a, b) => position(a) - position(b)),
  }));
}

function verdictOf({ samples, planned }: Sampled, { objective, value }: Limit): Verdict {
  const found = estimate([...samples.values()]);
  if (!found) return 'undecided';
  const margin = objective.below ? value - found.mean : found.mean - value;
  if (margin === Number.NEGATIVE_INFINITY) return 'fails';
  const { halfWidth } = found;
  // Nothing is sure with one replication, nor where some of them have no value.
  if (halfWidth === undefined || samples.size < planned) return 'undecided';
  return margin > halfWidth ? 'meets' : -margin >= halfWidth ? 'fails' : 'undecided';
}

function howFar(
  files: SweepFiles,
  sweep: Sweep,
  lines: readonly Line[],
  limit: Limit,
): { readonly table: Table; readonly commands: readonly string[] } {
  const { axes, roles } = sweep;
  const x = roles.x!;
  const { objective } = limit;
  const { unit: scale } = axisScale(objective.measure);
  const unit = scale === '' ? '' : ` ${scale}`;
  const others = otherAxes(sweep);
  const several = new Set(lines.map(({ group }) => group)).size > 1;
  const ratio = new Map(files.points.map((row) => [row['point']!, Number(row['vms_per_core'])]));
  const perCore = (row: Sampled) => plain(ratio.get(row.point) ?? Number.NaN);
  const label = (row: Sampled) => row.labels[x.index]!;
  const cell = (row: Sampled) => `${label(row)} (${meanOf(row)}${unit})`;
  const open: { readonly line: Line; readonly from: string; readonly to: string }[] = [];
  const rows = lines.map((line) => {
    const { points } = line;
    const verdicts = points.map((row) => verdictOf(row, limit));
    const failing = verdicts.indexOf('fails');
    const tried = failing < 0 ? points.length : failing;
    const fails = points[tried];
    // What meets the objective speaks for the values before it too, as in a search.
    const holding = verdicts.lastIndexOf('meets', tried - 1);
    const last = tried > 0 ? points[holding] : undefined;
    const undecided = holding < tried - 1 ? points[tried - 1] : undefined;
    if (undecided) {
      const from = label(last ?? points[0]!);
      open.push({ line, from, to: label(fails ?? points.at(-1)!) });
    }
    const cores = [...new Set([last, undecided].flatMap((row) => (row ? [perCore(row)] : [])))];
    return [
      ...others.map((i) => points[0]!.labels[i]!),
      ...(several ? [line.group] : []),
      last ? cell(last) : 'nothing that was tried',
      ...(roles.consolidation ? [cores.join(' to ')] : []),
      undecided ? undecidedText(last && label(last), label(undecided)) : '',
      fails ? cell(fails) : undecided ? 'nothing that was tried' : 'holds everywhere',
    ];
  });
  const table = {
    caption: `How far ${objective.text} holds with 95 % confidence: the last ${x.axis.column} tried at which the whole interval meets it before the first at which none of it does${aboutGroups(limit)}`,
    head: [
      ...others.map((i) => axes[i]!.column),
      ...(several ? ['group'] : []),
      'surely holds up to',
      ...(roles.consolidation ? ['VMs per core'] : []),
      'open',
      'surely fails at',
    ],
    rows,
  };
  const commands = open.flatMap(({ line, from, to }) => {
    const { manifest } = files;
    if (manifest.file === undefined) return [];
    const across = others.map((i) => {
      const { path, values, written } = axes[i]!;
      const at = values.indexOf(line.points[0]!.labels[i]!);
      return [path, [written?.[at] ?? values[at]!]] as const;
    });
    const one = several && objective.scope === 'every' && objective.group === undefined;
    const text = one
      ? `${objective.text.replace(/\s+for every VM$/i, '')} for ${line.group}`
      : objective.text;
    const { file, set = [] } = manifest;
    return [findCommand({ file, set, axis: x.axis.path, from, to, objective: text, across })];
  });
  return { table, commands };
}

const undecidedText = (last: string | undefined, unsure: string) =>
  last === undefined
    ? `undecided between none and ${unsure}`
    : `undecided between ${last} and ${unsure}`;

/** What the tables know of each group is not always about its worst VM. */
function aboutGroups({ objective: { measure, scope } }: Limit): string {
  const worst = measures[measure].unit === 'ns' || measure.endsWith('_worst');
  if (scope === 'host' || (scope === 'every') === worst) return '';
  return worst
    ? '; for the VM of each group that suffers most, not on average'
    : '; for each group as a whole, where `find` asks every VM';
}

function meanOf({ samples }: Sampled): string {
  const found = estimate([...samples.values()]);
  if (!found) return 'too little to measure';
  return withInterval({ mean: found.mean, half: found.halfWidth, n: found.n });
}

/** Rows above which the table of differences is folded. */
const MANY = 30;

/**
 * Each value of an axis against its first (or the baseline's), all else equal, at each value of the
 * main axis.
 */
function differences(
  { manifest }: SweepFiles,
  sweep: Sweep,
  lines: readonly Line[],
  shown: Shown,
): Table | undefined {
  const { axes, roles } = sweep;
  const x = roles.x!;
  const others = otherAxes(sweep).filter((i) => axes[i]!.path !== 'seed');
  const several = new Set(lines.map(({ group }) => group)).size > 1;
  const { unit } = axisScale(shown.name);
  const rows = others.flatMap((axis) => {
    const reference = manifest.baseline?.[axes[axis]!.path] ?? axes[axis]!.values[0]!;
    return lines.flatMap((line) => {
      const labels = line.points[0]!.labels;
      if (labels[axis] === reference) return [];
      const rest = otherAxes(sweep).filter((i) => i !== axis);
      const base = lines.find(({ group, points: [first] }) => {
        const same = rest.every((i) => first!.labels[i] === labels[i]);
        return group === line.group && first!.labels[axis] === reference && same;
      });
      if (!base) return [];
      const where = [
        ...rest.map((i) => named(axes[i]!, labels[i]!)),
        ...(several ? [line.group] : []),
      ].join(', ');
      const what = `${named(axes[axis]!, labels[axis]!)} − ${reference}`;
      return line.points.flatMap((point) => {
        const other = base.points.find((row) => row.labels[x.index] === point.labels[x.index]);
        const found = other && pairedDifference(point.samples, other.samples);
        if (!found) return [];
        return [[what, where, point.labels[x.index]!, amount(found, unit), String(found.n)]].map(
          (cells) => [...cells, said(found)],
        );
      });
    });
  });
  if (rows.length === 0) return undefined;
  return {
    caption: `Which configurations differ in ${shown.words}: mean of the differences, replication by replication (the same seeds), with its 95 % interval. Of twenty such intervals one is wrong by chance`,
    head: ['difference', 'with', x.axis.column, shown.words, 'pairs', 'so'],
    rows,
    folded: rows.length > MANY,
  };
}

/** Of a difference, which may have either sign. */
const amount = ({ mean, halfWidth }: Estimate, unit: string) =>
  `${interval(mean, halfWidth)}${unit === '' ? '' : ` ${unit}`}`;

function said(found: Estimate): string {
  const words = direction(found);
  return words === 'none shown' ? 'no difference shown' : words;
}

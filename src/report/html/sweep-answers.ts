import type { SweepFiles } from '../../files/results.ts';
import { measures } from '../../stats/measures.ts';
import { type Estimate, estimate } from '../../stats/replications.ts';
import { direction } from '../../sweep/compare.ts';
import { findCommand } from '../../sweep/find-command.ts';
import { axisScale, counted, interval, plain } from '../quantities.ts';
import {
  differencesOf,
  type Held,
  heldBy,
  type Line,
  linesOf,
  otherAxes,
  perCoreOf,
  severalGroups,
} from '../sweep-limits.ts';
import type { Table } from './page.ts';
import {
  axisWords,
  type Limit,
  type Sampled,
  type Shown,
  type Sweep,
  valueWords,
  withInterval,
} from './sweep-data.ts';

/**
 * Tables of how far an objective holds, what is undecided and how to decide it, and which
 * configurations differ.
 */

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
  const lines = linesOf(files, sweep, shown, limit);
  const held = limit?.objective && lines.map((line) => heldBy(line, limit));
  const differing = differences(files, sweep, lines, shown);
  return {
    tables: [
      ...(held ? [heldTable(files, sweep, held, limit)] : []),
      ...(differing ? [differing] : []),
    ],
    commands: held ? commandsOf(files, sweep, held, limit) : [],
  };
}

function heldTable(
  files: SweepFiles,
  sweep: Sweep,
  held: readonly Held[],
  { objective }: Limit,
): Table {
  const { axes, roles } = sweep;
  const x = roles.x!;
  const { unit: scale } = axisScale(objective.measure);
  const unit = scale === '' ? '' : ` ${scale}`;
  const others = otherAxes(sweep);
  const several = severalGroups(held.map(({ line }) => line));
  const perCore = perCoreOf(files);
  const label = (row: Sampled) => row.labels[x.index]!;
  const cell = (row: Sampled) => `${label(row)} (${meanOf(row)}${unit})`;
  const rows = held.map(({ line, meets, open, fails }) => {
    const cores = [...new Set([meets, open].flatMap((row) => (row ? [plain(perCore(row))] : [])))];
    return [
      ...others.map((i) => line.points[0]!.labels[i]!),
      ...(several ? [line.group] : []),
      meets ? cell(meets) : 'nothing that was tried',
      ...(roles.consolidation ? [cores.join(' to ')] : []),
      open ? undecidedText(meets && label(meets), label(open)) : '',
      fails ? cell(fails) : open ? 'nothing that was tried' : 'holds everywhere',
    ];
  });
  return {
    caption:
      `How far ${objective.text} holds with 95 % confidence. It surely holds up to the last ` +
      `number of ${axisWords(x.axis)} tried at which the whole interval meets it, before the ` +
      `first at which none of it does${aboutGroups(objective)}`,
    head: [
      ...others.map((i) => axisWords(axes[i]!)),
      ...(several ? ['group'] : []),
      'surely holds up to',
      ...(roles.consolidation ? ['VMs per core'] : []),
      'open',
      'surely fails at',
    ],
    rows,
  };
}

function commandsOf(
  { manifest }: SweepFiles,
  sweep: Sweep,
  held: readonly Held[],
  { objective }: Limit,
): string[] {
  const { axes, roles } = sweep;
  const x = roles.x!;
  const several = severalGroups(held.map(({ line }) => line));
  const label = (row: Sampled) => row.labels[x.index]!;
  return held.flatMap(({ line: { group, points }, meets, open, fails }) => {
    if (!open || manifest.file === undefined) return [];
    const across = otherAxes(sweep).map((i) => {
      const { path, values, written } = axes[i]!;
      const at = values.indexOf(points[0]!.labels[i]!);
      return [path, [written?.[at] ?? values[at]!]] as const;
    });
    const one = several && objective.scope === 'every' && objective.group === undefined;
    const text = one
      ? `${objective.text.replace(/\s+for every VM$/i, '')} for ${group}`
      : objective.text;
    const { file, set = [] } = manifest;
    const [from, to] = [label(meets ?? points[0]!), label(fails ?? points.at(-1)!)];
    return [findCommand({ file, set, axis: x.axis.path, from, to, objective: text, across })];
  });
}

const undecidedText = (last: string | undefined, unsure: string) =>
  last === undefined
    ? `undecided between none and ${unsure}`
    : `undecided between ${last} and ${unsure}`;

/** What the tables know of each group is not always about its worst VM. */
function aboutGroups({ measure, scope }: Limit['objective']): string {
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
const MANY = 12;

function differences(
  files: SweepFiles,
  sweep: Sweep,
  lines: readonly Line[],
  shown: Shown,
): Table | undefined {
  const { axes, roles } = sweep;
  const several = severalGroups(lines);
  const { unit } = axisScale(shown.name);
  const apart = several || otherAxes(sweep).length > 1;
  const rows = differencesOf(files, sweep, lines).map(
    ({ axis, label, reference, rest, point, found }) => [
      `${valueWords(axes[axis]!, label)} − ${valueWords(axes[axis]!, reference)}`,
      ...(apart
        ? [
            [
              ...rest.map((i) => valueWords(axes[i]!, point.labels[i]!)),
              ...(several ? [`VMs ${point.group}`] : []),
            ].join(', '),
          ]
        : []),
      ...(roles.x ? [point.labels[roles.x.index]!] : []),
      amount(found, unit),
      String(found.n),
      said(found),
    ],
  );
  if (rows.length === 0) return undefined;
  const shownRows = rows.filter((row) => ['more', 'less'].includes(row.at(-1)!)).length;
  return {
    caption:
      `Which configurations differ in ${shown.words} (${shownRows} of ` +
      `${counted(rows.length, 'comparisons')}): the mean of the differences, replication by ` +
      'replication with the same seeds, and its 95 % interval. Of twenty such intervals one is ' +
      'wrong by chance',
    head: [
      'difference',
      ...(apart ? ['with'] : []),
      ...(roles.x ? [axisWords(roles.x.axis)] : []),
      shown.words,
      'pairs',
      'so',
    ],
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

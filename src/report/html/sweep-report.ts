import { faultIn } from '../../files/faults.ts';
import type { SweepFiles } from '../../files/results.ts';
import { measures } from '../../stats/measures.ts';
import { type Objective, parseObjective } from '../../sweep/objective.ts';
import { counted } from '../quantities.ts';
import { sweepAnswer } from '../sweep-answer.ts';
import { groupBy } from '../table.ts';
import { type Drawing, type Pencil, sentenceCase } from './charts.ts';
import { inputsSection } from './inputs.ts';
import type { Page, Section, Table } from './page.ts';
import { answers } from './sweep-answers.ts';
import {
  axisWords,
  type Estimated,
  estimates,
  type Limit,
  measuresToShow,
  rolesOf,
  type Shown,
  type Sweep,
  shownAs,
  withInterval,
} from './sweep-data.ts';
import { differenceCharts, holds } from './sweep-holds.ts';
import { lines } from './sweep-lines.ts';
import { dots, heatMap } from './sweep-maps.ts';

/**
 * The report of a sweep. Throws ConfigError when `objective` is none, or its measure is nowhere in
 * the tables.
 */
export function sweepReport(files: SweepFiles, pencil: Pencil, objective?: string): Page {
  const { manifest } = files;
  const { axes } = manifest;
  const sweep: Sweep = { axes, roles: rolesOf(axes) };
  const { x, second } = sweep.roles;
  const limit = objective === undefined ? undefined : limitOf(files, objective);
  const measured = measuresToShow(files);
  const draw = (drawings: readonly (Drawing | undefined)[]) =>
    drawings.flatMap((drawing) => (drawing ? [pencil.draw(drawing)] : []));
  const first = limit ? shownAs(limit.objective.measure) : measured[0];
  const sections: Section[] = [];
  if (first) {
    const about = answering(first, limit);
    const rows = concerned(estimates(files, first), limit?.objective);
    const found = answers(files, sweep, about, x ? limit : undefined);
    const curve =
      rows.length === 0
        ? undefined
        : x
          ? lines(sweep, x, rows, first, { id: 'consolidation-curve', limit })
          : dots(sweep, rows, first);
    sections.push({
      id: 'answer',
      title: limit && x ? `How far ${limit.objective.text} holds` : sentenceCase(first.words),
      figures: draw([
        limit && holds(files, sweep, about, limit),
        ...differenceCharts(files, sweep, about, limit),
        curve,
      ]),
      tables: found.tables,
      after:
        found.commands.length > 0
          ? {
              text: 'Where the answer is open, this decides it:',
              code: found.commands.join('\n'),
            }
          : undefined,
    });
  }
  sections.push({
    id: 'measures',
    title: 'Other measures',
    figures: draw(
      measured
        .filter(({ name }) => name !== first?.name)
        .map((shown) => {
          const rows = estimates(files, shown);
          return x
            ? lines(sweep, x, rows, shown, { id: `lines-${shown.name}` })
            : dots(sweep, rows, shown);
        }),
    ),
  });
  if (x && second) {
    sections.push({
      id: 'maps',
      title: `${sentenceCase(axisWords(x.axis))} by ${axisWords(second.axis)}`,
      figures: draw(
        measured
          .slice(0, 2)
          .map((shown) => heatMap(sweep, x, second, estimates(files, shown), shown)),
      ),
    });
  }
  const points = new Set(files.summary.map((row) => row['point'])).size;
  const planned = manifest.points ?? points;
  const seeds = manifest.precision === undefined ? '' : ' or more';
  const varied = axes
    .filter(({ values }) => values.length > 1)
    .map((axis) => `${axisWords(axis)} (${axis.values.join(', ')})`);
  return {
    title: `${manifest.scenario}: a sweep`,
    answer: first
      ? sweepAnswer(files, sweep, answering(first, limit), limit)
      : { sentence: 'No measure differs between the points.', numbers: [] },
    lead: [
      `${counted(planned, 'points')}${varied.length > 0 ? ` over ${varied.join(' × ')}` : ''}, ` +
        `${counted(manifest.replications ?? 1, 'replications')} of each${seeds}, seed ` +
        `${manifest.seed}, worldswitch ${manifest.version}.`,
      ...(points < planned
        ? [
            `${counted(planned - points, 'points')} ` +
              `${planned - points === 1 ? 'has' : 'have'} no results: the runs failed or are ` +
              'missing.',
          ]
        : []),
    ],
    sections: [
      ...sections.filter(({ figures }) => (figures?.length ?? 0) > 0),
      { id: 'points', title: 'All points', tables: [pointTable(files, measured)] },
      {
        ...inputsSection(manifest, undefined, [axisTable(files)]),
        listing:
          files.scenario === undefined
            ? undefined
            : {
                caption: `The scenario, ${manifest.file ?? 'as it was read'}`,
                text: files.scenario,
              },
      },
    ],
  };
}

function limitOf(files: SweepFiles, text: string): Limit {
  const groups = [...new Set(files.points.map((row) => row['group']!))];
  let objective: Objective;
  try {
    objective = parseObjective(text, groups);
  } catch (error) {
    const { name, message, suggestion } = error as Error & { suggestion?: string };
    if (name === 'ObjectiveError') throw faultIn('--objective', message, suggestion);
    throw error;
  }
  const shown = shownAs(objective.measure);
  if (estimates(files, shown).length === 0) {
    throw faultIn(
      '--objective',
      `no point of the sweep has a ${measures[objective.measure].words}`,
      missingHint(objective),
    );
  }
  return { objective, value: objective.limit * shown.factor };
}

function missingHint({ measure }: Objective): string | undefined {
  if (/slowdown|overhead_worst|^overhead$/.test(measure)) return 'it needs runs with a baseline';
  if (!/^latency_p/.test(measure)) return undefined;
  return 'a percentile needs more requests than a window held; a longer `duration:` gives them';
}

/** What answers an objective in tables that know groups and not each VM. */
function answering(shown: Shown, limit: Limit | undefined): Shown {
  const { measure, scope } = limit?.objective ?? {};
  if (scope !== 'every' || (measure !== 'slowdown' && measure !== 'overhead')) return shown;
  return { ...shownAs(`${measure}_worst`), label: shown.label };
}

/** The groups an objective is about. */
function concerned(rows: readonly Estimated[], objective: Objective | undefined): Estimated[] {
  if (!objective || objective.group === undefined || measures[objective.measure].scope === 'host')
    return [...rows];
  return rows.filter(({ group }) => group === objective.group);
}

function pointTable(files: SweepFiles, measured: readonly Shown[]): Table {
  const { axes } = files.manifest;
  const found = measured.flatMap((shown) =>
    estimates(files, shown).map((row) => ({ row, shown, text: withInterval(row) })),
  );
  const groups = groupBy(
    found.filter(({ row }) => row.group !== 'host'),
    ({ row }) => row.point,
  );
  const lines = new Map<string, { row: Estimated; cells: Map<Shown, string> }>();
  for (const { row, shown, text } of found) {
    // What is about the host stands in the rows of all groups.
    const others = row.group === 'host' ? (groups.get(row.point) ?? []) : [];
    for (const { group } of others.length > 0 ? others.map((one) => one.row) : [row]) {
      const key = `${row.point} ${group}`;
      const line = lines.get(key) ?? { row: { ...row, group }, cells: new Map<Shown, string>() };
      lines.set(key, line);
      line.cells.set(shown, text);
    }
  }
  const sorted = [...lines.values()].toSorted((a, b) => Number(a.row.point) - Number(b.row.point));
  return {
    caption:
      'Mean ± half of the 95 % interval, by point and VM group ' +
      `(${counted(sorted.length, 'rows')}); summary.csv has every measure`,
    head: ['point', ...axes.map(axisWords), 'group', 'n', ...measured.map(({ label }) => label)],
    rows: sorted.map(({ row, cells }) => [
      row.point,
      ...row.labels,
      row.group,
      String(row.n),
      ...measured.map((shown) => cells.get(shown) ?? ''),
    ]),
    folded: sorted.length > 30,
  };
}

function axisTable({ manifest }: SweepFiles): Table {
  const replications =
    manifest.precision === undefined
      ? String(manifest.replications ?? '')
      : `${manifest.replications}, more until the interval is within ${manifest.precision * 100} %`;
  return {
    caption: 'What was swept',
    head: ['path', 'values'],
    rows: [
      ...manifest.axes.map(({ path, values }) => [path, values.join(', ')]),
      ['replications', replications],
    ],
  };
}

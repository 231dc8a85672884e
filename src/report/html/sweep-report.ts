import { faultIn } from '../../files/faults.ts';
import type { SweepFiles } from '../../files/results.ts';
import { measures } from '../../stats/measures.ts';
import { type Objective, parseObjective } from '../../sweep/objective.ts';
import type { Drawing, Pencil } from './charts.ts';
import { inputsSection } from './inputs.ts';
import type { Page, Section, Table } from './page.ts';
import { answers } from './sweep-answers.ts';
import {
  type Estimated,
  estimates,
  measuresToShow,
  rolesOf,
  type Shown,
  shownAs,
  withInterval,
} from './sweep-data.ts';
import { dots, heatMap, type Limit, lines, type Sweep } from './sweep-lines.ts';

/**
 * The report of a sweep. Throws ConfigError when `objective` is none, or its measure is nowhere in
 * the tables.
 */
export function sweepReport(files: SweepFiles, pencil: Pencil, objective?: string): Page {
  const { manifest } = files;
  const { axes } = manifest;
  const sweep: Sweep = { axes, roles: rolesOf(axes) };
  const { x, second, consolidation } = sweep.roles;
  const limit = objective === undefined ? undefined : limitOf(files, objective);
  const measured = measuresToShow(files);
  const draw = (drawings: readonly (Drawing | undefined)[]) =>
    drawings.flatMap((drawing) => (drawing ? [pencil.draw(drawing)] : []));
  const first = limit ? shownAs(limit.objective.measure) : measured[0];
  const sections: Section[] = [];
  if (first && x && (consolidation || limit)) {
    const rows = concerned(estimates(files, first), limit?.objective);
    const title = consolidation ? 'Consolidation' : 'The objective';
    const found = answers(files, sweep, answering(first, limit), limit);
    sections.push({
      id: 'consolidation',
      title,
      figures: draw([
        rows.length > 0
          ? lines(sweep, x, rows, first, {
              id: 'consolidation-curve',
              limit,
              title: `${first.words} against ${x.axis.column}`,
            })
          : undefined,
      ]),
      tables: found.tables,
      text: found.commands.length > 0 ? ['Where the answer is open, this decides it:'] : [],
      ...(found.commands.length > 0 ? { code: found.commands.join('\n') } : {}),
    });
  }
  const already = sections.length > 0 ? first!.name : undefined;
  const over = measured.filter(({ name }) => name !== already);
  sections.push({
    id: 'measures',
    title: x ? `Over ${x.axis.column}` : 'Points',
    figures: draw(
      over.map((shown) => {
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
      title: `${x.axis.column} by ${second.axis.column}`,
      figures: draw(
        measured
          .slice(0, 2)
          .map((shown) => heatMap(sweep, x, second, estimates(files, shown), shown)),
      ),
    });
  }
  const points = new Set(files.summary.map((row) => row['point'])).size;
  const planned = manifest.points ?? points;
  return {
    title: `${manifest.scenario}: a sweep`,
    lead: [
      `${planned} points over ${axes.map(({ column, values }) => `${column} (${values.length})`).join(' × ')}, ${files.points.length} rows of results, seed ${manifest.seed}, worldswitch ${manifest.version}.`,
      ...(points < planned
        ? [`${planned - points} points have no results: their runs failed or are missing.`]
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
  const lines = new Map<string, { row: Estimated; cells: Map<Shown, string> }>();
  for (const shown of measured) {
    for (const row of estimates(files, shown)) {
      const key = `${row.point} ${row.group}`;
      const line = lines.get(key) ?? { row, cells: new Map<Shown, string>() };
      lines.set(key, line);
      line.cells.set(shown, withInterval(row));
    }
  }
  const sorted = [...lines.values()].toSorted((a, b) => Number(a.row.point) - Number(b.row.point));
  return {
    caption: `Mean ± half of the 95 % interval, by point and VM group (${sorted.length} rows); summary.csv has every measure`,
    head: [
      'point',
      ...axes.map(({ column }) => column),
      'group',
      'n',
      ...measured.map(({ label }) => label),
    ],
    rows: sorted.map(({ row, cells }) => [
      row.point,
      ...row.labels,
      row.group,
      String(row.n),
      ...measured.map((shown) => cells.get(shown) ?? ''),
    ]),
    folded: sorted.length > 60,
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

import type { RunResult } from '../../../src/stats/result.ts';
import { metric } from '../../support/scenarios.ts';
import { type Apart, apartText } from './apart.ts';
import type { Case, Tolerance } from './case.ts';
import { number, table } from './format.ts';
import type { CaseResult, FigureResult } from './measure.ts';
import { notExpressible } from './not-expressible.ts';
import { type ProgramResult, programsText } from './programs.ts';
import type { SubjectResult } from './sensitivity.ts';

export interface Sections {
  readonly programs: readonly ProgramResult[];
  /** Figures that are kept outside of the repository, where there are any. */
  readonly apart: readonly Apart[];
  readonly sensitivity: string;
}

/** Writes docs/validation.md from the results of all cases. */
export function document(
  results: readonly CaseResult[],
  { programs, apart, sensitivity }: Sections,
): string {
  return [
    HEAD,
    overview(results, apart),
    rest(results),
    programsText(programs),
    ...results.map(section),
    '## What the model does not express',
    table(['Case', 'What it is', 'Why not'], notExpressible),
    sensitivity,
    sources(results),
  ]
    .join('\n\n')
    .concat('\n');
}

const HEAD = `# Validation against published measurements

Each case rebuilds a published experiment from what its source says about machine, hypervisor and workload; where the source
says nothing, the assumptions are listed. Machine, program, inputs and tolerance of a case are written down before its first run, and a
tolerance never moves after it. Where a first measurement was far off, the assumption behind it was examined again, and some assumptions were
replaced by what is known of the program. Such a case is *revised*: today's figures are then no blind predictions. So both are shown:
what the figure was at the **first look**, on the day given, and what it is **today**. \`npm run validate\` measures everything and writes this page.

Cases with a date were written down on it, before any of their scenarios had run. They all have one tolerance, *uniform*: half of the
effect either way, and at most a factor of √2 (so that a figure always says something). That is how far measurements of one program
differ that were taken by different people on different machines: a kernel compile loses 38 or 82 % to the same hypervisor on two processors, gcc 6 or 33 %
to shadow paging in two papers. The figures of the older cases keep the tolerances that they were given one by one.

*Today* is the mean over seeds with the half-width of its 95 % interval (Student's t, n seeds). *Effect* is the distance from the value that
would mean no effect (a ratio of 1, for instance); the deviation compares our effect with the published one. A figure **agrees** when our
mean lies within the stated tolerance. It has the **same direction** when it lies on the same side of no
effect; otherwise it **disagrees**. Sources are listed at the end; they are rows of \`test/validation/published/published.csv\`.

Not every agreement says something about the model. A figure that is an input of its case or follows from one, whose tolerance spans more than a
factor of two, or which no effect at all would have met, could hardly have failed. Where such a figure agrees, it only checks the bookkeeping: it is
listed apart and not counted. Where it does not agree, it counts as any other.

Anybody can measure figures of their own by the same code: \`FIGURES_APART=table.csv npm run validate\` reads scenarios, settings and
published values from a table (\`test/validation/published/apart.ts\` explains its columns) and writes beside it what was measured.`;

type Look = 'first' | 'today';

function tally(figures: readonly FigureResult[], look: Look): [number, number, number] {
  const verdicts = figures.map((f) => (look === 'today' ? f.verdict : (f.first ?? f).verdict));
  const count = (verdict: string) => verdicts.filter((one) => one === verdict).length;
  return [count('agrees'), count('same direction'), count('disagrees')];
}

const informative = (figures: readonly FigureResult[]) =>
  figures.filter(({ uninformative }) => uninformative === undefined);

const percent = (part: number, whole: number) => `${Math.round((100 * part) / whole)} %`;

function overview(results: readonly CaseResult[], apart: readonly Apart[]): string {
  const rows = results.flatMap(({ case: { id, title }, figures }) => {
    const counted = informative(figures);
    if (counted.length === 0) return [];
    const numbers = [...tally(counted, 'first'), ...tally(counted, 'today')];
    return [[`[${id}](#${anchor(id, title)})`, title, ...numbers.map(String)]];
  });
  const all = informative(results.flatMap(({ figures }) => figures));
  const [first, today] = [tally(all, 'first'), tally(all, 'today')];
  rows.push(['', '**all**', ...[...first, ...today].map((n) => `**${n}**`)]);
  const [agrees, same, disagrees] = today;
  const looks = ['first look: agrees', 'same direction', 'disagrees'];
  return [
    `Of ${all.length} informative figures, ${agrees} agree (${percent(agrees, all.length)}), ${same} have the same direction, ${disagrees} disagree. At the first look ${first[0]} agreed (${percent(first[0], all.length)}), and ${first[2]} disagreed.`,
    ...blind(results),
    ...(apart.length > 0 ? [apartText(apart)] : []),
    table(['Case', '', ...looks, 'today: agrees', 'same direction', 'disagrees'], rows),
    bookkeeping(results),
  ].join('\n\n');
}

/** What the cases with a date said at their first look, which nothing had informed. */
function blind(results: readonly CaseResult[]): string[] {
  const dated = results.filter(({ case: { written } }) => written !== undefined);
  const figures = informative(dated.flatMap((result) => result.figures));
  if (figures.length === 0) return [];
  const [agrees, , disagrees] = tally(figures, 'first');
  return [
    `Of the ${figures.length} among them that were written down with a date, ${agrees} agreed at the first look (${percent(agrees, figures.length)}), and ${disagrees} disagreed.`,
  ];
}

/** Figures that could hardly have failed. */
function bookkeeping(results: readonly CaseResult[]): string {
  const rows = results.flatMap(({ case: { id }, figures }) =>
    figures
      .filter(({ uninformative }) => uninformative !== undefined)
      .map((f) => [
        id,
        f.figure.what,
        number(f.published),
        toleranceText(f.figure.tolerance, f.bounds),
        number(f.ours.mean),
        f.uninformative!,
      ]),
  );
  const head = ['Case', 'Figure', 'Published', 'Tolerance', 'Today', 'Why it is not counted'];
  return [`## Checks of the bookkeeping`, table(head, rows)].join('\n\n');
}

/** Everything that does not agree, with its reason. */
function rest(results: readonly CaseResult[]): string {
  const rows = results.flatMap(({ case: { id }, figures }) =>
    figures
      .filter((f) => f.verdict !== 'agrees' && f.uninformative === undefined)
      .map((f) => [
        id,
        f.figure.what,
        number(f.published),
        number(f.ours.mean),
        verdictOf(f),
        f.figure.reason ?? '',
      ]),
  );
  return [
    '## What does not agree',
    table(['Case', 'Figure', 'Published', 'Today', 'Verdict', 'Reason'], rows),
  ].join('\n\n');
}

function verdictOf({ verdict, figure, uninformative }: FigureResult): string {
  if (uninformative !== undefined) return `${verdict} (not counted)`;
  return figure.unclaimed ? `${verdict} (not claimed)` : verdict;
}

/** What was measured first, and when. */
const firstText = ({ first }: FigureResult): string =>
  first ? `${number(first.value)} (${first.date})` : 'today';

const FIGURE_COLUMNS = [
  'Figure',
  'Published',
  'Tolerance',
  'First look',
  'Today',
  'Effect, deviation',
  'Verdict',
];

function section(result: CaseResult): string {
  const { case: which, figures } = result;
  const rows = figures.map((f) => [
    f.figure.what,
    number(f.published),
    toleranceText(f.figure.tolerance, f.bounds),
    firstText(f),
    oursText(f),
    deviation(f),
    verdictOf(f),
  ]);
  const parts = [
    `## ${which.id}: ${which.title}`,
    which.scenario,
    `Assumed: ${which.assumed.join('; ')}.`,
    ...(which.written ? [`Written down on ${which.written}, before its first run.`] : []),
    table(FIGURE_COLUMNS, rows),
  ];
  if (which.revised) parts.push(`Revised after a first measurement: ${which.revised}.`);
  if (which.explain) parts.push(ledgerText(which, result.arms));
  return parts.join('\n\n');
}

function oursText({ ours }: FigureResult): string {
  const half = ours.halfWidth;
  const interval = half === undefined ? '' : ` ± ${number(half, 2)}`;
  return `${number(ours.mean)}${interval} (n = ${ours.n})`;
}

function deviation({ figure, published, ours }: FigureResult): string {
  const effect = published - figure.neutral;
  const percent = (100 * (ours.mean - published)) / Math.abs(effect);
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(0)} %`;
}

function toleranceText(tolerance: Tolerance, [low, high]: readonly [number, number]): string {
  const range = `${number(low)} to ${number(high)}`;
  switch (tolerance.kind) {
    case 'uniform':
      return `${range} (uniform)`;
    case 'relative':
      return `${range} (±${Math.round(100 * tolerance.by)} %)`;
    case 'effect':
      return `${range} (±${Math.round(100 * tolerance.by)} % of the effect)`;
    case 'factor':
      return `${range} (a factor of ${tolerance.by})`;
    case 'absolute':
    case 'range':
      return range;
  }
}

/** The leaves of the ledger that differ most between two arms. */
function ledgerText({ explain }: Case, arms: ReadonlyMap<string, RunResult>): string {
  const { arms: names, per, unit } = explain!;
  const [from, to] = names.map((name) => {
    const result = arms.get(name);
    if (!result) throw new Error(`no arm ${name}`);
    return perUnit(result, metric(result, per));
  });
  const differences = [...new Set([...from!.keys(), ...to!.keys()])]
    .map((leaf) => ({ leaf, by: (to!.get(leaf) ?? 0) - (from!.get(leaf) ?? 0) }))
    .sort((a, b) => Math.abs(b.by) - Math.abs(a.by))
    .slice(0, 5);
  const total = (leaves: ReadonlyMap<string, number>) =>
    [...leaves.values()].reduce((sum, cycles) => sum + cycles, 0);
  const list = differences
    .map(({ leaf, by }) => `\`${leaf}\` ${by < 0 ? '−' : '+'}${number(Math.abs(by))}`)
    .join(', ');
  return `Ledger, cycles per ${unit}: *${names[0]}* ${number(total(from!))}, *${names[1]}* ${number(total(to!))}; largest differences ${list}.`;
}

/** Cycles of the first VM by leaf and detail, for each unit of work. */
function perUnit(result: RunResult, units: number): Map<string, number> {
  const leaves = new Map<string, number>();
  const { vm } = result.vms[0]!;
  for (const row of result.ledger) {
    if (row.vm !== vm) continue;
    const leaf = row.detail === '' ? row.leaf : `${row.leaf} ${row.detail}`;
    leaves.set(leaf, (leaves.get(leaf) ?? 0) + row.cycles / units);
  }
  return leaves;
}

/** The prices that matter most, of those that are assumed. */
export function sensitivityText(results: readonly SubjectResult[], image: string): string {
  const rows = results.flatMap(({ subject, base, prices }) =>
    prices
      .slice(0, 5)
      .map(({ price, value, low, high }) => [
        subject.id,
        subject.title,
        `\`${price}\` (${value})`,
        number(low),
        number(base),
        number(high),
      ]),
  );
  const varied = results.map(({ subject, varied }) => `${subject.id}: ${varied}`).join(', ');
  return [
    '## Which assumption matters',
    `Prices that no source gives are marked \`assumed\` in the presets. Each that a case does not set from its own source was halved and raised by half, rounded to whole cycles, one at a time (${varied} prices); the chart shows those that move the result most, the table the first five of each.`,
    `![Tornado chart: how far three results move when an assumed price is halved or raised by half](${image})`,
    table(['Case', 'Result', 'Price', '−50 %', 'as assumed', '+50 %'], rows),
  ].join('\n\n');
}

function sources(results: readonly CaseResult[]): string {
  const cited = new Map<string, { systems: Set<string>; ids: Set<string>; trust: Set<string> }>();
  for (const { case: which, figures } of results) {
    for (const { row } of figures) {
      const source = `${row.source} ${row.year}`;
      const entry = cited.get(source) ?? { systems: new Set(), ids: new Set(), trust: new Set() };
      entry.systems.add(row.system);
      entry.ids.add(which.id);
      entry.trust.add(row.confidence);
      cited.set(source, entry);
    }
  }
  const rows = [...cited].map(([source, { systems, ids, trust }]) => [
    source,
    [...systems].join('; '),
    [...ids].join(', '),
    [...trust].join(', '),
  ]);
  return ['## Sources', table(['Source', 'System', 'Cases', 'How it was taken'], rows)].join(
    '\n\n',
  );
}

const anchor = (id: string, title: string): string =>
  `${id} ${title}`
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');

import { showBytes } from '../../base/units.ts';
import type { RunFiles } from '../../files/results.ts';
import { type Move, movesOf, outcomeWords } from '../moves.ts';
import { counted, plain } from '../quantities.ts';
import { moveSentence } from '../summary-moving.ts';
import { grouped, percent } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import type { Table } from './page.ts';
import { number } from './run-ledger.ts';
import { ms, timeAxis, windowStart } from './run-time.ts';
import { moveColours as colours, page } from './style.ts';

/**
 * What live migrations did, round by round: from migration.csv, and timeseries.csv for the guest.
 */

/** Figures of their own have this many; the tables have all. */
const MOST = 4;
/** Rounds that a table shows at once; more are folded. */
const MANY = 24;

/** Said where there are few; a table has the rest. */
export function moveTexts({ migrations }: RunFiles, mhz: number): string[] {
  return movesOf(migrations)
    .slice(0, MOST)
    .map((move) => moveSentence(move, mhz));
}

export function moveDrawings(
  files: RunFiles,
  warmup: number,
  mhz: number,
): (Drawing | undefined)[] {
  const moves = movesOf(files.migrations);
  if (moves.length === 0) return [];
  return [
    roundsOverTime(moves, mhz),
    ...moves
      .slice(0, MOST)
      .flatMap((move, i) => [pagesByRound(move, i), progress(files, move, i, warmup, mhz)]),
  ];
}

const nameOf = ({ whole: { vm, from, to } }: Move) => `${vm}: ${from} to ${to}`;

/** Names that tell all migrations apart. */
function lineNames(moves: readonly Move[]): string[] {
  return moves.map((move, i) => {
    const again = moves.slice(0, i).filter((one) => nameOf(one) === nameOf(move)).length;
    return again === 0 ? nameOf(move) : `${nameOf(move)} (${again + 1})`;
  });
}

const kinds = {
  copying: 'pages are copied while it runs',
  held: 'and it is held for a part of the time',
  stopped: 'it stands still',
} as const;
type What = keyof typeof kinds;

function roundsOverTime(moves: readonly Move[], mhz: number): Drawing {
  const perMs = mhz * 1000;
  const names = lineNames(moves);
  const bars = moves.flatMap(({ rounds, whole }, i) => [
    // What is not a round: the time until the first one, and pages on demand.
    bar(names[i]!, whole.cycle, whole.cycles, 'copying', 'under way'),
    ...rounds.map((row) => {
      const what: What = row.downtimeCycles > 0 ? 'stopped' : row.stunned > 0 ? 'held' : 'copying';
      const words = `round ${row.round}: ${counted(row.pages, 'pages')}`;
      return bar(names[i]!, row.cycle, row.cycles, what, words);
    }),
  ]);
  function bar(line: string, start: number, cycles: number, what: What, words: string) {
    return { line, from: start / perMs, to: (start + cycles) / perMs, what, words };
  }
  const used = (Object.keys(kinds) as What[]).filter((what) => bars.some((b) => b.what === what));
  const longest = moves.toSorted((a, b) => b.whole.downtimeCycles - a.whole.downtimeCycles)[0]!;
  return {
    id: 'migrations',
    title: 'Rounds of live migration',
    description:
      'When each VM was on its way, round by round; the last round of a pre-copy goes while ' +
      `the VM stands still. Longest standstill: ${longest.whole.vm}, ` +
      `${plain(longest.whole.downtimeCycles / perMs)} ms.`,
    wide: true,
    cross: true,
    legend: used.map((what) => ({ label: kinds[what], colour: colours[what] })),
    options: {
      height: 66 + names.length * 28,
      marginTop: 10,
      marginLeft: marginFor(names),
      marginRight: 24,
      x: { ...timeAxis, domain: [0, Math.max(...bars.map(({ to }) => to))] },
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(bars, {
        ...{ x1: 'from', x2: 'to', y: 'line', stroke: page, strokeWidth: 1 },
        fill: ({ what }: { what: What }) => colours[what],
        title: ({ line, words, from, to }: (typeof bars)[number]) =>
          `${line}, ${words}, ${plain(from)} to ${plain(to)} ms`,
      }),
    ],
  };
}

function pagesByRound({ whole, rounds }: Move, i: number): Drawing | undefined {
  if (rounds.length < 2) return undefined;
  const points = rounds.flatMap(({ round, pages, dirtiedPages }) => [
    { round: round!, pages, kind: 'sent' as const },
    ...(dirtiedPages === undefined
      ? []
      : [{ round: round!, pages: dirtiedPages, kind: 'dirtied' as const }]),
  ]);
  const sent = points.filter(({ kind }) => kind === 'sent');
  const dirtied = points.filter(({ kind }) => kind === 'dirtied');
  return {
    id: `pages-${i}`,
    title: `Pages by round: ${whole.vm}`,
    description:
      'Pages of 4 KiB sent in each round (bars), and pages stored to during it (strokes), ' +
      'which the next one has to send again.',
    legend: [
      { label: 'sent', colour: colours.copying },
      { label: 'stored to meanwhile', colour: colours.dirtied, dash: '' },
    ],
    options: {
      height: 250,
      marginTop: 24,
      marginLeft: 64,
      marginRight: 24,
      x: {
        type: 'band',
        domain: rounds.map(({ round }) => round!),
        label: 'round',
        labelAnchor: 'center',
        labelArrow: 'none',
        ...(rounds.length > 15 && {
          ticks: rounds.map(({ round }) => round!).filter((n) => n % 5 === 0),
        }),
      },
      y: { label: 'pages', labelArrow: 'none', grid: true, ticks: 5 },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barY(sent, {
        ...{ x: 'round', y: 'pages', fill: colours.copying },
        title: (point: (typeof points)[number]) =>
          `round ${point.round}: ${grouped(point.pages)} pages sent`,
      }),
      plot.tickY(dirtied, {
        ...{ x: 'round', y: 'pages', stroke: colours.dirtied, strokeWidth: 3 },
        title: (point: (typeof points)[number]) =>
          `round ${point.round}: ${grouped(point.pages)} pages stored to`,
      }),
      plot.ruleY([0]),
    ],
  };
}

/** Instructions of a VM in each interval of the time series, in ms and millions in a ms. */
function speeds({ timeseries }: RunFiles, vm: string) {
  const rows = timeseries.filter((row) => row['id'] === vm && row['metric'] === 'instructions');
  return rows.map((row, i) => {
    const from = i > 0 ? ms(number(rows[i - 1]!, 'time_ns')) : 0;
    const to = ms(number(row, 'time_ns'));
    return { from, to, speed: number(row, 'value') / 1e6 / (to - from || 1) };
  });
}

function progress(
  files: RunFiles,
  { whole }: Move,
  i: number,
  warmup: number,
  mhz: number,
): Drawing | undefined {
  const all = speeds(files, whole.vm);
  if (all.length < 4) return undefined;
  const [from, to] = [whole.cycle, whole.cycle + whole.cycles].map((cycles) => cycles / mhz / 1000);
  return {
    id: `progress-${i}`,
    title: `What the guest got done: ${whole.vm}`,
    description:
      'Instructions of the guest, in millions a ms, interval by interval; shaded: while it was ' +
      'on its way. A server executes as much as its clients ask for, so look at the gap and at ' +
      'what follows it.',
    cross: true,
    options: {
      height: 250,
      marginTop: 34,
      marginLeft: 64,
      marginRight: 24,
      x: timeAxis,
      y: { label: 'million a ms', labelArrow: 'none', grid: true, ticks: 5 },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.rect([0], { x1: from!, x2: to!, fill: colours.copying, fillOpacity: 0.25 }),
      plot.rectY(all, {
        ...{ x1: 'from', x2: 'to', y: 'speed', fill: colours.guest, inset: 0.2 },
        title: (one: (typeof all)[number]) =>
          `${plain(one.speed)} million a ms, ${plain(one.from)} to ${plain(one.to)} ms`,
      }),
      plot.ruleY([0]),
      ...windowStart(warmup)(plot),
    ],
  };
}

export function moveTables(files: RunFiles, mhz: number): Table[] {
  const moves = movesOf(files.migrations);
  if (moves.length === 0) return [];
  const time = (cycles: number) => plain(cycles / mhz / 1000);
  const rows = moves.map(({ rounds, whole }) => {
    const [before, during, after] = speedsAround(files, whole.vm, [
      whole.cycle / mhz / 1000,
      (whole.cycle + whole.cycles) / mhz / 1000,
    ]);
    return [
      ...[whole.vm, whole.from, whole.to, whole.policy, outcomeWords(whole), whole.why ?? ''],
      ...[grouped(rounds.length), grouped(whole.pages), showBytes(whole.bytes)],
      ...[time(whole.cycles), time(whole.downtimeCycles), percent(whole.stunned)],
      ...[grouped(whole.remoteFaults), time(whole.remoteWaitCycles)],
      ...[before, during, after].map((speed) => (speed === undefined ? '' : plain(speed))),
    ];
  });
  const head = [
    ...['VM', 'from', 'to', 'policy', 'outcome', 'why'],
    ...['rounds', 'pages sent', 'sent', 'total, ms', 'stood still, ms', 'held at most, %'],
    ...['pages on demand', 'waited for them, ms'],
    ...['million instructions a ms before', 'during', 'after'],
  ];
  const kept = head.map((_, column) => rows.some((row) => !['', '0'].includes(row[column]!)));
  const rounds = moves.flatMap(({ rounds: all }) =>
    all.map((row) => [
      `${row.vm} ${row.round}`,
      ...[time(row.cycle), time(row.cycles), grouped(row.pages), grouped(row.emptyPages)],
      ...[grouped(row.skippedPages)],
      row.dirtiedPages === undefined ? '' : grouped(row.dirtiedPages),
      ...[showBytes(row.bytes), percent(row.stunned), time(row.downtimeCycles)],
    ]),
  );
  return [
    {
      caption: 'Migrations, as a whole',
      head: head.filter((_, column) => kept[column]),
      rows: rows.map((row) => row.filter((_, column) => kept[column])),
    },
    {
      caption: 'Migrations, round by round',
      folded: rounds.length > MANY,
      head: [
        ...['VM and round', 'at, ms', 'took, ms', 'pages sent', 'of them empty', 'passed over'],
        ...['stored to meanwhile', 'sent', 'held, %', 'stood still, ms'],
      ],
      rows: rounds,
    },
  ];
}

/** Before, during and after, as far as whole intervals lie there; the first is warm-up. */
function speedsAround(files: RunFiles, vm: string, [from, to]: [number, number]) {
  const all = speeds(files, vm).slice(1);
  const mean = (some: typeof all) => {
    const time = some.reduce((sum, one) => sum + one.to - one.from, 0);
    return time > 0
      ? some.reduce((sum, one) => sum + one.speed * (one.to - one.from), 0) / time
      : undefined;
  };
  return [
    mean(all.filter((one) => one.to <= from)),
    mean(all.filter((one) => one.from >= from && one.to <= to)),
    mean(all.filter((one) => one.from >= to)),
  ];
}

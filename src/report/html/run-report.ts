import { parse } from 'yaml';
import { duration, showCycles } from '../../base/units.ts';
import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { counted, plain } from '../quantities.ts';
import { samplingText } from '../sampled.ts';
import { groupBy, grouped } from '../table.ts';
import type { Drawing, Pencil } from './charts.ts';
import { coreName } from './cores.ts';
import { inputsSection } from './inputs.ts';
import type { Page, Section, Table } from './page.ts';
import { answerOf } from './run-answer.ts';
import { exitsByReason, exitTables } from './run-exits.ts';
import {
  hasRequests,
  latencies,
  latencyDistribution,
  requestsSeen,
  unserved,
} from './run-latency.ts';
import { ledgerOfVms, ledgerTables, number } from './run-ledger.ts';
import { moveDrawings, moveTables, moveTexts } from './run-moves.ts';
import { pairTables } from './run-pair-table.ts';
import { type Moving, pairDrawings, pairsOf, pairTexts } from './run-pairs.ts';
import { runningOverTime, tlbOverTime } from './run-time.ts';
import { coreTimeline } from './run-trace.ts';
import { causesOfWalks, causesOverTime } from './run-walks.ts';

interface Resolved extends Moving {
  readonly description?: string;
  readonly warmup?: string;
  readonly host?: { readonly processor?: string };
  readonly hosts?: Readonly<Record<string, { readonly processor?: string }>>;
  readonly hypervisor?: {
    readonly profile?: string;
    readonly mmu?: { readonly kind?: string };
    readonly scheduler?: { readonly kind?: string; readonly timeslice?: string };
  };
}

/** The report of one run. */
export function runReport(files: RunFiles, pencil: Pencil): Page {
  const { manifest, vms } = files;
  const scenario = parse(files.resolved) as Resolved;
  const mhz = clockOf(files);
  const warmup = scenario.duration === 'work' ? 0 : milliseconds(scenario.warmup);
  const draw = (...drawings: readonly (Drawing | undefined)[]) =>
    drawings.flatMap((drawing) => (drawing ? [pencil.draw(drawing)] : []));
  const pairs = pairsOf(files, scenario, mhz);
  const sections: Section[] = [
    {
      id: 'ledger',
      title: 'Where the cycles went',
      figures: draw(ledgerOfVms(files)),
      tables: ledgerTables(files),
    },
    {
      id: 'vms',
      title: 'What each VM got done',
      text: (manifest.notes ?? []).map((note) => `Note: ${note}.`),
      tables: [vmTable(vms, mhz)],
    },
    {
      id: 'time',
      title: 'What ran when',
      figures: draw(coreTimeline(files, mhz) ?? runningOverTime(files, warmup, mhz)),
    },
    {
      id: 'translations',
      title: 'Translations',
      figures: draw(
        causesOfWalks(files),
        causesOverTime(files, warmup),
        tlbOverTime(files, warmup),
      ),
    },
    {
      id: 'exits',
      title: 'Exits',
      figures: draw(exitsByReason(files)),
      tables: exitTables(files),
    },
    {
      id: 'fault-tolerance',
      title: 'Fault tolerance',
      text: pairTexts(pairs),
      figures: draw(...pairDrawings(files, pairs, mhz)),
      tables: pairTables(pairs, mhz),
    },
    {
      id: 'migration',
      title: 'Live migration',
      text: moveTexts(files, mhz),
      figures: draw(...moveDrawings(files, warmup, mhz)),
      tables: moveTables(files, mhz),
    },
    {
      id: 'latency',
      title: 'Latency',
      text: unserved(vms),
      figures: draw(latencies(files), latencyDistribution(files)),
    },
  ];
  return {
    title: `${manifest.scenario}: one run`,
    answer: answerOf(files, scenario.hypervisor?.mmu?.kind !== 'native'),
    lead: [
      whatRan(files, scenario, mhz),
      ...(manifest.sampling ? [`Sampled: ${samplingText(manifest.sampling)}.`] : []),
      ...(scenario.description ? [scenario.description.trim()] : []),
    ],
    sections: [
      ...sections.filter(
        ({ id, text, figures, tables }) =>
          (figures?.length ?? 0) + (tables?.length ?? 0) > 0 ||
          (id === 'latency' && text!.length > 0),
      ),
      inputsSection(manifest, files.resolved),
    ],
  };
}

/** The inputs that matter most, in a line. */
function whatRan({ manifest, vms, ledger, metrics }: RunFiles, scenario: Resolved, mhz: number) {
  const pcpus = new Set(ledger.map((row) => coreName(row['host'], row['id']!))).size;
  const window = metrics.find(
    (row) => row['scope'] === 'host' && row['metric'] === 'elapsed_cycles',
  );
  const { profile, mmu, scheduler } = scenario.hypervisor ?? {};
  const native = mmu?.kind === 'native';
  return [
    `${counted(vms.length, 'VMs')} on ${counted(pcpus, 'pCPUs')} of ${processorsOf(scenario)}`,
    native
      ? 'native, without a hypervisor'
      : `${profile ?? 'a hypervisor without a profile'}, ${mmu?.kind ?? 'unnamed'} paging`,
    ...(scheduler?.kind ? [`scheduler ${scheduler.kind}`] : []),
    `${showCycles(Number(window?.['value'] ?? 0), mhz)} measured` +
      (scenario.warmup && scenario.duration !== 'work'
        ? ` after ${scenario.warmup} of warm-up`
        : ''),
    `seed ${manifest.seed}`,
    `worldswitch ${manifest.version}.`,
  ].join(', ');
}

/** `opteron-1354`, or of several hosts `opteron-1354 (a, b) and opteron-2356 (c)`. */
function processorsOf({ host, hosts = {} }: Resolved): string {
  const named = [...groupBy(Object.entries(hosts), ([, { processor }]) => processor ?? '')];
  if (named.length === 0) return host?.processor ?? 'an unnamed processor';
  return named
    .map(([processor, of]) => `${processor} (${of.map(([name]) => name).join(', ')})`)
    .join(' and ');
}

/** Cycles per microsecond: the timeline has both. */
function clockOf({ timeseries, resolved }: RunFiles): number {
  const last = timeseries.at(-1);
  if (last && number(last, 'time_ns') > 0) {
    return Math.round((1e3 * number(last, 'cycle') * 1e3) / number(last, 'time_ns')) / 1e3;
  }
  const { host, hosts = {} } = parse(resolved) as Clocked;
  const clock = (host ?? Object.values(hosts)[0])?.cpu?.clock ?? '';
  const [, value, unit] = /^([\d.]+)\s*([GM])Hz$/.exec(clock) ?? [];
  return Number(value ?? 1) * (unit === 'G' ? 1000 : 1);
}

interface Clocked {
  readonly host?: { readonly cpu?: { readonly clock?: string } };
  readonly hosts?: Readonly<Record<string, { readonly cpu?: { readonly clock?: string } }>>;
}

/** `20ms` -> 20. */
function milliseconds(text: string | undefined): number {
  const picoseconds = duration().safeParse(text);
  return picoseconds.success ? Number(picoseconds.data) / 1e9 : 0;
}

const columns: readonly (readonly [string, (row: Row, mhz: number) => string])[] = [
  ['VM', (row) => row['vm']!],
  ['work done', (row) => counted(number(row, 'work'), row['work_unit']!)],
  ['million instructions', (row) => plain(number(row, 'instructions') / 1e6)],
  ['ran, % of the time', (row) => percentOf(row, 'running_cycles')],
  ['waited for a pCPU, % of the time', (row) => percentOf(row, 'ready_cycles')],
  ['page walks', (row) => grouped(number(row, 'walks'))],
  ['exits', (row) => grouped(number(row, 'exits'))],
  ['requests', (row) => (hasRequests(row) ? grouped(requestsSeen(row)) : '')],
  ['p50, ms', (row) => latency(row, 'latency_p50_ns')],
  ['p95, ms', (row) => latency(row, 'latency_p95_ns')],
  ['p99, ms', (row) => latency(row, 'latency_p99_ns')],
  ['time taken, × alone and native', (row) => ratio(row, 'slowdown')],
  ['cycles taken, × alone and native', (row) => ratio(row, 'overhead')],
];

function percentOf(row: Row, column: string): string {
  return ((100 * number(row, column)) / (number(row, 'elapsed_cycles') || 1)).toFixed(1);
}
/** Blank where there were too few requests for this percentile. */
const latency = (row: Row, column: string) => (row[column] ? plain(number(row, column) / 1e6) : '');
const ratio = (row: Row, column: string) => (row[column] ? number(row, column).toFixed(3) : '');

function vmTable(vms: readonly Row[], mhz: number): Table {
  const all = vms.map((row) => columns.map(([, cell]) => cell(row, mhz)));
  const kept = columns.map((_, i) => all.some((row) => row[i] !== ''));
  return {
    caption: 'In the measured window',
    ...(vms.length > 40 && { folded: true }),
    head: columns.map(([name]) => name).filter((_, i) => kept[i]),
    rows: all.map((row) => row.filter((_, i) => kept[i])),
  };
}

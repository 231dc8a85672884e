import { parse } from 'yaml';
import { duration, showCycles } from '../../base/units.ts';
import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { counted, plain } from '../quantities.ts';
import { grouped } from '../table.ts';
import type { Drawing, Pencil } from './charts.ts';
import { inputsSection } from './inputs.ts';
import type { Page, Section, Table } from './page.ts';
import {
  hasRequests,
  latencies,
  latencyDistribution,
  requestsSeen,
  unserved,
} from './run-latency.ts';
import { causesOfWalks, exitsByReason, ledgerOfCores, ledgerOfVms, number } from './run-ledger.ts';
import { causesOverTime, runningOverTime, tlbOverTime } from './run-time.ts';
import { coreTimeline } from './run-trace.ts';

/** The report of one run. */
export async function runReport(files: RunFiles, pencil: Pencil): Promise<Page> {
  const { manifest, vms } = files;
  const scenario = parse(files.resolved) as {
    readonly description?: string;
    readonly duration?: string;
    readonly warmup?: string;
    readonly host?: { readonly processor?: string; readonly cpu?: { readonly clock?: string } };
  };
  const mhz = clockOf(files);
  const warmup = scenario.duration === 'work' ? 0 : milliseconds(scenario.warmup);
  const draw = (...drawings: readonly (Drawing | undefined)[]) =>
    drawings.flatMap((drawing) => (drawing ? [pencil.draw(drawing)] : []));
  const pcpus = new Set(files.ledger.map((row) => row['id'])).size;
  const window = files.metrics.find(
    (row) => row['scope'] === 'host' && row['metric'] === 'elapsed_cycles',
  );
  const sections: Section[] = [
    {
      id: 'vms',
      title: 'VMs',
      text: (manifest.notes ?? []).map((note) => `Note: ${note}.`),
      tables: [vmTable(vms, mhz)],
    },
    {
      id: 'ledger',
      title: 'Where the cycles went',
      figures: draw(ledgerOfVms(files), ledgerOfCores(files)),
    },
    {
      id: 'time',
      title: 'What ran when',
      text: files.slices ? [] : ['A run with --trace csv also shows here what ran on each core.'],
      figures: draw(await coreTimeline(files, warmup, mhz), runningOverTime(files, warmup, mhz)),
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
      tables: exitTable(files.exits),
    },
    {
      id: 'latency',
      title: 'Latency',
      text: unserved(vms),
      figures: draw(latencyDistribution(files), latencies(files)),
    },
  ];
  return {
    title: `${manifest.scenario}: one run`,
    lead: [
      ...(scenario.description ? [scenario.description.trim()] : []),
      `${vms.length} VM${vms.length === 1 ? '' : 's'} on ${pcpus} pCPU${pcpus === 1 ? '' : 's'} of ${scenario.host?.processor ?? 'an unnamed processor'}, ${showCycles(Number(window?.['value'] ?? 0), mhz)} measured, seed ${manifest.seed}, worldswitch ${manifest.version}.`,
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

/** Cycles per microsecond: the timeline has both. */
function clockOf({ timeseries, resolved }: RunFiles): number {
  const last = timeseries.at(-1);
  if (last && number(last, 'time_ns') > 0) {
    return Math.round((1e3 * number(last, 'cycle') * 1e3) / number(last, 'time_ns')) / 1e3;
  }
  const clock = (parse(resolved) as { host?: { cpu?: { clock?: string } } }).host?.cpu?.clock ?? '';
  const [, value, unit] = /^([\d.]+)\s*([GM])Hz$/.exec(clock) ?? [];
  return Number(value ?? 1) * (unit === 'G' ? 1000 : 1);
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
  ['ran %', (row) => percentOf(row, 'running_cycles')],
  ['ready %', (row) => percentOf(row, 'ready_cycles')],
  ['walks', (row) => grouped(number(row, 'walks'))],
  ['exits', (row) => grouped(number(row, 'exits'))],
  ['p50 ms', (row) => latency(row, 'latency_p50_ns')],
  ['p95 ms', (row) => latency(row, 'latency_p95_ns')],
  ['p99 ms', (row) => latency(row, 'latency_p99_ns')],
  ['n', (row) => (hasRequests(row) ? grouped(requestsSeen(row)) : '')],
  ['slowdown', (row) => ratio(row, 'slowdown')],
  ['overhead', (row) => ratio(row, 'overhead')],
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
    caption: 'What each VM got done in the measured window',
    head: columns.map(([name]) => name).filter((_, i) => kept[i]),
    rows: all.map((row) => row.filter((_, i) => kept[i])),
  };
}

function exitTable(exits: readonly Row[]): Table[] {
  if (exits.length === 0) return [];
  return [
    {
      caption: `Exits by VM and reason (${exits.length} rows)`,
      head: ['VM', 'reason', 'exits', 'transition cycles', 'handler cycles'],
      rows: exits.map((row) => [
        row['vm']!,
        row['reason']!,
        ...['count', 'transition_cycles', 'handler_cycles'].map((column) =>
          grouped(number(row, column)),
        ),
      ]),
      folded: true,
    },
  ];
}

import { groupBy } from '../base/collections.ts';
import { rounded } from '../base/rounded.ts';
import { firstOf, secondCopy } from '../stats/copies.ts';
import type { MetricName } from '../stats/metrics.ts';
import type { RunResult, VmRow } from '../stats/result.ts';
import { waitedShare } from './answer.ts';
import { countedRange } from './quantities.ts';
import { type Column, grouped, percent, range, short, textTable, widthOf } from './table.ts';

/** The tables of a summary that have a line for each VM, or for the VMs of a group. */
export interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly string[];
  readonly below?: readonly string[];
}

/** VMs that are shown in one line. */
export interface Line {
  readonly name: string;
  readonly vms: readonly VmRow[];
}

/** With this many VMs or more, those of one group share a line. */
const FOLD = 7;

export function linesOf(vms: readonly VmRow[]): Line[] {
  if (vms.length < FOLD) return vms.map((vm) => ({ name: vm.vm, vms: [vm] }));
  return [...groupBy(vms, ({ group }) => group).values()].map((members) => {
    const [first, last] = [members[0]!, members.at(-1)!];
    // `db-0..3`, and of their second copies `db-0..3/secondary`.
    const [from, to] = [first, last].map(({ vm }) => firstOf(vm) ?? vm);
    const all = `${from}..${to!.split('-').at(-1)}`;
    const name = firstOf(first.vm) === undefined ? all : secondCopy(all);
    return { name: members.length > 1 ? name : first.vm, vms: members };
  });
}

export const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, n) => total + n, 0);

export function values(vms: readonly VmRow[], metric: MetricName): number[] {
  return vms.flatMap(({ metrics }) => metrics[metric] ?? []);
}

/** Where the cycles of a VM went, by leaves of the ledger. */
const places: readonly {
  readonly head: string;
  readonly leaves: readonly string[];
  readonly rare?: true;
}[] = [
  { head: 'own', leaves: ['guest.user', 'guest.kernel'] },
  { head: 'TLB', leaves: ['tlb.l2hit'] },
  { head: 'walks', leaves: ['walk.guest', 'walk.nested'] },
  { head: 'memory', leaves: ['data.stall'] },
  { head: 'exits', leaves: ['exit.transition', 'exit.handler'] },
  { head: 'switch', leaves: ['switch'] },
  { head: 'shootdown', leaves: ['shootdown'], rare: true },
  { head: 'host', leaves: ['host'] },
  { head: 'log', leaves: ['ft'], rare: true },
];
const allLeaves = places.flatMap(({ leaves }) => leaves);

/** The table is at most this wide, so that two blanks fit before it. */
export const WIDTH = 98;
const SHORTEST_NAME = 6;

export function vmTable(lines: readonly Line[]): Section {
  const charged = (vms: readonly VmRow[], leaves: readonly string[]) =>
    sum(vms.flatMap(({ ledger }) => leaves.map((leaf) => ledger[leaf] ?? 0)));
  const all = lines.flatMap(({ vms }) => vms);
  const shown = places.filter(({ leaves, rare }) => !rare || charged(all, leaves) > 0);
  const time = '% of the time';
  const columns: Column[] = [
    { head: '', left: true },
    { head: 'work', left: true },
    { above: time, head: 'ran' },
    { above: time, head: 'waited' },
    ...shown.map(({ head }) => ({ above: '% of its cycles on a pCPU', head })),
  ];
  const rows = lines.map(({ name, vms }) => {
    const total = charged(vms, allLeaves);
    const timeOf = (share: (vm: VmRow) => number) =>
      range(vms.map(share), (one) => (one * 100).toFixed(vms.length > 1 ? 0 : 1));
    return [
      name,
      countedRange(values(vms, 'work'), vms[0]!.unit),
      timeOf(({ metrics }) => (metrics.running_cycles ?? 0) / (metrics.elapsed_cycles || 1)),
      timeOf(({ metrics }) => waitedShare(metrics)),
      ...shown.map(({ leaves }) => percent(charged(vms, leaves) / total)),
    ];
  });
  const { head, body } = fitted(columns, rows, lines);
  const below = [
    'waited: ready for a pCPU, or held back by its cap (%RDY in esxtop, steal in Linux guests)',
    'own: its own instructions; walks: page walks; memory: waits for data; host: devices, ' +
      'interrupts',
  ];
  return { title: 'VMs', head, rows: body, below };
}

/** Work in fewer words, then names with fewer letters, until the table is narrow enough. */
function fitted(columns: readonly Column[], rows: readonly string[][], lines: readonly Line[]) {
  const brief = (work: string) => work.replace('million instructions', 'million instr.');
  const briefer = ({ vms }: Line) =>
    `${range(values(vms, 'work'), (work) => short(Number(work.toPrecision(2))))} ` +
    `${brief(vms[0]!.unit)}`;
  const variants = [
    (work: string) => work,
    brief,
    (work: string, i: number) => (work.length > 22 ? briefer(lines[i]!) : work),
  ];
  for (const [i, variant] of variants.entries()) {
    const shorter = rows.map(([name, work, ...rest], row) => [name!, variant(work!, row), ...rest]);
    const longest = Math.max(...rows.map(([name]) => name!.length));
    const table = textTable(columns, shorter, longest);
    const width = widthOf(table);
    if (width <= WIDTH) return table;
    const name = longest - (width - WIDTH);
    const last = i === variants.length - 1;
    if (last || name >= 2 * SHORTEST_NAME) {
      return textTable(columns, shorter, Math.max(SHORTEST_NAME, name));
    }
  }
  return textTable(columns, rows);
}

/** Known when each VM also ran alone and native. */
export function slowdownTable(lines: readonly Line[]): Section | undefined {
  if (!lines.some(({ vms }) => values(vms, 'slowdown').length > 0)) return undefined;
  const ratio = (value: number) => value.toFixed(2);
  const above = 'cycles for its work, times those it takes alone and native';
  const { head, body } = textTable(
    [
      { head: '', left: true },
      { above, head: 'slowdown (waiting included)' },
      { above, head: 'overhead (without waiting)' },
    ],
    lines.map(({ name, vms }) => [
      name,
      range(values(vms, 'slowdown'), ratio),
      range(values(vms, 'overhead'), ratio),
    ]),
  );
  return { title: 'Slowdown', head, rows: body };
}

const LATENCIES = [
  ['mean', 'latency_mean_ns'],
  ['p50', 'latency_p50_ns'],
  ['p95', 'latency_p95_ns'],
  ['p99', 'latency_p99_ns'],
  ['max', 'latency_max_ns'],
] as const;

/** Requests that latencies are made of: served, or not finished at the end of the window. */
const requestsSeen = ({ metrics }: VmRow) =>
  (metrics.requests ?? 0) + (metrics.requests_unfinished ?? 0);

export function requestTable(
  lines: readonly Line[],
  { mhz, windowCycles }: RunResult,
): Section | undefined {
  const serving = lines.filter(({ vms }) => vms.some(({ requests }) => requests !== undefined));
  if (serving.length === 0) return undefined;
  const seconds = windowCycles / mhz / 1e6;
  const all = serving.flatMap(({ vms }) => vms);
  const columns: Column[] = [
    { head: '', left: true },
    { above: 'in queue', head: 'before' },
    { head: 'arrived' },
    { head: 'served' },
    { above: 'served', head: 'per second' },
    ...LATENCIES.map(([head]) => ({ above: 'latency, ms', head })),
    { head: 'n' },
  ];
  const show = LATENCIES.map(([, metric]) => milliseconds(values(all, metric)));
  const rows = serving.map(({ name, vms }) => [
    name,
    range(values(vms, 'requests_queued_before'), grouped),
    range(values(vms, 'requests_arrived'), grouped),
    range(values(vms, 'requests'), grouped),
    range(
      values(vms, 'requests').map((served) => served / seconds),
      grouped,
    ),
    ...LATENCIES.map(([, metric], i) => range(values(vms, metric), show[i]!)),
    range(vms.map(requestsSeen), grouped),
  ]);
  const { head, body } = textTable(columns, rows, nameFor(columns, rows));
  const below = [
    'n: requests served or unfinished, which latencies are of; - where a percentile has too few',
  ];
  return { title: 'Requests', head, rows: body, below };
}

/** Letters of a name that leave room for the other columns. */
function nameFor(columns: readonly Column[], rows: readonly (readonly string[])[]): number {
  const longest = Math.max(...rows.map(([name]) => name!.length));
  const width = widthOf(textTable(columns, rows, longest));
  return Math.max(SHORTEST_NAME, longest - Math.max(0, width - WIDTH));
}

/** As many digits after the point for all, so that points stand below each other. */
function milliseconds(all: readonly number[]): (ns: number) => string {
  const least = Math.min(...all.filter((ns) => ns > 0));
  const digits = Number.isFinite(least) ? 2 - Math.floor(Math.log10(least / 1e6)) : 0;
  const decimals = Math.min(3, Math.max(0, digits));
  return (ns) => rounded(ns / 1e6, decimals);
}

import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { groupBy, percent, short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { coreName } from './cores.ts';
import type { Table } from './page.ts';
import { leaves, onColour, page } from './style.ts';

/** Where cycles went: stacked bars and tables of numbers from the ledger. */

/** From so many VMs on, those of one group share a bar. */
export const FOLD = 25;

export const number = (row: Row, column: string): number => Number(row[column] || 0);

/** VMs that share a bar or a line, by its name. */
export function foldVms(vms: readonly Row[], most = FOLD): Map<string, readonly Row[]> {
  if (vms.length < most) return new Map(vms.map((row) => [row['vm']!, [row]]));
  return new Map(
    [...groupBy(vms, (row) => row['group']!)].map(([group, rows]) => [
      rows.length > 1 ? `${group} (${rows.length} VMs)` : group,
      rows,
    ]),
  );
}

/** A bar, or what a bar is about. */
interface Bar {
  readonly name: string;
  /** Cycles by leaf. */
  readonly cycles: ReadonlyMap<string, number>;
  /** Of the measured time of the vCPUs, or of the pCPU. */
  readonly elapsed: number;
  /** Cycles in which the VMs waited for a pCPU. */
  readonly waited: number;
}

const orderOfLeaf = Object.keys(leaves);
const sum = (rows: readonly Row[], column: string) =>
  rows.reduce((total, row) => total + number(row, column), 0);

function byLeaf(rows: readonly Row[]): Map<string, number> {
  const groups = groupBy(rows, (row) => row['leaf']!);
  return new Map(
    orderOfLeaf.flatMap((leaf) => {
      const cycles = sum(groups.get(leaf) ?? [], 'cycles');
      return cycles > 0 ? [[leaf, cycles]] : [];
    }),
  );
}

/** How long the window is on each host, in its own cycles. */
export const windowsOf = ({ metrics }: Pick<RunFiles, 'metrics'>): ReadonlyMap<string, number> =>
  new Map(
    metrics
      .filter((row) => row['scope'] === 'host' && row['metric'] === 'elapsed_cycles')
      .map((row) => [row['host'] ?? '', number(row, 'value')]),
  );

/**
 * Rows about hosts, with `columns` in as many cycles as take as long on the host that `of` names;
 * by default the first one, for sums over all hosts.
 */
export function rescaled(
  files: Pick<RunFiles, 'metrics'>,
  rows: readonly Row[],
  columns: readonly string[],
  of: (row: Row) => string | undefined = () => undefined,
): readonly Row[] {
  const windows = windowsOf(files);
  const [first = 1] = windows.values();
  return rows.map((row) => {
    const ratio = (windows.get(of(row) ?? '') ?? first) / (windows.get(row['host'] ?? '') ?? first);
    if (ratio === 1) return row;
    const scaled = columns.map((column) => [column, String(number(row, column) * ratio)]);
    return { ...row, ...Object.fromEntries(scaled) };
  });
}

/** For each row about a VM: the host that the VM's own row names; of no VM, the row's. */
export function hostsOfVms({ vms }: Pick<RunFiles, 'vms'>): (row: Row) => string | undefined {
  const hostOf = new Map(vms.map((row) => [row['vm']!, row['host']]));
  return (row) => hostOf.get(row['vm']!) ?? row['host'];
}

/** Rows of the ledger of each VM, in cycles of the host that its own row names. */
export function ledgerByVm(
  files: Pick<RunFiles, 'vms' | 'ledger' | 'metrics'>,
): ReadonlyMap<string, readonly Row[]> {
  const rows = rescaled(files, files.ledger, ['cycles'], hostsOfVms(files));
  return groupBy(rows, (row) => row['vm']!);
}

function barsOfVms(files: RunFiles): Bar[] {
  const { vms } = files;
  const byVm = ledgerByVm(files);
  return [...foldVms(vms)].map(([name, rows]) => ({
    name,
    cycles: byLeaf(rows.flatMap((row) => byVm.get(row['vm']!) ?? [])),
    elapsed: sum(rows, 'elapsed_cycles') || 1,
    waited: sum(rows, 'ready_cycles') + sum(rows, 'parked_cycles'),
  }));
}

const total = ({ cycles }: Bar) => [...cycles.values()].reduce((all, value) => all + value, 0);

interface Part {
  readonly bar: string;
  /** Of the ledger; undefined: the VM waited. */
  readonly leaf: string | undefined;
  readonly from: number;
  readonly to: number;
  readonly title: string;
}

/** Narrower parts have no number on them: per cent of the time. */
const ROOM = 3.4;

export function ledgerOfVms(files: RunFiles): Drawing | undefined {
  const bars = barsOfVms(files);
  if (bars.every((bar) => total(bar) + bar.waited === 0)) return undefined;
  const parts = bars.flatMap(partsOf);
  const used = orderOfLeaf.filter((leaf) => parts.some((part) => part.leaf === leaf));
  const worked = parts.filter(({ leaf }) => leaf !== undefined);
  const waits = parts.some(({ leaf }) => leaf === undefined);
  const folded = bars.length < files.vms.length;
  const ends = bars.map((bar) => ({
    bar: bar.name,
    at: Math.max(0, ...parts.filter((part) => part.bar === bar.name).map(({ to }) => to)),
    text: `ran ${percent(total(bar) / bar.elapsed)} %`,
  }));
  return {
    id: 'ledger-vms',
    title: 'Where the cycles of each VM went',
    description:
      `Per cent of the measured time of each vCPU${folded ? ', VMs of a group together' : ''}: ` +
      'what its pCPU did for it while it ' +
      `ran${waits ? ', and how long it waited for a pCPU' : ''}. The rest of the time it was ` +
      `halted. ${largest(bars)}`,
    wide: true,
    legend: [
      ...used.map((leaf) => ({ label: leaves[leaf]!.words, colour: leaves[leaf]!.colour })),
      ...(waits ? [{ label: 'waited for a pCPU', colour: 'none' }] : []),
    ],
    options: {
      height: 66 + bars.length * 30,
      marginLeft: marginFor(bars.map(({ name }) => name)),
      marginTop: 12,
      marginRight: 96,
      x: {
        labelAnchor: 'center',
        labelArrow: 'none',
        grid: true,
        label: 'per cent of the measured time',
        domain: [0, 100],
      },
      y: { domain: bars.map(({ name }) => name), label: null },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(worked, {
        x1: 'from',
        x2: 'to',
        y: 'bar',
        fill: ({ leaf }: Part) => leaves[leaf!]!.colour,
        stroke: page,
        strokeWidth: 0.5,
        title: 'title',
      }),
      plot.barX(
        parts.filter(({ leaf }) => leaf === undefined),
        {
          x1: 'from',
          x2: 'to',
          y: 'bar',
          fill: page,
          stroke: 'currentColor',
          strokeDasharray: '2 2',
          insetLeft: 1,
          title: 'title',
        },
      ),
      plot.text(
        worked.filter(({ from, to }) => to - from > ROOM),
        {
          x: ({ from, to }: Part) => (from + to) / 2,
          y: 'bar',
          text: ({ from, to }: Part) => (to - from).toFixed(1),
          fill: ({ leaf }: Part) => onColour(leaves[leaf!]!.colour),
          pointerEvents: 'none',
        },
      ),
      plot.text(ends, { x: 'at', y: 'bar', text: 'text', dx: 6, textAnchor: 'start' }),
      plot.ruleX([0]),
    ],
  };
}

function partsOf(bar: Bar): Part[] {
  let to = 0;
  const next = (leaf: string | undefined, cycles: number, what: string): Part => {
    const from = to;
    to = Math.min(100, from + (100 * cycles) / bar.elapsed);
    const title =
      `${bar.name}: ${what}, ${percent(cycles / bar.elapsed)} % of the time, ${short(cycles)} ` +
      'cycles';
    return { bar: bar.name, leaf, from, to, title };
  };
  return [
    ...[...bar.cycles].map(([leaf, cycles]) =>
      next(leaf, cycles, `${leaves[leaf]!.meaning} (${leaf})`),
    ),
    ...(bar.waited > 0 ? [next(undefined, bar.waited, 'waiting for a pCPU')] : []),
  ];
}

/** What costs most of a VM's time besides the work itself. */
function largest(bars: readonly Bar[]): string {
  const [worst] = bars
    .flatMap(({ name, cycles, elapsed }) =>
      [...cycles].map(([leaf, value]) => ({ name, leaf, share: value / elapsed })),
    )
    .filter(({ leaf }) => !/^(guest\.|idle|data\.|tlb\.)/.test(leaf))
    .toSorted((a, b) => b.share - a.share);
  if (!worst) return '';
  const { words } = leaves[worst.leaf]!;
  return (
    `Besides the work itself and waiting for memory, the largest part is ${words} in ` +
    `${worst.name}: ${percent(worst.share)} % of its time.`
  );
}

/** The numbers of the bars. */
export function ledgerTables(files: RunFiles): Table[] {
  const vms = barsOfVms(files);
  const cores = [...groupBy(files.ledger, (row) => coreName(row['host'], row['id']!))].map(
    ([name, rows]) => ({
      name,
      cycles: byLeaf(rows),
      elapsed: sum(rows, 'cycles') || 1,
      waited: 0,
    }),
  );
  return [
    leafTable(vms, 'VM', {
      caption: 'The same in numbers: per cent of the measured time of each vCPU',
      ran: true,
    }),
    leafTable(cores, 'pCPU', {
      caption: 'By core: per cent of the measured time of each pCPU',
      ran: false,
    }),
  ].map((table) => ({ ...table, folded: true }));
}

function leafTable(
  bars: readonly Bar[],
  what: string,
  { caption, ran }: { readonly caption: string; readonly ran: boolean },
): Table {
  const used = orderOfLeaf.filter((leaf) => bars.some(({ cycles }) => cycles.has(leaf)));
  return {
    caption,
    head: [what, ...(ran ? ['ran'] : []), ...used.map((leaf) => leaves[leaf]!.words)],
    rows: bars.map((bar) => [
      bar.name,
      ...(ran ? [percent(total(bar) / bar.elapsed)] : []),
      ...used.map((leaf) => percent((bar.cycles.get(leaf) ?? 0) / bar.elapsed)),
    ]),
  };
}

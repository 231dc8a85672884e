import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { counted } from '../quantities.ts';
import { groupBy, grouped, percent, short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import type { Table } from './page.ts';
import { foldVms, hostsOfVms, ledgerByVm, number, rescaled } from './run-ledger.ts';
import { leaves } from './style.ts';

/** What made the guests exit, and what that took. */

const reasonWords: Readonly<Record<string, string>> = {
  npf: 'nested page fault',
  'page-fault': 'page fault',
  'pte-write': 'page-table write',
  'cr3-write': 'CR3 write',
  invlpg: 'INVLPG',
  hlt: 'halt',
  intr: 'interrupt',
  ioio: 'I/O instruction',
  'apic-access': 'APIC access',
  'dirty-log': 'first store while the dirty log is on',
};
/** Columns of cycles in exits.csv. */
const CYCLES = ['transition_cycles', 'handler_cycles'];

const inWords = (reason: string) => reasonWords[reason] ?? reason;

export function exitsByReason(files: RunFiles): Drawing | undefined {
  const exits = rescaled(files, files.exits, CYCLES);
  const ledger = rescaled(files, files.ledger, ['cycles']);
  const reasons = [...groupBy(exits, (row) => row['reason']!)]
    .map(([reason, rows]) => {
      const total = (column: string) => rows.reduce((sum, row) => sum + number(row, column), 0);
      return {
        reason: inWords(reason),
        count: total('count'),
        transition: total('transition_cycles'),
        handler: total('handler_cycles'),
      };
    })
    .toSorted((a, b) => b.transition + b.handler - a.transition - a.handler);
  if (reasons.length === 0) return undefined;
  const busy = ledger
    .filter((row) => !['idle', 'off'].includes(row['leaf']!))
    .reduce((sum, row) => sum + number(row, 'cycles'), 0);
  const share = (cycles: number) => (100 * cycles) / (busy || 1);
  const parts = reasons.flatMap(({ reason, transition, handler }) => [
    { bar: reason, leaf: 'exit.transition', cycles: transition },
    { bar: reason, leaf: 'exit.handler', cycles: handler },
  ]);
  const first = reasons[0]!;
  const used = ['exit.transition', 'exit.handler'];
  return {
    id: 'exits',
    title: 'Exits by reason',
    description:
      'Cycles of #VMEXITs by reason, in per cent of the busy cycles of all pCPUs: the world ' +
      'switch there and back, and the code that handles the exit. At the end of each bar, how ' +
      `many. Most go to ${first.reason}: ` +
      `${percent(share(first.transition + first.handler) / 100)} % for ` +
      `${counted(first.count, 'exits')}.`,
    legend: used.map((leaf) => ({ label: leaves[leaf]!.words, colour: leaves[leaf]!.colour })),
    options: {
      height: 62 + reasons.length * 28,
      marginLeft: marginFor(reasons.map(({ reason }) => reason)),
      marginTop: 12,
      marginRight: 90,
      x: {
        labelAnchor: 'center',
        labelArrow: 'none',
        grid: true,
        label: 'per cent of the busy cycles',
        ticks: 5,
        tickFormat: short,
      },
      y: { domain: reasons.map(({ reason }) => reason), label: null },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(parts, {
        x: ({ cycles }: { cycles: number }) => share(cycles),
        y: 'bar',
        fill: ({ leaf }: { leaf: string }) => leaves[leaf]!.colour,
        title: ({ bar, leaf, cycles }: (typeof parts)[number]) =>
          `${bar}: ${leaves[leaf]!.words} (${leaf}), ${percent(share(cycles) / 100)} % of ` +
          `the busy cycles, ${short(cycles)} cycles`,
      }),
      plot.text(reasons, {
        x: (row: (typeof reasons)[number]) => share(row.transition + row.handler),
        y: 'reason',
        text: (row: (typeof reasons)[number]) => `${short(row.count)} ×`,
        dx: 6,
        textAnchor: 'start',
      }),
      plot.ruleX([0]),
    ],
  };
}

/** Who exits how often and what that takes, and every reason of every VM. */
export function exitTables(files: RunFiles): Table[] {
  const { vms, exits } = files;
  if (exits.length === 0) return [];
  const cyclesOf = (rows: readonly Row[]) =>
    rows.reduce(
      (sum, row) => sum + number(row, 'transition_cycles') + number(row, 'handler_cycles'),
      0,
    );
  const countOf = (rows: readonly Row[]) =>
    rows.reduce((sum, row) => sum + number(row, 'count'), 0);
  const exitsOf = groupBy(rescaled(files, exits, CYCLES, hostsOfVms(files)), (row) => row['vm']!);
  const ledgerOf = ledgerByVm(files);
  const byVm = [...foldVms(vms)].map(([name, members]) => {
    const own = members.flatMap((row) => exitsOf.get(row['vm']!) ?? []);
    const all = members
      .flatMap((row) => ledgerOf.get(row['vm']!) ?? [])
      .reduce((sum, row) => sum + number(row, 'cycles'), 0);
    const cycles = cyclesOf(own);
    const count = countOf(own);
    const shares = [percent(cycles / (all || 1)), count > 0 ? grouped(cycles / count) : ''];
    return [name, grouped(count), grouped(cycles), ...shares];
  });
  const where = exits[0]!['host'] ? ['on host'] : [];
  const each = exits
    .map((row) => ({ row, cycles: cyclesOf([row]) }))
    .toSorted((a, b) => b.cycles - a.cycles)
    .map(({ row, cycles }) => [
      row['vm']!,
      ...(row['host'] ? [row['host']] : []),
      inWords(row['reason']!),
      row['reason']!,
      grouped(number(row, 'count')),
      grouped(cycles),
      number(row, 'count') > 0 ? grouped(cycles / number(row, 'count')) : '',
    ]);
  return [
    {
      caption: 'Exits of each VM',
      head: ['VM', 'exits', 'cycles', '% of its cycles', 'cycles each'],
      rows: byVm,
      beside: true,
    },
    {
      caption: `Exits by VM and reason, the most expensive first (${counted(each.length, 'rows')})`,
      head: ['VM', ...where, 'reason', 'in exits.csv', 'exits', 'cycles', 'cycles each'],
      rows: each,
      folded: true,
    },
  ];
}

import { leafHelp } from '../report/costs.ts';
import { ENOUGH_UNITS, enoughWork, perUnit } from '../report/quantities.ts';
import {
  type Column,
  cut,
  groupBy,
  grouped,
  type TextTable,
  textTable,
  widthOf,
  wrapped,
} from '../report/table.ts';
import { type causeNames, lineCauseOf } from '../stats/leaves.ts';
import { MILLION_INSTRUCTIONS } from '../stats/metrics.ts';
import type { EvictionRow } from '../stats/result.ts';
import type { Bill, BillLine } from './bill.ts';
import type { Compared, ComparedLine } from './compare.ts';
import type { Twin } from './twins.ts';
import { billVerdict, signed, verdict } from './verdict.ts';

/** The explanations as text for a terminal, at most 100 columns wide. */

export interface TextOptions {
  /** Lines shown of each table; the rest is added up in one line. */
  readonly most: number;
  readonly style: (format: 'bold' | 'dim', text: string) => string;
}

const plain = (value: number): string =>
  Math.abs(value) < 100 ? value.toFixed(1) : grouped(value);
const signedPercent = (share: number): string => {
  const text = (share * 100).toFixed(1);
  return share > 0 && text !== '0.0' ? `+${text}` : text === '-0.0' ? '0.0' : text;
};
const WIDTH = 98;
const left = (head: string): Column => ({ head, left: true });

/** What a line of the ledger is, in a few words; `exit`: the handler and both ways. */
export function help(leaf: string, detail: string): string {
  if (leaf === 'wait') return detail === 'ready' ? 'waiting for a pCPU' : '';
  if (leaf === 'exit') return leafHelp('exit.handler', detail);
  if (leaf === 'guest.user') return 'its own instructions';
  if (leaf === 'guest.kernel') return 'instructions of its kernel';
  if (leaf === 'tlb.l2hit') return 'L1 TLB misses that hit the L2';
  if (leaf === 'data.stall') return stallHelp(detail);
  if (leaf === 'walk.guest') return lossHelp[detail as keyof typeof lossHelp] ?? '';
  return leafHelp(leaf, detail);
}

function stallHelp(detail: string): string {
  if (detail === 'l2') return 'found in the L2';
  if (detail === 'queue') return 'waiting for the channels of memory';
  const level = detail.startsWith('l3-') ? 'in the L3' : 'in memory';
  return `${level}: ${lossHelp[lineCauseOf(detail) as keyof typeof lossHelp]}`;
}

const lossHelp: Readonly<Record<(typeof causeNames)[number], string>> = {
  cold: 'first use on this core',
  capacity: 'evicted by itself',
  interference: 'evicted by neighbours',
  'world-switch': 'flushed at a world switch',
  'asid-exhausted': 'flushed: no ASID left',
  cr3: 'flushed by a CR3 write',
  invlpg: 'flushed by INVLPG',
  shootdown: 'remapped by the hypervisor',
  migration: 'the vCPU moved to this core',
  dirty: 'held, but not for a store',
};

/** A table whose last column takes the room that is left. */
function withNotes(columns: readonly Column[], rows: readonly (readonly string[])[]): TextTable {
  const table = textTable(
    columns.slice(0, -1),
    rows.map((row) => row.slice(0, -1)),
  );
  const width = widthOf(table);
  const body = table.body.map((line, i) => {
    return `${line.padEnd(width)}  ${cut(rows[i]!.at(-1)!, WIDTH - width - 2)}`.trimEnd();
  });
  return { head: table.head, body };
}

/** The first lines, and the rest, which is added up in one. */
function shortened<T>(lines: readonly T[], most: number): [readonly T[], readonly T[]] {
  return lines.length <= most + 1 ? [lines, []] : [lines.slice(0, most), lines.slice(most)];
}

export function comparisonText(
  pairs: readonly Compared[],
  labels: readonly [string, string],
  { most, style }: TextOptions,
): string {
  const [a, b] = labels;
  const head =
    `A  ${a}\nB  ` +
    `${b}\n${style('dim', 'one run each, no interval: `sweep` says what chance does')}\n`;
  return [head, ...pairs.map((pair) => pairText(pair, most, style))].join('\n');
}

function pairText(
  { name, unit, total, lines }: Compared,
  most: number,
  style: TextOptions['style'],
): string {
  const [shown, rest] = shortened(
    lines.filter(({ difference }) => difference !== 0),
    most,
  );
  const cells = (label: string, line: Omit<ComparedLine, 'leaf' | 'detail'>) => [
    label,
    plain(line.a),
    plain(line.b),
    signed(line.difference),
    signedPercent(line.share),
    ...(line.perUnit ? [signed(line.perUnit.b - line.perUnit.a)] : []),
  ];
  const rows = [
    ...shown.map((line) => [
      ...cells(`${line.leaf} ${line.detail}`.trim(), line),
      help(line.leaf, line.detail),
    ]),
    ...(rest.length > 0 ? [[...cells(`${rest.length} smaller lines`, added(rest)), '']] : []),
    [...cells('total', total), ''],
  ];
  const per = 'cycles per 1000 instructions';
  const columns: Column[] = [
    left(''),
    { above: per, head: 'A' },
    { above: per, head: 'B' },
    { above: per, head: 'B - A' },
    { above: "% of A's", head: 'total' },
    ...(total.perUnit ? [{ above: 'B - A', head: headOf(unit) }] : []),
    left(''),
  ];
  const { head, body } = withNotes(columns, rows);
  return [
    ...wrapped(`${name}: ${verdict(total, lines)}`, WIDTH).map((line, i) =>
      i === 0 ? `${style('bold', name)}${line.slice(name.length)}` : `  ${line}`,
    ),
    ...head.map((line) => style('dim', `  ${line}`)),
    ...body.map((line) => `  ${line}`),
    ...(total.perUnit ? [] : [style('dim', `  ${tooFew(unit)}`)]),
    '',
  ].join('\n');
}

/** Unit of a column that says "per". */
const headOf = (unit: string): string =>
  unit === MILLION_INSTRUCTIONS ? 'per million' : perUnit(unit);

/** Said where the column with the cost of a unit is left out. */
const tooFew = (unit: string): string =>
  unit === MILLION_INSTRUCTIONS
    ? ''
    : `no cost ${perUnit(unit)}: it takes ${ENOUGH_UNITS} ${unit}, since only whole ones count`;

function added(lines: readonly ComparedLine[]): Omit<ComparedLine, 'leaf' | 'detail'> {
  const sum = (pick: (line: ComparedLine) => number) =>
    lines.reduce((total, line) => total + pick(line), 0);
  return {
    a: sum(({ a }) => a),
    b: sum(({ b }) => b),
    difference: sum(({ difference }) => difference),
    share: sum(({ share }) => share),
    perUnit: lines[0]?.perUnit && {
      a: sum(({ perUnit }) => perUnit?.a ?? 0),
      b: sum(({ perUnit }) => perUnit?.b ?? 0),
    },
  };
}

export function billText(bill: Bill, { most, style }: TextOptions): string {
  const { native, total, userInstructions, work, unit } = bill;
  const enough = enoughWork(work, unit);
  const difference = total - native;
  const [shown, rest] = shortened(
    bill.lines.filter((line) => line.cycles !== line.native),
    most,
  );
  const cells = (label: string, cycles: number) => [
    label,
    cycles === difference || label !== 'native' ? signedGroups(cycles) : grouped(cycles),
    signedPercent(cycles / native),
    signed((cycles * 1000) / userInstructions),
    ...(enough ? [signed(cycles / work)] : []),
  ];
  const rows = [
    ['native', grouped(native), '100.0', ...per(native, bill), 'the same work, alone and native'],
    ...shown.map((line) => [...cells(line.mechanism, line.cycles - line.native), noteOf(line)]),
    ...(rest.length > 0
      ? [
          [
            ...cells(
              `${rest.length} smaller lines`,
              rest.reduce((sum, line) => sum + line.cycles - line.native, 0),
            ),
            '',
          ],
        ]
      : []),
    ['this run', grouped(total), ((total / native) * 100).toFixed(1), ...per(total, bill), ''],
  ];
  const above = 'cycles per';
  const columns: Column[] = [
    left(''),
    { head: 'cycles' },
    { above: '% of', head: 'native' },
    { above, head: '1000 instr.' },
    ...(enough ? [{ above, head: headOf(unit).replace('per ', '') }] : []),
    left(''),
  ];
  const { head, body } = withNotes(columns, rows);
  const lines = [
    ...wrapped(billVerdict(bill), WIDTH).map((line, i) =>
      i === 0 ? `${style('bold', bill.vm)}${line.slice(bill.vm.length)}` : `  ${line}`,
    ),
    style('dim', '  one run, no interval; what each mechanism adds to the native cycles:'),
    ...head.map((line) => style('dim', `  ${line}`)),
    ...body.map((line) => `  ${line}`),
    ...(enough ? [] : [style('dim', `  ${tooFew(unit)}`)]),
    ...kernelLines(bill),
    ...besideLines(bill),
    '',
  ];
  return [...lines, ...evictionLines(bill.evictions, bill.vm, style)].join('\n');
}

const percentOf = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** The time is what `top` in the guest would call system time. */
const kernelLines = ({ kernel }: Bill): string[] =>
  kernel
    ? [
        `  its kernel: ${percentOf(kernel.instructions)} of its instructions, ` +
          `${percentOf(kernel.time)} of its time on a pCPU`,
      ]
    : [];

/** What the host's threads do for devices is in the bill of no VM. */
function besideLines({ beside, besidePcpus }: Bill): string[] {
  if (beside === 0) return [];
  const text =
    `Not in it: ${grouped(beside)} cycles (${(100 * besidePcpus).toFixed(1)} % of a pCPU) that ` +
    'threads of the host or Dom0 worked for the devices of all VMs (host device, row of the host)';
  return wrapped(text, WIDTH - 2).map((line) => `  ${line}`);
}

const signedGroups = (value: number): string =>
  `${value < 0 ? '-' : '+'}${grouped(Math.abs(value))}`;

function per(cycles: number, { userInstructions, work, unit }: Bill): string[] {
  const units = enoughWork(work, unit) ? [plain(cycles / work)] : [];
  return [plain((cycles * 1000) / userInstructions), ...units];
}

/** `1,234 × 2,345, emulating table writes`. */
function noteOf({ mechanism, count, cycles }: BillLine): string {
  const [leaf, detail = ''] = mechanism.split(' ');
  const words = help(leaf!, detail);
  if (!count || cycles === 0) return words;
  return `${grouped(count)} × ${grouped(cycles / count)}${words ? `, ${words}` : ''}`;
}

function evictionLines(
  evictions: readonly EvictionRow[],
  vm: string,
  style: TextOptions['style'],
): string[] {
  return [...groupBy(evictions, ({ structure }) => structure)].flatMap(([structure, rows]) => {
    const all = rows.reduce((sum, { count }) => sum + count, 0);
    const what = structure === 'tlb' ? 'translations' : 'cache lines';
    const evictors = rows
      .toSorted((a, b) => b.count - a.count)
      .slice(0, 5)
      .map(({ evictor, count }) => {
        return `${evictor === vm ? 'itself' : evictor} ${((count / all) * 100).toFixed(1)}`;
      });
    return [
      `${style('bold', `Who evicted its ${what}`)} (% of ${grouped(all)}): ${evictors.join(', ')}`,
    ];
  });
}

export function twinsText(twins: readonly Twin[], { style }: TextOptions): string {
  const rows = twins.map(({ free, charged, gained, gainedWaiting, interaction }) => [
    free.join(' + '),
    plain(charged),
    plain(gained),
    interaction === undefined ? '' : signed(interaction),
    plain(gainedWaiting),
  ]);
  const per = 'cycles per 1000 instructions';
  const columns = [
    left(''),
    { above: per, head: 'ledger' },
    { above: per, head: 'measured' },
    { above: per, head: 'interaction' },
    { above: per, head: 'with waiting' },
  ];
  const { head, body } = textTable(columns, rows);
  return [
    style('bold', 'What it would gain with mechanisms free of charge'),
    ...head.map((line) => style('dim', `  ${line}`)),
    ...body.map((line) => `  ${line}`),
    '',
    '  ledger: what the mechanisms were charged; measured: what the VM saves for the same work;',
    '  interaction: what it saves with both free, beyond the sum of each; with waiting: measured,',
    '  and the time it waits for a pCPU, which depends on the other VMs in the window.',
    '',
  ].join('\n');
}

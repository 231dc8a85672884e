import { leafHelp } from '../report/costs.ts';
import { ENOUGH_UNITS, enoughWork, perUnit } from '../report/quantities.ts';
import { type Column, groupBy, grouped, tableLines } from '../report/table.ts';
import type { causeNames } from '../stats/leaves.ts';
import { MILLION_INSTRUCTIONS } from '../stats/metrics.ts';
import type { EvictionRow } from '../stats/result.ts';
import type { Bill, BillLine } from './bill.ts';
import type { Compared, ComparedLine } from './compare.ts';
import type { Twin } from './twins.ts';

/** The explanations as text for a terminal, at most 100 columns wide. */

export interface TextOptions {
  /** Lines shown of each table; the others are added up in one. */
  readonly most: number;
  readonly style: (format: 'bold' | 'dim', text: string) => string;
}

/** `+1,234.5`: cycles, with a digit after the point below 100. */
const signed = (value: number): string => {
  const digits = Math.abs(value) < 100 ? value.toFixed(1) : grouped(Math.abs(value));
  if (Number(value.toFixed(1)) === 0) return '0.0';
  const sign = value < 0 ? '-' : '+';
  return `${sign}${digits.replace('-', '')}`;
};
const plain = (value: number): string =>
  Math.abs(value) < 100 ? value.toFixed(1) : grouped(value);
const signedPercent = (share: number): string => {
  const text = (share * 100).toFixed(1);
  return share > 0 && text !== '0.0' ? `+${text}` : text === '-0.0' ? '0.0' : text;
};
const left = (head: string): Column => ({ head, left: true });

function help(leaf: string, detail: string): string {
  if (leaf === 'wait') return detail === 'ready' ? 'waiting for a pCPU' : '';
  if (leaf === 'exit') return leafHelp('exit.handler', detail);
  if (leaf === 'guest.user') return 'its own instructions';
  if (leaf === 'guest.kernel') return 'instructions of its kernel';
  if (leaf === 'tlb.l2hit') return 'L1 TLB misses that hit the L2';
  if (leaf === 'walk.guest' || leaf === 'data.stall')
    return lossHelp[detail as keyof typeof lossHelp] ?? '';
  return leafHelp(leaf, detail);
}

const lossHelp: Readonly<Record<(typeof causeNames)[number], string>> = {
  cold: 'first use on this core',
  capacity: 'evicted by itself',
  interference: 'evicted by another VM or the host',
  'world-switch': 'flushed: the core was taken',
  'asid-exhausted': 'flushed: no ASID left',
  cr3: 'flushed: CR3 write',
  invlpg: 'flushed: INVLPG',
  shootdown: 'flushed: mapping dropped or protected',
  migration: 'it came from another core',
  dirty: 'held, but not for a store',
};

/** The first lines, and what the others come to together. */
function shortened<T>(lines: readonly T[], most: number): [readonly T[], readonly T[]] {
  return lines.length <= most + 1 ? [lines, []] : [lines.slice(0, most), lines.slice(most)];
}

export function comparisonText(
  pairs: readonly Compared[],
  labels: readonly [string, string],
  { most, style }: TextOptions,
): string {
  const head = `A  ${labels[0]}\nB  ${labels[1]}\n`;
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
  const columns = [
    left('cycles per 1000 instructions'),
    { head: 'A' },
    { head: 'B' },
    { head: 'B - A' },
    { head: '% of A' },
    ...(total.perUnit ? [{ head: headOf(unit) }] : []),
    left(''),
  ];
  const [first, ...body] = tableLines(columns, rows);
  return [
    `${style('bold', name)}: ${verdict(total, lines)}`,
    style('dim', `  ${first}`),
    ...body.map((line) => `  ${line}`),
    ...(total.perUnit ? [] : [style('dim', `  ${tooFew(unit)}`)]),
    '',
  ].join('\n');
}

/** The first column says of what: instructions. */
const headOf = (unit: string): string =>
  unit === MILLION_INSTRUCTIONS ? 'per million' : perUnit(unit);

/** Said where the column with the cost of a unit is left out. */
const tooFew = (unit: string): string =>
  unit === MILLION_INSTRUCTIONS
    ? ''
    : `no cost ${perUnit(unit)}: it takes ${ENOUGH_UNITS} ${unit}, since whole ones are counted`;

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

/** `B takes 12.3 % fewer cycles for the same work; exit.handler pte-write is 61 % of that`. */
export function verdict(total: ComparedLine, lines: readonly ComparedLine[]): string {
  if (total.difference === 0) return 'both take the same cycles for the same work';
  if (Math.abs(total.share) < 0.0005)
    return 'both take the same cycles for the same work, to 0.1 %';
  const size = Math.abs(total.share * 100).toFixed(1);
  const kind = total.difference < 0 ? 'fewer' : 'more';
  const [first, against] = [1, -1].map((sign) =>
    lines.find(({ difference }) => difference * total.difference * sign > 0),
  );
  const named = ({ leaf, detail, difference }: ComparedLine) =>
    `${`${leaf} ${detail}`.trim()} (${signed(difference)})`;
  if (first && against && first.difference / total.difference > 1) {
    return `B takes ${size} % ${kind} cycles for the same work: ${named(first)} against ${named(against)}`;
  }
  const same = lines.filter(({ difference }) => difference / total.difference >= 0.05);
  const causes = same.slice(0, 2).map(({ leaf, detail, difference }) => {
    const part = Math.round((difference / total.difference) * 100);
    return `${`${leaf} ${detail}`.trim()} is ${part} % of that`;
  });
  return [`B takes ${size} % ${kind} cycles for the same work`, ...causes].join('; ');
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
  const columns = [
    left(''),
    { head: 'cycles' },
    { head: '%' },
    { head: 'per 1000 instr.' },
    ...(enough ? [{ head: headOf(unit) }] : []),
    left(''),
  ];
  const [first, ...body] = tableLines(columns, rows);
  const lines = [
    `${style('bold', bill.vm)}: ${(total / native).toFixed(3)} times the cycles of the same work on the bare machine`,
    style('dim', `  ${first}`),
    ...body.map((line) => `  ${line}`),
    ...(enough ? [] : [style('dim', `  ${tooFew(unit)}`)]),
    '',
  ];
  return [...lines, ...evictionLines(bill.evictions, bill.vm, style)].join('\n');
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
        const share = `${((count / all) * 100).toFixed(1)} %`;
        return `${evictor === vm ? 'itself' : evictor} ${share}`;
      });
    return [
      `${style('bold', `Who evicted its ${what}`)} (${grouped(all)}): ${evictors.join(', ')}`,
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
  const columns = [
    left('cycles per 1000 instructions'),
    { head: 'ledger' },
    { head: 'measured' },
    { head: 'interaction' },
    { head: 'with waiting' },
  ];
  const [first, ...body] = tableLines(columns, rows);
  return [
    style('bold', 'The same world with mechanisms free'),
    style('dim', `  ${first}`),
    ...body.map((line) => `  ${line}`),
    '',
    '  ledger: what they were charged; measured: by how much less the twin runs for the same work;',
    '  interaction: what freeing both gains beyond the sum of freeing each; with waiting: measured, the',
    '  time it waits for a pCPU included, which depends on who else runs in the window.',
    '',
  ].join('\n');
}

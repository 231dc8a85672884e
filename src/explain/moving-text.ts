import { plain } from '../report/quantities.ts';
import { type Column, cut, grouped, textTable, wrapped } from '../report/table.ts';
import type { MigrationBill, ProtectionBill, Step } from './moving.ts';
import { help, type TextOptions } from './text.ts';

/** The bills of protection and of live migration as text for a terminal. */

const WIDTH = 98;
/** Lines shown of each step. */
const MOST = 4;

type Cells = readonly [label: string, cycles: string, share: string, note: string];

export function protectionText(
  vm: string,
  bill: ProtectionBill,
  mhz: number,
  { style }: TextOptions,
): string {
  const { elsewhere, heldCycles, outputs, recording, shadow, unprotected } = bill;
  const share = shareOf(unprotected);
  const ms = (cycles: number) => `${plain(cycles / mhz / 1000)} ms`;
  const before = shadow ? `${bill.usualPaging} paging and no protection` : 'no protection';
  const added = bill.protected - unprotected;
  const parts = [
    ...(shadow
      ? [`${bill.paging} paging instead of ${bill.usualPaging} ${adds(share(shadow.added))}`]
      : []),
    `recording ${adds(share(recording.added))}`,
  ];
  const sentences = [
    `For the same work ${vm} takes ${share(added).slice(1)} % ` +
      `${added < 0 ? 'fewer' : 'more'} cycles than with ${before}: ${parts.join(', and ')}.`,
    `Its second copy takes ${plain(elsewhere.ofPrimary)} times the cycles of the VM itself.`,
    ...(outputs.count > 0
      ? [`What it sends waits ${ms(outputs.holdCycles / outputs.count)} for the other host.`]
      : []),
    heldCycles > 0
      ? `It was held for ${ms(heldCycles)}: its log was full, or its secondary too far behind.`
      : 'The control of the lag took nothing.',
  ];
  const rows: Cells[] = [
    ['unprotected', grouped(unprotected), '100.0', before],
    ...(shadow ? stepRows(`${bill.paging} paging`, shadow, share) : []),
    ...stepRows('recording', recording, share),
    ['protected', grouped(bill.protected), percentOf(bill.protected / unprotected), ''],
    [
      'second copy',
      grouped(elsewhere.secondary),
      share(elsewhere.secondary),
      'in the window, on the other host',
    ],
    [
      '  of it: ft log',
      grouped(elsewhere.replay),
      share(elsewhere.replay),
      'taking events from the log',
    ],
    ...threadRows(elsewhere.threads, 'carrying the log (host ft), all pairs', share),
  ];
  return section(`What protection costs ${vm}`, sentences, rows, '% of un-', 'protected', style);
}

export function migrationText(
  vm: string,
  bill: MigrationBill,
  mhz: number,
  { style }: TextOptions,
): string {
  const { dirtyLog, downtimeCycles, heldCycles, moves, moving, unmoved } = bill;
  const share = shareOf(unmoved);
  const ms = (cycles: number) => `${plain(cycles / mhz / 1000)} ms`;
  const { added } = moving;
  const times = moves.length === 1 ? 'its migration' : `its ${moves.length} migrations`;
  const held =
    heldCycles > downtimeCycles * 1.02
      ? `, and was held for ${ms(heldCycles - downtimeCycles)} more`
      : '';
  const sentences = [
    `For the same work ${vm} takes ${share(added).slice(1)} % ` +
      `${added < 0 ? 'fewer' : 'more'} cycles than if it had stayed: ${times} took ` +
      `${ms(moves.reduce((sum, row) => sum + row.cycles, 0))}.`,
    `It stood still for ${ms(downtimeCycles)} at the switch${held}.`,
    ...(dirtyLog.count > 0
      ? [`${grouped(dirtyLog.count)} first stores faulted for the dirty log.`]
      : []),
  ];
  const rows: Cells[] = [
    ['unmoved', grouped(unmoved), '100.0', 'the same work, where it began'],
    ...stepRows('moving', moving, share),
    ['moved', grouped(bill.moved), percentOf(bill.moved / unmoved), ''],
    ...threadRows(bill.threads, 'host migration, all that move', share),
  ];
  return section(`What moving costs ${vm}`, sentences, rows, '% of', 'unmoved', style);
}

const wordsOf = (mechanism: string): string => {
  const [leaf, detail = ''] = mechanism.split(' ');
  return help(leaf!, detail);
};

const adds = (share: string) => `${share.startsWith('-') ? 'saves' : 'adds'} ${share.slice(1)} %`;

/** `+12.3`: of a whole. */
const shareOf = (whole: number) => (cycles: number) => {
  const text = percentOf(Math.abs(cycles) / (whole || 1));
  return `${cycles < 0 ? '-' : '+'}${text}`;
};
const percentOf = (share: number) => (100 * share).toFixed(1);
const signedCycles = (cycles: number) => `${cycles < 0 ? '-' : '+'}${grouped(Math.abs(cycles))}`;

function stepRows(name: string, { added, lines }: Step, share: (n: number) => string): Cells[] {
  const shown = lines.slice(0, MOST);
  const rest = lines.slice(MOST);
  const others = rest.reduce((sum, { cycles }) => sum + cycles, 0);
  return [
    [name, signedCycles(added), share(added), 'of which:'],
    ...shown.map(
      ({ mechanism, cycles }): Cells => [
        ...([`  ${mechanism}`, signedCycles(cycles), share(cycles)] as const),
        wordsOf(mechanism),
      ],
    ),
    ...(rest.length > 0
      ? [[`  ${rest.length} smaller lines`, signedCycles(others), share(others), ''] as Cells]
      : []),
  ];
}

const threadRows = (
  threads: ProtectionBill['elsewhere']['threads'],
  what: string,
  share: (cycles: number) => string,
): Cells[] =>
  threads
    .filter(({ cycles }) => cycles > 0)
    .map(({ host, cycles }) => [`threads on ${host}`, grouped(cycles), share(cycles), what]);

function section(
  title: string,
  sentences: readonly string[],
  rows: readonly Cells[],
  above: string,
  head: string,
  style: TextOptions['style'],
): string {
  const columns: Column[] = [
    { head: '', left: true },
    { head: 'cycles' },
    { above, head },
    { head: '', left: true },
  ];
  const table = textTable(columns, rows);
  return [
    style('bold', title),
    ...wrapped(sentences.join(' '), WIDTH - 2).map((line) => `  ${line}`),
    ...table.head.map((line) => style('dim', `  ${line}`)),
    ...table.body.map((line) => `  ${cut(line, WIDTH - 2)}`),
    '',
  ].join('\n');
}

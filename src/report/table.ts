export { groupBy } from '../base/collections.ts';
export { grouped } from '../base/rounded.ts';

/** A column of a plain table for a terminal. */
export interface Column {
  readonly head: string;
  /** Stands over `head`, once for neighbours that have the same. */
  readonly above?: string;
  readonly left?: boolean;
}

export interface TextTable {
  /** One line, or two when a column has something above its head. */
  readonly head: readonly string[];
  readonly body: readonly string[];
}

const MAX_NAME = 28;
const GAP = '  ';

/**
 * Columns two blanks apart, without line ends. Names, in the first column, are cut at `maxName`.
 */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  maxName: number = MAX_NAME,
): TextTable {
  const cells = [
    columns.map(({ head }) => head),
    ...rows.map(([name, ...row]) => [cut(name!, maxName), ...row]),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const spans = spansOf(columns);
  for (const { from, to, text } of spans) {
    const missing = text.length - spanned(widths.slice(from, to));
    if (missing > 0) widths[from]! += missing;
  }
  const [head, ...body] = cells.map((row) =>
    row
      .map((cell, i) => (columns[i]!.left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join(GAP)
      .trimEnd(),
  );
  if (spans.every(({ text }) => text === '')) return { head: [head!], body };
  const above = spans.map(({ from, to, text }) => {
    const width = spanned(widths.slice(from, to));
    if (to - from === 1) return columns[from]!.left ? text.padEnd(width) : text.padStart(width);
    return width - text.length < 2 ? text.padEnd(width) : `${text} `.padEnd(width, '─');
  });
  return { head: [above.join(GAP).trimEnd(), head!], body };
}

const spanned = (widths: readonly number[]) =>
  widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length);

/** Neighbours under the same words. */
function spansOf(columns: readonly Column[]) {
  const spans: { from: number; to: number; text: string }[] = [];
  for (const [i, { above = '' }] of columns.entries()) {
    const last = spans.at(-1);
    if (last && above !== '' && last.text === above) last.to = i + 1;
    else spans.push({ from: i, to: i + 1, text: above });
  }
  return spans;
}

/** Columns that a table takes. */
export const widthOf = ({ head, body }: TextTable): number =>
  Math.max(...[...head, ...body].map((line) => line.length));

/** The lines of a table with one line of heads. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const { head, body } = textTable(columns, rows);
  return [...head, ...body];
}

/** Text in lines of at most `width` characters, broken between words. */
export function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** The first `most` characters at most, with a mark where some are missing. */
export function cut(cell: string, most: number): string {
  return cell.length > most ? `${cell.slice(0, most - 1)}…` : cell;
}

/** A share of 1 as a number of per cent: `12.3`; `-` when there is none. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '-';
  if (share > 0 && share < 0.0005) return '<0.1';
  return (share * 100).toFixed(1);
}

/** `3` or, when the values differ as shown, `3-5`. */
export function range(values: readonly number[], show: (value: number) => string): string {
  if (values.length === 0) return '-';
  const least = show(Math.min(...values));
  const most = show(Math.max(...values));
  return least === most ? least : `${least}-${most}`;
}

/** A number with a unit in front of which it has at most three digits: `1.2 M`. */
export function short(value: number): string {
  const size = Math.abs(value);
  for (const [unit, factor] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (size >= factor) return `${Number((value / factor).toPrecision(3))} ${unit}`;
  }
  return `${Number(value.toPrecision(3))}`;
}

export { groupBy } from '../base/collections.ts';
export { grouped } from '../base/rounded.ts';

export interface Column {
  readonly head: string;
  readonly left?: boolean;
}

const MAX_NAME = 28;

/** Lines of a table, without line ends; columns two blanks apart. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const cells = [
    columns.map(({ head }) => head),
    ...rows.map(([name, ...row]) => [shortened(name!), ...row]),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells.map((row) =>
    row
      .map((cell, i) => (columns[i]!.left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}

function shortened(cell: string): string {
  return cell.length > MAX_NAME ? `${cell.slice(0, MAX_NAME - 1)}…` : cell;
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

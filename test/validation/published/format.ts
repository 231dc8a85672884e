/** How the document writes numbers and tables. */

/** Three significant digits, or two for intervals. */
export function number(value: number, digits = 3): string {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  if (magnitude >= digits) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.min(6, Math.max(0, digits - 1 - magnitude)));
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

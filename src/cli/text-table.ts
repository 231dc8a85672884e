/** Columns of text, numbers to the right. The first row is the header. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const numeric = widths.map((_, column) =>
    rows.slice(1).every((row) => row[column] === '' || /^ *[-\d]/.test(row[column]!)),
  );
  return rows
    .map((row) =>
      row
        .map((text, column) =>
          numeric[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

/** `12 s`, `3.5 min`, `2.1 h`. */
export function shortTime(seconds: number): string {
  if (seconds < 100) return `${Math.max(1, Math.ceil(seconds))} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const NUMBER = /^(-?[\d,]+)(\.\d+)?(?:( ± )([\d,]+)(\.\d+)?)?(.*)$/;

/** Numbers of a column, with intervals or without, so that their points stand below each other. */
export function alignedAtPoint(cells: readonly string[]): string[] {
  const parts = cells.map((cell) =>
    NUMBER.exec(cell)
      ?.slice(1)
      .map((part) => part ?? ''),
  );
  const widths = [0, 1, 2, 3, 4].map((i) =>
    Math.max(0, ...parts.map((part) => part?.[i]?.length ?? 0)),
  );
  const lines = parts.map((part, row) => {
    if (!part) return cells[row]!;
    const text = [0, 1, 2, 3, 4].map((i) =>
      i % 3 === 0 ? part[i]!.padStart(widths[i]!) : part[i]!.padEnd(widths[i]!),
    );
    return `${text.join('').trimEnd()}${part[5]}`;
  });
  const width = Math.max(...lines.map((line) => line.length));
  return lines.map((line, row) => (parts[row] ? line.padEnd(width) : line.padStart(width)));
}

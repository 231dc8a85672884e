import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { faultIn, faultOf, reasonOf } from './faults.ts';
import { readRegularFile } from './read-file.ts';

/** The CSV tables of a result directory. */

/** A line of a table by column; numbers as written, an empty cell is ''. */
export type Row = Readonly<Record<string, string>>;

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Columns that hold a number in every row of every table that has them. */
const NUMBERS = [
  ...['cycles', 'value', 'count', 'mean', 'n', 'point', 'replication', 'vms', 'time_ns'],
  ...['latency_ns', 'transition_cycles', 'handler_cycles', 'vcpu'],
  ...['pcpu', 'cycle', 'slice_cycles', 'duration_cycles', 'lag_cycles', 'log_bytes'],
];
/** These may also be empty. */
const OPTIONAL = [
  ...['half_width', 'elapsed_cycles', 'difference', 'difference_half_width', 'pairs'],
];

/** Reads a table that has these columns. Throws ConfigError. */
export function table(directory: string, name: string, columns: readonly string[]): Row[] {
  const path = join(directory, name);
  let header: readonly string[] = [];
  let rows: Row[];
  try {
    const columns = (names: string[]) => (header = names) as string[];
    rows = parse(readRegularFile(path), { columns, skip_empty_lines: true, bom: true });
  } catch (error) {
    if (error instanceof CsvError) throw faultOf(path, `cannot read the table: ${damageOf(error)}`);
    throw faultIn(path, `cannot read the table: ${reasonOf(error)}`);
  }
  const lacking = columns.filter((column) => !header.includes(column));
  if (lacking.length > 0) {
    throw faultOf(path, `the table has no column ${lacking.join(', ')}`, 'run the scenario again');
  }
  for (const column of columns) checkColumn(path, rows, column);
  return rows;
}

/** What the library says, in words of ours. */
function damageOf({ code, lines }: CsvError & { readonly lines?: unknown }): string {
  const where = typeof lines === 'number' ? ` in line ${lines}` : '';
  if (code.includes('COLUMNS') || code.includes('FIELDS')) {
    return `a row has more or fewer cells than the header${where}`;
  }
  return `it is damaged${where}`;
}

function checkColumn(path: string, rows: readonly Row[], column: string): void {
  const optional = OPTIONAL.includes(column);
  const numeric = optional || NUMBERS.includes(column);
  const fits = (text: string) => {
    if (text === '') return optional || !numeric;
    // What a VM without a turn has no bound for is written as inf.
    return !numeric || text === 'inf' || (Number.isFinite(Number(text)) && text.trim() !== '');
  };
  for (const [i, row] of rows.entries()) {
    const text = row[column]!;
    if (/\p{Cc}/u.test(text)) {
      throw faultOf(path, `row ${i + 2} has control characters in ${column}`);
    }
    if (fits(text)) continue;
    throw faultOf(path, `row ${i + 2} has no number in ${column}: "${text}"`);
  }
}

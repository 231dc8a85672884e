import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { faultOf, reasonOf } from './faults.ts';

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

/** Reads a table that has these columns. Throws ConfigError. */
export function table(directory: string, name: string, columns: readonly string[]): Row[] {
  const path = join(directory, name);
  let rows: Row[];
  try {
    rows = parse(readFileSync(path), { columns: true, skip_empty_lines: true, bom: true });
  } catch (error) {
    throw faultOf(path, `cannot read the table: ${reasonOf(error)}`);
  }
  const lacking = rows[0] ? columns.filter((column) => !Object.hasOwn(rows[0]!, column)) : [];
  if (lacking.length > 0) {
    throw faultOf(path, `the table has no column ${lacking.join(', ')}`, 'run the scenario again');
  }
  const numeric = ['cycles', 'value', 'count'].find((column) => rows[0] && column in rows[0]);
  const bad = numeric ? rows.findIndex((row) => !/^-?[\d.e+-]+$/.test(row[numeric]!)) : -1;
  if (bad >= 0) {
    throw faultOf(path, `row ${bad + 2} has no number in ${numeric}: "${rows[bad]![numeric!]}"`);
  }
  return rows;
}

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A published measurement as it was collected; see the head of docs/validation.md. */
export interface PublishedRow {
  readonly id: string;
  readonly source: string;
  readonly year: string;
  readonly system: string;
  readonly workload: string;
  readonly metric: string;
  readonly config_a: string;
  readonly value_a: string;
  readonly config_b: string;
  readonly value_b: string;
  readonly unit: string;
  readonly ratio_b_over_a: string;
  readonly confidence: string;
  readonly notes: string;
}

/** Fields of one line of RFC 4180 CSV without line breaks inside fields. */
function fields(line: string): string[] {
  const out: string[] = [];
  const field = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g;
  for (const match of line.matchAll(field)) {
    out.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
  }
  return out;
}

/** Rows of a table beside this file, or with an absolute path, by the names of its columns. */
export function rowsOf<T>(name: string): T[] {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = fields(head!);
  return lines.map((line) => {
    const values = fields(line);
    if (values.length !== names.length) throw new Error(`${name}: ${line}`);
    return Object.fromEntries(names.map((column, i) => [column, values[i]!])) as T;
  });
}

/** The chosen rows by their id. */
export const publishedRows: ReadonlyMap<string, PublishedRow> = new Map(
  rowsOf<PublishedRow>('published.csv').map((row) => [row.id, row]),
);

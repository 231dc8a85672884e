import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Case, Figure } from './case.ts';
import { rowsOf } from './published.ts';

/** What a figure was when it was measured for the first time; it is never changed. */
export interface FirstLook {
  /** Day of that run. */
  readonly date: string;
  readonly value: number;
}

interface Row {
  readonly case: string;
  readonly figure: string;
  readonly date: string;
  readonly value: string;
}

const FILE = 'first-looks.csv';
const nameOf = (id: string, what: string) => `${id}: ${what}`;

/** By case and figure. */
export const firstLooks: ReadonlyMap<string, FirstLook> = new Map(
  rowsOf<Row>(FILE).map((row) => [
    nameOf(row.case, row.figure),
    { date: row.date, value: Number(row.value) },
  ]),
);

export const firstLook = ({ id }: Case, { what }: Figure): FirstLook | undefined =>
  firstLooks.get(nameOf(id, what));

/** Names of all figures there are, as `firstLooks` has them. */
export const figureNames = (cases: readonly Case[]): string[] =>
  cases.flatMap(({ id, figures }) => figures.map(({ what }) => nameOf(id, what)));

/** Keeps what was measured for the first time. */
export function keepFirstLook({ id }: Case, { what }: Figure, value: number, date: string): void {
  const quoted = `"${what.replaceAll('"', '""')}"`;
  const line = [id, quoted, date, Number(value.toPrecision(4))].join(',');
  appendFileSync(fileURLToPath(new URL(FILE, import.meta.url)), `${line}\n`);
}

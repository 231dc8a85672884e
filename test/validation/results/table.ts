import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../support/program.ts';

/** A table of a page in results/ that a program makes: its rows stand between two comments. */
export interface Table {
  /** File below the root of the project. */
  readonly page: string;
  /** Name in the comments `<!-- name:begin -->` and `<!-- name:end -->`. */
  readonly name: string;
  readonly head: readonly string[];
  /** How many columns are words, which stand to the left; the others are numbers. */
  readonly words?: number;
  /** Its rows, in the order of the page. */
  readonly rows: () => Promise<readonly (readonly (string | number)[])[]>;
}

const between = (name: string): RegExp =>
  new RegExp(`(<!-- ${name}:begin -->\n)([\\s\\S]*?)(<!-- ${name}:end -->)`);

/** As Markdown, a line for each row. */
export async function markdown({ head, words = 1, rows }: Table): Promise<string> {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |\n`;
  const rule = head.map((_, column) => (column < words ? '---' : '--:'));
  const body = (await rows()).map(line).join('');
  return `${line(head)}|${rule.join('|')}|\n${body}`;
}

/** What the page has now; undefined if it has no such place. */
export const printed = ({ page, name }: Table): string | undefined =>
  between(name).exec(readFileSync(join(root, page), 'utf8'))?.[2];

/** Puts a table in the place of the one that the page has. */
export function print({ page, name }: Table, text: string): void {
  const path = join(root, page);
  const old = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    old.replace(between(name), (_, begin: string, _old, end: string) => begin + text + end),
  );
}

/** With thousands apart. */
export const count = (value: number): string => Math.round(value).toLocaleString('en-US');

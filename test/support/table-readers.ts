import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

/** Programs that people read tables with, each as it reads a file when it is told nothing about it. */

export interface Read {
  readonly columns: readonly string[];
  readonly rows: number;
}
export interface TableReader {
  readonly name: string;
  /** What to install where it is not here; undefined: it is. */
  readonly missing: string | undefined;
  read(files: readonly string[]): Promise<readonly Read[]>;
}

const works = (command: string, ...args: readonly string[]) =>
  spawnSync(command, args, { encoding: 'utf8' }).status === 0;

function ask(command: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    input,
  });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  return stdout;
}

/** Lines of `rows<TAB>column<TAB>column…`, one for each file. */
const reads = (text: string): Read[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
    .map(([rows, ...columns]) => ({ rows: Number(rows), columns }));

const PANDAS = `import sys, pandas
for name in sys.argv[1:]:
    frame = pandas.read_csv(name)
    print(len(frame), *frame.columns, sep='\\t')
`;
const R = `for (name in commandArgs(TRUE)) {
  frame <- read.csv(name)
  cat(nrow(frame), names(frame), sep = '\\t'); cat('\\n')
}`;
/** gnuplot has no way to list columns: it is asked for the sum of one by name, after it was told the separator. */
const plot = (file: string, column: string) => `set print '-'
set datafile separator comma
stats '${file}' using (column('${column}')) nooutput
print sprintf('%.17g', STATS_sum)
`;

const python = ['/usr/bin/python3', 'python3'].find((name) => works(name, '-c', 'import pandas'));
const rscript = works('Rscript', '--version');
export const hasGnuplot = works('gnuplot', '--version');

export const gnuplotSum = (file: string, column: string): number =>
  Number(ask('gnuplot', ['-'], plot(file, column)));

export const tableReaders: readonly TableReader[] = [
  {
    name: 'pandas',
    missing: python ? undefined : 'python3-pandas',
    read: async (files) => reads(ask(python!, ['-', ...files], PANDAS)),
  },
  {
    name: 'R',
    missing: rscript ? undefined : 'r-base-core',
    read: async (files) => reads(ask('Rscript', ['-e', R, ...files])),
  },
  {
    name: 'DuckDB',
    missing: undefined,
    read: async (files) => {
      const database = await (await DuckDBInstance.create()).connect();
      const all: Read[] = [];
      for (const file of files) {
        const result = await database.runAndReadAll(
          `select * from '${file.replaceAll("'", "''")}'`,
        );
        all.push({ columns: result.columnNames(), rows: result.currentRowCount });
      }
      database.closeSync();
      return all;
    },
  },
];

/** Columns of a table as they stand in the file. */
export const headerOf = (file: string): string[] =>
  readFileSync(file, 'utf8').split('\n', 1)[0]!.split(',');

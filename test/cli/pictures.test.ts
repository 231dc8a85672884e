import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, describe, expect, it } from 'vitest';
import { Folder } from '../support/command.ts';

/** The pictures of the documentation: what it tells people to type is typed, where the tools are. */

const root = resolve(import.meta.dirname, '../..');
const notebookFile = join(root, 'docs/sweep.ipynb');
const text = readFileSync(join(root, 'docs/experiments.md'), 'utf8');
const folder = new Folder();
symlinkSync(join(root, 'results'), join(folder.path, 'results'));
afterAll(() => folder.remove());

/** The only block of a language in the section on plots. */
function block(language: string): string {
  const section = text.slice(text.indexOf('## Plot the tables'));
  const found = [...section.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))];
  expect(found, language).toHaveLength(1);
  return found[0]![1]!;
}

function start(command: string, args: readonly string[], input = '') {
  const env = { ...process.env, MPLCONFIGDIR: folder.path };
  return spawnSync(command, args, { cwd: folder.path, encoding: 'utf8', env, input });
}
const here = (command: string, ...args: readonly string[]) => start(command, args).status === 0;
/** Debian's Python has the packages of Debian; another one may come first in the path. */
const python = (modules: string) =>
  ['/usr/bin/python3', 'python3'].find((name) => here(name, '-c', `import ${modules}`));

const forPlots = python('pandas, matplotlib');
const forNotebooks = python('pandas, matplotlib, nbclient, ipykernel');
const hasR = here('Rscript', '--version');
const hasGnuplot = here('gnuplot', '-e', 'set terminal pngcairo');
for (const [tool, has, packages] of [
  ['matplotlib', forPlots, 'python3-pandas python3-matplotlib'],
  ['Jupyter', forNotebooks, 'python3-nbclient python3-ipykernel'],
  ['R', hasR, 'r-base-core'],
  ['gnuplot', hasGnuplot, 'gnuplot-nox'],
] as const) {
  if (!has) console.warn(`SKIPPED: ${tool} is not here; install the Debian packages ${packages}`);
}

const noWindow = "import matplotlib; matplotlib.use('Agg')\n";

/** Width and height of a PNG: its header says so. */
function size(name: string): readonly [number, number] {
  const bytes = readFileSync(join(folder.path, name));
  expect(bytes.subarray(1, 4).toString(), name).toBe('PNG');
  expect(bytes.length, name).toBeGreaterThan(8_000);
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}

describe('the plots of docs/experiments.md', () => {
  it.skipIf(!forPlots)(
    'pandas: one colour per leaf, bars of 100 %, a legend beside them',
    () => {
      const look = `
import json
axes.figure.canvas.draw()
legend, bars = axes.get_legend().get_window_extent(), axes.get_window_extent()
ends = [max(part[i].get_x() + part[i].get_width() for part in axes.containers) for i in range(len(cycles))]
print(json.dumps({
    'leaves': len(axes.containers),
    'colours': len({part[0].get_facecolor() for part in axes.containers}),
    'ends': [round(end, 6) for end in ends],
    'beside': bool(legend.x0 >= bars.x1),
}))`;
      const { stdout, stderr } = start(forPlots!, ['-'], noWindow + block('python') + look);
      const seen = JSON.parse(stdout || JSON.stringify(stderr));
      expect(seen).toMatchObject({ ends: [100, 100, 100, 100, 100, 100], beside: true });
      expect(seen.leaves).toBeGreaterThan(8);
      expect(seen.colours).toBe(seen.leaves);
      expect(size('ledger-pandas.png')[0]).toBeGreaterThan(500);
    },
    60_000,
  );

  it.skipIf(!hasR)('R: a colour for each leaf', () => {
    const look = 'cat(nrow(percent), length(unique(palette.colors(nrow(percent), "Paired"))))';
    const { stdout, stderr } = start('Rscript', ['-'], `${block('r')}\n${look}`);
    expect(stderr).toBe('');
    const [leaves, colours] = stdout.trim().split('\n').at(-1)!.split(' ');
    expect(Number(leaves)).toBeGreaterThan(8);
    expect(colours).toBe(leaves);
    expect(size('ledger-r.png')).toEqual([900, 450]);
  });

  it.skipIf(!hasGnuplot)('gnuplot: two curves of seven points', () => {
    // The same plot as text: what it draws can be counted.
    const asTable = block('gnuplot').replace('plot for', "set table 'latency.txt'\nplot for");
    for (const input of [asTable, block('gnuplot')]) {
      expect(start('gnuplot', ['-'], input).stderr.replace(/^\s*$/gm, '')).toBe('');
    }
    expect(size('latency-gnuplot.png')).toEqual([900, 450]);
    const drawn = readFileSync(join(folder.path, 'latency.txt'), 'utf8');
    expect(drawn.match(/^# Curve \d of 3, 7 points/gm)).toHaveLength(2);
    expect(drawn).not.toMatch(/ u$/m);
  });

  it('DuckDB: the percentages of each VM add up to 100', async () => {
    const sql = /duckdb -c "(.*)"/
      .exec(text)![1]!
      .replaceAll("'results/", `'${root.replaceAll("'", "''")}/results/`);
    const database = await (await DuckDBInstance.create()).connect();
    const rows = (await database.runAndReadAll(sql)).getRows() as [string, string, number][];
    database.closeSync();
    const sums = new Map<string, number>();
    for (const [vm, , percent] of rows) sums.set(vm, (sums.get(vm) ?? 0) + percent);
    expect(sums.size).toBe(6);
    for (const [vm, sum] of sums) expect(Math.abs(sum - 100), vm).toBeLessThan(0.5);
  });
});

interface Cell {
  readonly id: string;
  readonly source: string | readonly string[];
  readonly outputs?: readonly {
    readonly text?: string | readonly string[];
    readonly data?: Readonly<Record<string, string | readonly string[]>>;
  }[];
}
const joined = (lines: string | readonly string[] = '') => [lines].flat().join('');
/** What a cell says, without the bytes of its pictures, which no two versions draw alike. */
const said = ({ id, outputs = [] }: Cell) => ({
  id,
  texts: outputs.flatMap(({ text: lines }) => (lines ? joined(lines) : [])),
  pictures: outputs.filter(({ data }) => data?.['image/png']).length,
});

describe('docs/sweep.ipynb', () => {
  const stored = () => readFileSync(notebookFile, 'utf8');

  it.skipIf(!forNotebooks)(
    'gives what is stored in it when it is executed',
    () => {
      const runner = join(root, 'test/support/notebook.py');
      const { stdout, stderr, status } = start(forNotebooks!, [runner, notebookFile]);
      expect(status, stderr).toBe(0);
      if (process.env.GOLDEN === 'update') writeFileSync(notebookFile, stdout);
      const cells = (JSON.parse(stdout) as { cells: Cell[] }).cells;
      expect(cells.map(said)).toEqual((JSON.parse(stored()) as { cells: Cell[] }).cells.map(said));
      expect(cells.flatMap((cell) => said(cell).pictures).reduce((a, b) => a + b)).toBe(3);
    },
    60_000,
  );

  it('is small enough to be shown by web sites that show notebooks', () => {
    expect(stored().length).toBeLessThan(300_000);
    const ids = (JSON.parse(stored()) as { cells: Cell[] }).cells.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

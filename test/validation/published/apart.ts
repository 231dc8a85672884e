import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadScenario } from '../../../src/scenario/load.ts';
import { runScenario } from '../../../src/scenario/run.ts';
import { estimate } from '../../../src/stats/replications.ts';
import type { RunResult } from '../../../src/stats/result.ts';
import { metric } from '../../support/scenarios.ts';
import { type Figure, judge, uninformative, type Verdict } from './case.ts';
import { compared, type Mode, runProgram } from './cases/rvi.ts';
import { cyclesPerInstruction } from './ledger.ts';
import { armsOf } from './measure.ts';
import { rowsOf } from './published.ts';

/**
 * Figures that are kept apart: a table outside of the repository, whose path the environment variable
 * FIGURES_APART gives. They are measured and judged by the same code as those of the cases, by the uniform
 * tolerance, and only how many agree is said in the document; each is in `<path>.measured.csv`.
 *
 * Columns: `figure`, a name; `scenario`, a YAML file (relative to the table) or one of the programs of V60 to V64;
 * `over` and `under`, settings as after `--set`, divided by `;` (for a program: a paging mode), `under` empty for a value that
 * is no ratio; `measure`, `time` (running cycles per instruction of the program), `rate` (work in a time) or a metric of
 * the first VM; `published`; `neutral`, the value of no effect, 1 when empty; `seeds`, 1 when empty.
 */
interface Row {
  readonly figure: string;
  readonly scenario: string;
  readonly over: string;
  readonly under: string;
  readonly measure: string;
  readonly published: string;
  readonly neutral: string;
  readonly seeds: string;
}

export interface Apart {
  readonly name: string;
  readonly published: number;
  readonly ours: number;
  readonly verdict: Verdict;
  readonly uninformative: string | undefined;
}

/** Measures the figures of a table, in its order. */
export async function measureApart(path: string): Promise<Apart[]> {
  const found: Apart[] = [];
  for (const row of rowsOf<Row>(resolve(path))) found.push(await one(row, dirname(resolve(path))));
  writeFileSync(`${path}.measured.csv`, asCsv(found));
  return found;
}

async function one(row: Row, folder: string): Promise<Apart> {
  const published = Number(row.published);
  if (row.published === '' || !Number.isFinite(published)) {
    throw new Error(`${row.figure}: "${row.published}" is no number`);
  }
  const figure: Figure = {
    ...{ key: row.figure, row: '', column: 'value_a', what: row.figure },
    neutral: row.neutral === '' ? 1 : Number(row.neutral),
    tolerance: { kind: 'uniform' },
  };
  const values: number[] = [];
  for (let seed = 1; seed <= Number(row.seeds || 1); seed++) {
    const over = measured(row.measure, await run(row, row.over, folder, seed));
    const under = row.under && measured(row.measure, await run(row, row.under, folder, seed));
    values.push(under === '' ? over : over / under);
  }
  const ours = estimate(values)!.mean;
  const verdict = judge(figure, published, ours);
  const why = verdict === 'agrees' ? uninformative(figure, published) : undefined;
  return { name: row.figure, published, ours, verdict, uninformative: why };
}

function run(row: Row, what: string, folder: string, seed: number): Promise<RunResult> {
  const known = compared.find(({ program }) => program === row.scenario);
  if (known) {
    return runProgram(armsOf(seed).arms, known.program, known.setting, what as Mode);
  }
  const file = resolve(folder, row.scenario);
  const set = [...what.split(';'), `seed=${seed}`].map((text) => text.trim()).filter(Boolean);
  return runScenario(loadScenario(readFileSync(file, 'utf8'), { file, set }));
}

function measured(measure: string, result: RunResult): number {
  if (measure === 'time') return cyclesPerInstruction(result);
  if (measure === 'rate') return metric(result, 'work') / result.windowCycles;
  return metric(result, measure as Parameters<typeof metric>[1]);
}

function asCsv(all: readonly Apart[]): string {
  const lines = all.map(({ name, published, ours, verdict, uninformative: why }) => {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    return [quoted, published, Number(ours.toPrecision(4)), verdict, why ? 'no' : 'yes'].join(',');
  });
  return ['figure,published,ours,verdict,counted', ...lines, ''].join('\n');
}

/** The sentence of the document. */
export function apartText(all: readonly Apart[]): string {
  const counted = all.filter(({ uninformative: why }) => why === undefined);
  const agreeing = counted.filter(({ verdict }) => verdict === 'agrees').length;
  const wrong = counted.filter(({ verdict }) => verdict === 'disagrees').length;
  const share = Math.round((100 * agreeing) / Math.max(1, counted.length));
  return `Of ${counted.length} more informative figures that are kept apart from this repository, and measured by the same code, ${agreeing} agree (${share} %), and ${wrong} disagree.`;
}

import { type Estimate, estimate } from '../../../src/stats/replications.ts';
import type { RunResult } from '../../../src/stats/result.ts';
import { type Overrides, run } from '../../support/scenarios.ts';
import {
  type Arms,
  bounds,
  type Case,
  type Figure,
  judge,
  uninformative,
  type Verdict,
} from './case.ts';
import { type FirstLook, firstLook } from './first-looks.ts';
import { type PublishedRow, publishedRows } from './published.ts';

export interface FigureResult {
  readonly figure: Figure;
  readonly row: PublishedRow;
  readonly published: number;
  readonly ours: Estimate;
  readonly bounds: readonly [number, number];
  readonly verdict: Verdict;
  /** Why it says little that the figure agrees; undefined: it does not, or could well have failed. */
  readonly uninformative: string | undefined;
  /** What was measured first, and its verdict; undefined: this is the first look. */
  readonly first: (FirstLook & { readonly verdict: Verdict }) | undefined;
}

export interface CaseResult {
  readonly case: Case;
  readonly figures: readonly FigureResult[];
  /** Arms of the first seed, for reading their ledgers. */
  readonly arms: ReadonlyMap<string, RunResult>;
}

/** The published value of a figure. */
export function publishedValue(figure: Figure): { row: PublishedRow; value: number } {
  const row = publishedRows.get(figure.row);
  if (!row) throw new Error(`published.csv has no row ${figure.row}`);
  const printed = Number(row[figure.column]);
  if (row[figure.column] === '' || !Number.isFinite(printed)) {
    throw new Error(`${figure.row} has no number in ${figure.column}`);
  }
  return { row, value: figure.convert ? figure.convert(printed, row) : printed };
}

/** Runs under way or done, by scenario: cases share arms. */
const done = new Map<string, Promise<RunResult>>();

function runOnce(scenario: Overrides): Promise<RunResult> {
  const key = JSON.stringify(scenario);
  const known = done.get(key) ?? run(scenario);
  done.set(key, known);
  return known;
}

/** `change` edits every scenario: how the sensitivity sweep replaces a price. */
export function armsOf(
  seed: number,
  change: (scenario: Overrides) => Overrides = (scenario) => scenario,
): { arms: Arms; results: ReadonlyMap<string, RunResult> } {
  const results = new Map<string, RunResult>();
  const arms: Arms = {
    async run(arm, scenario) {
      const known = results.get(arm);
      if (known) return known;
      const checks = { translations: false };
      const output = { timeseries: '1s' };
      const result = await runOnce(change({ output, ...scenario, seed, checks }));
      results.set(arm, result);
      return result;
    },
  };
  return { arms, results };
}

export async function measureCase(which: Case, seeds = which.seeds): Promise<CaseResult> {
  const samples: Readonly<Record<string, number>>[] = [];
  let arms: ReadonlyMap<string, RunResult> = new Map();
  for (let seed = 1; seed <= seeds; seed++) {
    const run = armsOf(seed);
    samples.push(await which.measure(run.arms));
    if (seed === 1) arms = run.results;
  }
  const figures = which.figures.map((figure): FigureResult => {
    const { row, value } = publishedValue(figure);
    const numbers = samples.map((sample) => sample[figure.key]);
    if (!numbers.every((number) => number !== undefined && Number.isFinite(number))) {
      throw new Error(`${which.id} gives no value for ${figure.key}`);
    }
    const ours = estimate(numbers as number[])!;
    const verdict = judge(figure, value, ours.mean);
    const first = firstLook(which, figure);
    return {
      figure,
      row,
      published: value,
      ours,
      bounds: bounds(figure, value),
      verdict,
      uninformative: verdict === 'agrees' ? uninformative(figure, value) : undefined,
      first: first && { ...first, verdict: judge(figure, value, first.value) },
    };
  });
  return { case: which, figures, arms };
}

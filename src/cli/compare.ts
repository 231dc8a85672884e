import { visible } from '../base/visible.ts';
import { type Compared, compareRuns } from '../explain/compare.ts';
import { comparisonText } from '../explain/text.ts';
import { faultIn } from '../files/faults.ts';
import type { Setting } from '../scenario/settings.ts';
import type { RunResult } from '../stats/result.ts';
import { compareColumns } from '../tables/columns.ts';
import { csv } from '../tables/csv.ts';
import { onInterrupt } from './interrupt.ts';
import { openSide, Runner } from './side.ts';
import { print, style } from './terminal.ts';

export interface CompareOptions {
  readonly set: readonly string[];
  readonly with: readonly string[];
  readonly seed?: string;
  readonly all?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** Lines of the ledger shown of each VM. */
const MOST = 12;

export async function compare(
  before: string,
  after: string | undefined,
  options: CompareOptions,
): Promise<void> {
  if (after === undefined && options.with.length === 0) {
    throw faultIn(
      'compare',
      'there is nothing to compare with',
      'name a second run, or say what changes: --with path=value',
    );
  }
  const a = await openSide(before, options);
  const b = await openSide(after ?? before, {
    ...options,
    set: [
      ...options.set,
      ...options.with.map((text): Setting => ({ option: '--with', text, form: 'assignment' })),
    ],
  });
  const interrupt = onInterrupt();
  try {
    const runner = new Runner(interrupt, options.json === true || options.csv === true);
    const results = [await runner.result(a), await runner.result(b)] as const;
    const pairs = paired(results);
    const change = [...options.set, ...options.with].join(' ');
    const labels = [
      [before, ...options.set].join(' '),
      after === undefined ? `${before} ${change}` : `${after} ${change}`.trim(),
    ].map(visible) as [string, string];
    if (options.json) print(`${JSON.stringify({ a: labels[0], b: labels[1], vms: pairs })}\n`);
    else if (options.csv) for (const text of compareCsv(pairs)) print(text);
    else print(comparisonText(pairs, labels, { most: options.all ? Infinity : MOST, style }));
  } finally {
    interrupt.dispose();
  }
}

function paired([a, b]: readonly [RunResult, RunResult]): Compared[] {
  try {
    return compareRuns(a, b);
  } catch (error) {
    if ((error as Error).name !== 'Incomparable') throw error;
    throw faultIn('compare', (error as Error).message, 'compare runs of the same VMs');
  }
}

function compareCsv(pairs: readonly Compared[]): Iterable<string> {
  const rows = pairs.flatMap(({ name, unit, lines, total }) =>
    [...lines, total].map((line) => [
      name,
      line.leaf,
      line.detail,
      line.a,
      line.b,
      line.difference,
      line.share * 100,
      unit,
      line.perUnit?.a,
      line.perUnit?.b,
    ]),
  );
  return csv(compareColumns, rows);
}

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { RunResult } from '../../../src/stats/result.ts';
import { document, type Measured } from './document.ts';
import {
  type Length,
  measure,
  type ProgramCase,
  programs,
  verdictOf,
  type Way,
} from './programs.ts';

/**
 * The presets against counts of real programs: two of them, shortened, in every test run; all under
 * `npm run validate`, which also writes docs/programs.md.
 */
const full = process.env['VALIDATE'] === 'full';
const TIMEOUT_MS = full ? 900_000 : 60_000;
const quick: Readonly<Record<string, readonly Way[]>> = {
  'java-server': ['user'],
  oltp: ['native'],
};
const LENGTHS: Record<'quick' | 'full', Length> = {
  quick: { warmup: 40, window: 40 },
  full: { warmup: 40, window: 200 },
};
const measured: Measured[] = [];

async function check(which: ProgramCase): Promise<void> {
  const results = new Map<Way, RunResult>();
  for (const count of which.counts) {
    const { way } = count;
    if (!full && !quick[which.name]!.includes(way)) continue;
    const result =
      results.get(way) ?? (await measure(which, way, LENGTHS[full ? 'full' : 'quick']));
    results.set(way, result);
    measured.push({ program: which.name, count, ours: count.ours(result) });
  }
}

describe('within 30 % of real programs, or the reason is known:', () => {
  const chosen = programs.filter(({ name }) => full || name in quick);
  test.each(chosen.map((which) => [which.name, which] as const))(
    '%s',
    async (_, which) => {
      await check(which);
      const silent = measured
        .filter(({ program, count, ours }) => {
          return program === which.name && verdictOf(count, ours) === 'differs' && !count.reason;
        })
        .map(({ count, ours }) => `${count.what}: ${ours.toFixed(2)}, not ${count.real}`);
      expect(silent).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

test.runIf(full)('docs/programs.md says what was measured', () => {
  expect(measured.length).toBe(programs.reduce((sum, { counts }) => sum + counts.length, 0));
  const file = new URL('../../../docs/programs.md', import.meta.url);
  writeFileSync(fileURLToPath(file), document(measured));
});

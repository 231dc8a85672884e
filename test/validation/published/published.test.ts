import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { cases } from './cases/index.ts';
import { document } from './document.ts';
import { type CaseResult, measureCase, publishedValue } from './measure.ts';
import { publishedRows } from './published.ts';

/**
 * Published experiments against the simulator: a few, shortened, in every test run; all of them under
 * `npm run validate`, which also writes docs/validation.md.
 */
const full = process.env['VALIDATE'] === 'full';
const results: CaseResult[] = [];

describe('against published measurements, the sign of every claimed figure is right in', () => {
  const chosen = cases.filter(({ quick }) => full || quick);
  test.each(chosen.map((which) => [which.id, which.title, which] as const))(
    '%s: %s',
    async (...[, , which]) => {
      const result = await measureCase(which, full ? which.seeds : 1);
      results.push(result);
      const wrong = result.figures.filter(
        ({ verdict, figure }) => verdict === 'disagrees' && !figure.unclaimed,
      );
      expect(wrong.map(({ figure, ours }) => `${figure.what}: ${ours.mean}`)).toEqual([]);
    },
  );
});

test('at least two thirds of the figures lie within their tolerance', () => {
  const figures = results.flatMap((result) => result.figures);
  const agreeing = figures.filter(({ verdict }) => verdict === 'agrees');
  expect(figures.length).toBeGreaterThan(0);
  expect(agreeing.length / figures.length).toBeGreaterThanOrEqual(2 / 3);
});

test('every figure has a published row with a number, and every row is used', () => {
  const used = cases.flatMap(({ figures }) => figures.map((f) => publishedValue(f).row.id));
  expect([...publishedRows.keys()].filter((id) => !used.includes(id))).toEqual([]);
});

test('what does not agree says why', () => {
  const silent = results.flatMap((result) =>
    result.figures
      .filter(({ verdict, figure }) => verdict !== 'agrees' && !figure.reason)
      .map(({ figure }) => `${result.case.id} ${figure.what}`),
  );
  expect(silent).toEqual([]);
});

test(full ? 'the document is written' : 'the document can be written', () => {
  const text = document(results, '');
  for (const { case: which } of results) expect(text).toContain(`## ${which.id}: ${which.title}`);
  const file = fileURLToPath(new URL('../../../docs/validation.md', import.meta.url));
  if (full) writeFileSync(file, text);
});

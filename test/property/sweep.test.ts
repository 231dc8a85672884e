import { describe, expect, it } from 'vitest';
import { combination, positions, type Space, valuesAt } from '../../src/sweep/axes.ts';
import type { Verdict } from '../../src/sweep/evidence.ts';
import { compileWhere, ExpressionError } from '../../src/sweep/expression.ts';
import { search } from '../../src/sweep/search.ts';
import fc from '../support/property.ts';

const space = (lengths: readonly number[]): Space => ({
  axes: lengths.map((length, i) => ({
    path: `a${i}`,
    column: `a${i}`,
    place: { file: 'f', line: 1, column: 1 },
    values: Array.from({ length }, (_, v) => ({
      label: String(v),
      scalar: v,
      placed: {
        path: `a${i}`,
        place: { file: 'f', line: 1, column: 1 },
        value: { form: 'scalar', place: { file: 'f', line: 1, column: 1 }, value: v },
      },
    })),
  })),
  groups: lengths.map((length, i) => ({ axes: [i], length })),
  size: lengths.reduce((a, b) => a * b, 1),
});

describe('the combinations of axes', () => {
  it('are numbered without gaps, and a number leads back to its values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
        (lengths) => {
          const of = space(lengths);
          const seen = new Set<string>();
          for (let i = 0; i < of.size; i++) {
            expect(combination(of, positions(of, i))).toBe(i);
            seen.add(
              valuesAt(of, i)
                .map(({ label }) => label)
                .join(),
            );
          }
          expect(seen.size).toBe(of.size);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a where expression', () => {
  const names = {
    axes: ['a'],
    axis: (w: string) => (w === 'a' ? 0 : undefined),
    words: new Set<string>(),
  };

  it('is a yes, a no or an error with a place inside the text, whatever it says', () => {
    const piece = fc.constantFrom(
      'a',
      '1',
      '2ms',
      '<',
      '==',
      'and',
      'or',
      'not',
      '(',
      ')',
      '[',
      ']',
      ',',
      'in',
      '-',
      '*',
      ' ',
      '"x"',
      '$',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join(' ');
        try {
          expect(typeof compileWhere(text, names)(() => 3)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(ExpressionError);
          expect((error as ExpressionError).offset).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a search', () => {
  it('finds both ends of the doubt in few tests', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.nat({ max: 300 }),
        fc.nat({ max: 20 }),
        async (length, meeting, doubt) => {
          const meets = Math.min(meeting, length);
          const fails = Math.min(meets + doubt, length);
          const verdict = (i: number): Verdict =>
            i < meets ? 'meets' : i < fails ? 'undecided' : 'fails';
          const asked: number[] = [];
          const found = await search(length, async (i) => {
            asked.push(i);
            return { verdict: verdict(i), n: 3, mean: 0, halfWidth: 0 };
          });
          expect(found.last).toBe(meets - 1);
          expect(found.fails).toBe(fails);
          expect(new Set(asked).size).toBe(asked.length);
          expect(asked.length).toBeLessThanOrEqual(4 * Math.ceil(Math.log2(length + 1)) + 4);
        },
      ),
      { numRuns: 500 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import {
  binomialBounds,
  estimate,
  estimateRatio,
  regularizedBeta,
  studentT,
} from '../../src/stats/replications.ts';

describe('Student-t intervals', () => {
  it('agree with printed tables', () => {
    const table = [
      [1, 0.975, 12.7062],
      [2, 0.975, 4.3027],
      [4, 0.975, 2.7764],
      [9, 0.975, 2.2622],
      [29, 0.975, 2.0452],
      [1000, 0.975, 1.9623],
      [4, 0.95, 2.1318],
      [10, 0.995, 3.1693],
    ] as const;
    for (const [degrees, p, t] of table) expect(studentT(p, degrees)).toBeCloseTo(t, 4);
  });

  it('has closed forms for one and two degrees of freedom', () => {
    for (const p of [0.6, 0.75, 0.9, 0.99, 0.9999]) {
      expect(studentT(p, 1) / Math.tan(Math.PI * (p - 0.5))).toBeCloseTo(1, 9);
      const two = (2 * p - 1) * Math.sqrt(2 / (4 * p * (1 - p)));
      expect(studentT(p, 2) / two).toBeCloseTo(1, 9);
    }
  });

  it('refuses probabilities that have no quantile', () => {
    expect(() => studentT(1, 4)).toThrow(RangeError);
    expect(() => studentT(0.2, 4)).toThrow(RangeError);
    expect(() => studentT(0.9, 0)).toThrow(RangeError);
  });
});

describe('the incomplete beta function', () => {
  it('is the binomial tail for whole parameters', () => {
    // I_x(2, 3) = P(at least 2 of 4 trials succeed)
    const x = 0.3;
    const tail = 6 * x ** 2 * (1 - x) ** 2 + 4 * x ** 3 * (1 - x) + x ** 4;
    expect(regularizedBeta(x, 2, 3)).toBeCloseTo(tail, 12);
  });

  it('mirrors', () => {
    expect(regularizedBeta(0.2, 3.5, 0.5) + regularizedBeta(0.8, 0.5, 3.5)).toBeCloseTo(1, 12);
  });
});

describe('an estimate', () => {
  it('is the mean with the half-width of its interval', () => {
    const { n, mean, halfWidth } = estimate([9, 10, 11, 12, 13])!;
    expect([n, mean]).toEqual([5, 11]);
    expect(halfWidth).toBeCloseTo((2.7764451052 * Math.sqrt(2.5)) / Math.sqrt(5), 8);
  });

  it('has no interval from one sample, and none at all from no sample', () => {
    expect(estimate([3])).toEqual({ n: 1, mean: 3, halfWidth: undefined });
    expect(estimate([])).toBeUndefined();
  });

  it('does not lose a small spread on a large mean', () => {
    const { halfWidth } = estimate([1e15 + 1, 1e15 + 2, 1e15 + 3])!;
    expect(halfWidth).toBeCloseTo(4.30265 / Math.sqrt(3), 4);
  });

  it('covers the true mean about as often as it says', () => {
    // A fixed linear congruential generator, twelve draws summed: nearly normal.
    let state = 12345;
    const uniform = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const normal = () => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b) - 6;
    let covered = 0;
    for (let i = 0; i < 2000; i++) {
      const { mean, halfWidth } = estimate([normal(), normal(), normal(), normal(), normal()])!;
      if (Math.abs(mean) <= halfWidth!) covered++;
    }
    expect(covered / 2000).toBeGreaterThan(0.935);
    expect(covered / 2000).toBeLessThan(0.965);
  });
});

describe('an estimate without bound', () => {
  it('has no interval', () => {
    const samples = [1, Number.POSITIVE_INFINITY, 2];
    expect(estimate(samples)).toEqual({
      n: 3,
      mean: Number.POSITIVE_INFINITY,
      halfWidth: undefined,
    });
  });
});

describe('Clopper-Pearson bounds', () => {
  it('agree with printed tables', () => {
    // 95 % two-sided.
    const table = [
      [0, 10, 0, 0.3085],
      [1, 10, 0.0025, 0.445],
      [5, 10, 0.1871, 0.8129],
      [10, 10, 0.6915, 1],
      [4, 200, 0.0055, 0.0504],
    ] as const;
    for (const [hits, n, low, high] of table) {
      const [least, most] = binomialBounds(hits, n, 0.025);
      expect(least).toBeCloseTo(low, 4);
      expect(most).toBeCloseTo(high, 4);
    }
  });

  it('have a closed form where nothing was hit', () => {
    expect(binomialBounds(0, 200, 0.01)[1]).toBeCloseTo(1 - 0.01 ** (1 / 200), 10);
  });
});

describe('an estimate of a ratio', () => {
  it('is that of the sums, with the spread of replications', () => {
    const parts = [
      { part: 2, whole: 10 },
      { part: 6, whole: 20 },
      { part: 0, whole: 0 },
      { part: 4, whole: 10 },
    ];
    const { n, mean, halfWidth } = estimateRatio(parts)!;
    expect([n, mean]).toEqual([3, 0.3]);
    // Deviations of -1, 0 and 1 from 3, 6 and 3, in units of the mean whole, 40 / 3.
    const error = Math.sqrt((2 * (3 / 40) ** 2) / 2 / 3);
    expect(halfWidth).toBeCloseTo(4.30265 * error, 4);
  });

  it('of wholes alike is the estimate of the shares', () => {
    const shares = [0.1, 0.3, 0.2, 0.25];
    const parts = shares.map((share) => ({ part: 50 * share, whole: 50 }));
    expect(estimateRatio(parts)!.halfWidth).toBeCloseTo(estimate(shares)!.halfWidth!, 12);
  });

  it('does not exist without a whole', () => {
    expect(estimateRatio([{ part: 0, whole: 0 }])).toBeUndefined();
    expect(estimateRatio([{ part: 1, whole: 4 }])).toEqual({
      n: 1,
      mean: 0.25,
      halfWidth: undefined,
    });
  });
});

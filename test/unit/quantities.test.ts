import { describe, expect, it } from 'vitest';
import {
  counted,
  countedRange,
  interval,
  perUnit,
  plain,
  shown,
  shownDifference,
} from '../../src/report/quantities.ts';

describe('a value for people', () => {
  it.each([
    ['latency_p99_ns', 10_123_456, 2_345_678, 3, '10.1 ± 2.3 ms'],
    ['latency_p99_ns', 10_079_084, 22_592_930, 3, '10 ms (too few: 3 runs)'],
    ['latency_p99_ns', 10_079_084, 22_592_930, 1, '10 ms (too few: 1 run)'],
    ['latency_p99_ns', 10_079_084, undefined, 1, '10.1 ms'],
    ['latency_p50_ns', 12_345, 678, 5, '12.35 ± 0.68 µs'],
    ['latency_p50_ns', 345, 67, 5, '345 ± 67 ns'],
    ['latency_max_ns', 12.3e9, 0.5e9, 5, '12.30 ± 0.50 s'],
    ['latency_p99_ns', Number.POSITIVE_INFINITY, undefined, 3, 'none served'],
    ['slowdown', Number.POSITIVE_INFINITY, undefined, 3, 'no work done'],
    ['slowdown', Number.NaN, undefined, 3, '-'],
    ['ready_share', 0.000_009_537, 0.000_041_03, 3, '0.00095 % (too few: 3 runs)'],
    ['ready_share', 0, 0, 3, '0 %'],
    ['host_overhead', 0.0823, 0.0031, 3, '8.23 ± 0.31 %'],
    ['vms_per_core', 4, 0, 3, '4'],
    ['work_per_second', 12_345.6, 234, 3, '12,350 ± 230'],
    ['work_per_second', 1_234_567, 0, 3, '1,234,567'],
    ['cycles_per_instruction', 3.879_23, 0.0996, 3, '3.88 ± 0.10'],
  ] as const)('%s of %d ± %s', (name, value, half, runs, text) => {
    expect(shown(name, value, half, runs)).toBe(text);
  });

  it('may be a difference of either sign', () => {
    expect(shownDifference('latency_p99_ns', 902_000, 1_580_000)).toBe('+0.9 ± 1.6 ms');
    expect(shownDifference('latency_p99_ns', -902_000, 1_580_000)).toBe('-0.9 ± 1.6 ms');
    expect(shownDifference('ready_share', 0, 0)).toBe('0 %');
  });

  it('has three significant digits where there is no interval', () => {
    expect([0, 1, 0.012_345, 9.996, 99.96, 1234.5, 12_345_678, -0.0001].map(plain)).toEqual([
      '0',
      '1',
      '0.0123',
      '10',
      '100',
      '1,235',
      '12,345,678',
      '-0.0001',
    ]);
    expect(interval(1, 0.999)).toBe('1.0 ± 1.0');
  });
});

describe('an amount of work', () => {
  it.each([
    [0, 'requests', '0 requests'],
    [1, 'jobs', '1 job'],
    [1, 'passes', '1 pass'],
    [2, 'passes', '2 passes'],
    [12_345, 'iterations', '12,345 iterations'],
    [18.402_111, 'million instructions', '18.4 million instructions'],
    [1, 'million instructions', '1 million instructions'],
  ])('of %d %s', (amount, unit, text) => {
    expect(counted(amount, unit)).toBe(text);
  });

  it('of several VMs', () => {
    expect(countedRange([1, 3], 'jobs')).toBe('1-3 jobs');
    expect(countedRange([0, 1], 'jobs')).toBe('0-1 jobs');
    expect(countedRange([1, 1], 'jobs')).toBe('1 job');
    expect(countedRange([27.94, 28.06], 'million instructions')).toBe(
      '27.9-28.1 million instructions',
    );
  });

  it('names one unit in the singular', () => {
    expect(['requests', 'passes', 'turns', 'million instructions'].map(perUnit)).toEqual([
      'per request',
      'per pass',
      'per turn',
      'per million instructions',
    ]);
  });
});

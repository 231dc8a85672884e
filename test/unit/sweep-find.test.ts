import { describe, expect, it } from 'vitest';
import { measureNames, measures } from '../../src/stats/measures.ts';
import { growths } from '../../src/sweep/answer.ts';
import { achieved, ObjectiveError, parseObjective } from '../../src/sweep/objective.ts';
import { valuesBetween } from '../../src/sweep/question.ts';
import type { UnitResult, VmResult } from '../../src/sweep/unit.ts';

describe('an objective', () => {
  it.each([
    ['p99 latency < 50ms', { measure: 'latency_p99_ns', below: true, limit: 50e6, scope: 'every' }],
    ['slowdown < 1.25 for every VM', { measure: 'slowdown', limit: 1.25, scope: 'every' }],
    ['host overhead < 10%', { measure: 'host_overhead', limit: 0.1, scope: 'host' }],
    ['overhead <= 20 % on average', { measure: 'overhead', limit: 0.2, scope: 'average' }],
    ['work per second > 100 for web', { measure: 'work_per_second', below: false, group: 'web' }],
    ['p99_latency < 50ms', { measure: 'latency_p99_ns' }],
    ['latency_p99_ns < 50ms', { measure: 'latency_p99_ns' }],
    ['latency p99 < 50ms', { measure: 'latency_p99_ns' }],
    ['P95-Latency < 50ms', { measure: 'latency_p95_ns' }],
    ['median latency < 50ms', { measure: 'latency_p50_ns' }],
    ['mean latency < 50us', { measure: 'latency_mean_ns', limit: 50e3 }],
    ['maximum latency < 1 s', { measure: 'latency_max_ns' }],
    ['VMs per core > 2', { measure: 'vms_per_core' }],
    ['throughput > 2', { measure: 'work_per_second' }],
    ['latency_max < 1 s', { measure: 'latency_max_ns', limit: 1e9 }],
  ])('reads %s', (text, expected) => {
    expect(parseObjective(text, ['web'])).toMatchObject(expected);
  });

  it.each([
    ['make it fast', 'not an objective'],
    ['slowdwn < 2', 'there is no metric "slowdwn"'],
    ['slowdown_worst < 2', 'of a whole VM group'],
    ['running cycles < 2', '"running cycles" is a number of cycles'],
    ['walks < 2', 'a ratio, a rate or a latency'],
    ['p99 latency < 50', '"50" is no limit for p99 latency'],
    ['slowdown < 2ms', '"2ms" is no limit for slowdown'],
    ['slowdown < 2 for db', 'there is no VM group "db"'],
  ])('refuses %s', (text, message) => {
    expect(() => parseObjective(text, ['web'])).toThrow(ObjectiveError);
    expect(() => parseObjective(text, ['web'])).toThrow(message);
  });
});

describe('what an objective may mean', () => {
  it.each([
    ['p99 latnecy < 10ms', 'did you mean "p99 latency"?'],
    ['latncy_max_ns < 10ms', 'latency"?'],
    ['host overhed < 10%', 'did you mean "host overhead"?'],
    ['walks < 2', 'p99 latency'],
  ])('is suggested in words: %s', (text, hint) => {
    let said: string | undefined;
    try {
      parseObjective(text, ['web']);
    } catch (error) {
      said = (error as ObjectiveError).suggestion;
    }
    expect(said).toContain(hint);
    expect(said).not.toMatch(/_/);
  });

  it('is told apart by words as by names', () => {
    const key = (text: string) => text.toLowerCase().split(/[ _-]/).toSorted().join(' ');
    const words = measureNames.map((name) => key(measures[name].words));
    expect(new Set(words).size).toBe(words.length);
  });
});

const result = (slowdowns: readonly number[], ledger = {}): UnitResult => ({
  mhz: 2200,
  windowCycles: 1e6,
  host: { host_overhead: 0.07 },
  groups: [
    {
      group: 'web',
      vms: slowdowns.length,
      workload: 'idle',
      unit: 'requests',
      values: { instructions: 1000, ready_cycles: 100 * slowdowns.length },
      ledger,
    },
  ],
  vms: slowdowns.map((slowdown, i) => ({ vm: `web-${i}`, group: 'web', values: { slowdown } })),
  findings: [],
});

describe('what a run achieved', () => {
  it('is that of the worst VM, the average, or the host', () => {
    const of = (text: string) => achieved(parseObjective(text, ['web']), result([1, 3, 2]));
    expect(of('slowdown < 2')).toBe(3);
    expect(of('slowdown > 2')).toBe(1);
    expect(of('slowdown < 2 on average')).toBe(2);
    expect(of('host overhead < 10%')).toBe(0.07);
    expect(of('p99 latency < 1ms')).toBeUndefined();
  });

  it('is beyond any limit for a VM that got nothing done', () => {
    const of = (vm: VmResult, text: string) =>
      achieved(parseObjective(text, ['web']), { ...result([2]), vms: [...result([2]).vms, vm] });
    const none = { vm: 'web-1', group: 'web', values: { latency_mean_ns: Infinity } };
    expect(of(none, 'mean latency < 1ms')).toBe(Infinity);
    const idle: VmResult = { vm: 'web-1', group: 'web', values: { slowdown: Infinity } };
    expect(of(idle, 'slowdown < 9')).toBe(Infinity);
    expect(of(idle, 'slowdown < 9 on average')).toBe(Infinity);
  });

  it('says what grew most per instruction', () => {
    const before = [result([1], { 'guest.user': 500, 'walk.guest/capacity': 10 })];
    const after = [result([1, 1], { 'guest.user': 500, 'walk.guest/capacity': 60 })];
    expect(growths(before, after, 'web')).toEqual([
      { leaf: 'ready', before: 100, after: 200 },
      { leaf: 'walk.guest/capacity', before: 10, after: 60 },
    ]);
  });
});

describe('the values of an axis', () => {
  it('are numbers with or without a unit', () => {
    expect(valuesBetween(1, 4, 1)).toEqual([1, 2, 3, 4]);
    expect(valuesBetween('1ms', '3ms', 1)).toEqual(['1ms', '2ms', '3ms']);
    expect(valuesBetween('0.1s', '0.3s', 0.1)).toEqual(['0.1s', '0.2s', '0.3s']);
    expect(valuesBetween(0, '2MiB', 1)).toEqual(['0MiB', '1MiB', '2MiB']);
  });

  it.each([
    [1, '4ms', 'the same unit'],
    [5, 4, 'must not be below'],
    ['lots', 4, '"lots" is not a number'],
    [1, 1e6, 'more than 4096'],
  ])('cannot go from %s to %s', (from, to, message) => {
    expect(valuesBetween(from, to, 1)).toContain(message);
  });
});

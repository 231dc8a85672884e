import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/explain/compare.ts';
import { comparisonText } from '../../src/explain/text.ts';
import type { RunResult } from '../../src/stats/result.ts';

/** A run of one VM: its cycles by leaf, and the work that was finished in the window. */
const result = (
  unit: string,
  work: number,
  instructions: number,
  leaves: Readonly<Record<string, number>>,
): RunResult => ({
  name: 's',
  seed: '1',
  mhz: 2200,
  windowCycles: 1e8,
  pcpuCount: 1,
  metrics: [],
  ledger: Object.entries(leaves).map(([leaf, cycles]) => ({
    pcpu: 0,
    vm: 'a-0',
    leaf,
    detail: '',
    cycles,
  })),
  exits: [],
  evictions: undefined,
  vms: [
    {
      vm: 'a-0',
      group: 'a',
      workload: 'w',
      unit,
      startInstructions: 0,
      metrics: { work, user_instructions: instructions },
      ledger: leaves,
    },
  ],
  latencies: [],
  timeseries: [],
  findings: [],
});

const text = (a: RunResult, b: RunResult) =>
  narrow(
    comparisonText(compareRuns(a, b), ['x', 'y'], { most: Infinity, style: (_, words) => words }),
  );

const narrow = (said: string) => {
  expect(Math.max(...said.split('\n').map((line) => line.length)), said).toBeLessThanOrEqual(100);
  return said;
};

describe('the cost of a unit of work', () => {
  // One unit more is finished in B, in fewer instructions: per whole unit B would look cheaper.
  const a = { 'guest.user': 18_400_000, 'data.stall': 1_900_000, switch: 50_000 };
  const b = { 'guest.user': 18_330_000, 'data.stall': 1_899_000, switch: 40_000 };

  it.each([
    ['requests', 100, 101],
    ['jobs', 10, 11],
    ['iterations', 1000, 1040],
    ['million instructions', 18.4, 18.33],
  ])('in %s never has the sign opposite to the cost of an instruction', (unit, before, after) => {
    const [compared] = compareRuns(
      result(unit, before, 18_400_000, a),
      result(unit, after, 18_330_000, b),
    );
    for (const line of [...compared!.lines, compared!.total]) {
      const perUnit = line.perUnit!.b - line.perUnit!.a;
      expect(Math.sign(Number(perUnit.toFixed(6)))).toBe(
        Math.sign(Number(line.difference.toFixed(6))),
      );
    }
    const stall = compared!.lines.find(({ leaf }) => leaf === 'data.stall')!;
    expect(stall.difference).toBeGreaterThan(0);
    expect(1_899_000 / after - 1_900_000 / before).toBeLessThan(unit.includes('million') ? 1e9 : 0);
  });

  it('is that of the instructions executed where those are the unit', () => {
    const [compared] = compareRuns(
      result('million instructions', 18.4, 18_400_000, a),
      result('million instructions', 18.33, 18_330_000, b),
    );
    const { perUnit } = compared!.lines.find(({ leaf }) => leaf === 'data.stall')!;
    expect(perUnit!.a).toBeCloseTo(1_900_000 / 18.4, 6);
    expect(perUnit!.b).toBeCloseTo(1_899_000 / 18.33, 6);
  });

  it.each([
    ['jobs', 9, 12, 'no cost per job: it takes 10 jobs'],
    ['requests', 20, 0, 'no cost per request: it takes 10 requests'],
    ['passes', 1, 1, 'no cost per pass: it takes 10 passes'],
  ])('is left out below ten whole %s, and says so', (unit, before, after, message) => {
    const said = text(result(unit, before, 18_400_000, a), result(unit, after, 18_330_000, b));
    expect(said).toContain(message);
    expect(said).not.toMatch(/total\s+per/);
  });

  it('is headed by one unit', () => {
    const said = (unit: string) =>
      text(result(unit, 20, 18_400_000, a), result(unit, 20, 18_330_000, b));
    expect(said('requests')).toMatch(/% of A's +B - A\n +A +B +B - A +total +per request\n/);
    expect(said('million instructions')).toMatch(/total +per million\n/);
  });
});

describe('the verdict', () => {
  it('adds up an exit and its handler, and names at most two causes', () => {
    const said = text(
      result('jobs', 20, 1e6, { 'exit.transition': 60_000, 'exit.handler': 30_000, switch: 5_000 }),
      result('jobs', 20, 1e6, { 'exit.transition': 0, 'exit.handler': 0, switch: 15_000 }),
    );
    expect(said.replace(/\s+/g, ' ')).toContain(
      'fewer cycles than A for the same work: the gain in exits (-90.0 cycles per 1000 instructions) is partly eaten by vCPU switches (+10.0).',
    );
    expect(said).not.toMatch(/NaN|% of that/);
  });

  it('names what pulls the other way when one line is more than all', () => {
    const said = text(
      result('jobs', 20, 1e6, { 'walk.nested': 300_000, switch: 10_000 }),
      result('jobs', 20, 1e6, { 'walk.nested': 0, switch: 200_000 }),
    );
    expect(said).toContain(
      'a-0: B takes 35.5 % fewer cycles than A for the same work: the gain in nested page walks\n  (walk.nested, -300 cycles per 1000 instructions) is partly eaten by vCPU switches (+190).',
    );
  });
});

import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { presetNumbers } from '../../src/cli/preset-numbers.ts';
import { presets } from '../../src/scenario/presets.ts';

/**
 * What must hold between numbers of processor presets, whatever they are: dies that are the same, levels
 * that lie behind each other, sources that measured several parts by one method.
 */

interface Preset {
  readonly clock: string;
  readonly diesPerSocket: number;
  readonly coresPerDie: number;
  readonly walk: {
    readonly nestedTlbEntries: number;
    readonly pwcNestedLeaves?: boolean;
    readonly reads: string;
  };
  readonly caches: {
    readonly l1i: { size: string; ways: number; sharedByCores: number };
    readonly l1d: { size: string; ways: number; hitCycles: number };
    readonly l2: {
      size: string;
      ways: number;
      hitCycles: number;
      sharedByCores: number;
      exclusive: boolean;
    };
    readonly l3: { size: string | number; ways: number; hitCycles: number };
    readonly prefetch: { sequential: number };
  };
  readonly memory: { localCycles: number; hopPermille: number[]; lineCycles: number };
  readonly svm: {
    nestedPaging: boolean;
    vmrunCycles: number;
    vmexitCycles: number;
    vmcbReloadCycles?: number;
  };
}

const names = Object.keys(presets.processors);
const of = (name: string): Preset => parse(presets.processors[name]!) as Preset;
const ghz = (name: string) => Number.parseFloat(of(name).clock);
const ns = (name: string, cycles: number) => cycles / ghz(name);
const dram = (name: string) => ns(name, of(name).memory.localCycles);
const l3 = (name: string) => ns(name, of(name).caches.l3.hitCycles);
/** Half a cycle of rounding. */
const rounding = (name: string) => 0.51 / ghz(name);
const bytes = (size: string | number) => {
  if (size === 0) return 0;
  const [, number, unit] = /^(\d+)(KiB|MiB)$/.exec(String(size))!;
  return Number(number) * (unit === 'KiB' ? 1024 : 1024 * 1024);
};

const [santaRosa, budapest, barcelona2, barcelona4] = [
  'opteron-2218',
  'opteron-1354',
  'opteron-2356',
  'opteron-8356',
] as const;
const [shanghai, istanbul, magnyCours, interlagos] = [
  'opteron-8384',
  'opteron-2435',
  'opteron-6172',
  'opteron-6276',
] as const;

test('the relations are about all presets there are', () => {
  const known = [
    santaRosa,
    budapest,
    barcelona2,
    barcelona4,
    shanghai,
    istanbul,
    magnyCours,
    interlagos,
  ];
  expect(names.toSorted()).toEqual(known.toSorted());
});

test.each(names)('%s: each level is larger in time and in size than the one before', (name) => {
  const { l1i, l1d, l2, l3: third } = of(name).caches;
  const { localCycles } = of(name).memory;
  expect(l2.hitCycles).toBeGreaterThan(l1d.hitCycles);
  expect(bytes(l2.size) / l2.sharedByCores).toBeGreaterThan(bytes(l1d.size));
  expect(bytes(l2.size)).toBeGreaterThan(bytes(l1i.size));
  if (third.size !== 0) {
    expect(third.hitCycles).toBeGreaterThan(l2.hitCycles);
    expect(bytes(third.size)).toBeGreaterThan(bytes(l2.size));
  }
  expect(localCycles).toBeGreaterThan(Math.max(third.hitCycles, l2.hitCycles));
});

test.each(names)('%s: caches have sets by powers of two, of lines of 64 bytes', (name) => {
  for (const { size, ways } of Object.values(of(name).caches).filter((c) => 'ways' in c)) {
    if (size === 0) continue;
    const sets = bytes(size) / 64 / ways;
    expect(Math.log2(sets) % 1, `${size}, ${ways} ways`).toBe(0);
  }
});

test('parts that are the same die have the same L3 in nanoseconds', () => {
  for (const name of [barcelona2, barcelona4]) {
    expect(Math.abs(l3(name) - l3(budapest))).toBeLessThan(rounding(name) + rounding(budapest));
  }
});

test('the L3 of the die of Istanbul slows with the clock of the northbridge at most', () => {
  const ratio = l3(magnyCours) / l3(istanbul);
  expect(ratio).toBeGreaterThan(1);
  expect(ratio).toBeLessThan((2.2 / 1.8) * 1.02);
});

test('the L3 in nanoseconds got shorter from revision B to C to D, as the logs of one program have it', () => {
  expect(l3(shanghai)).toBeLessThan(l3(barcelona2));
  expect(l3(istanbul)).toBeLessThan(l3(shanghai));
});

test('memory is as far as McCalpin measured it, by one method', () => {
  const measured: [string, number, number][] = [
    [santaRosa, 60, 60],
    [barcelona2, 85, 85],
    [barcelona4, 100, 130],
    [istanbul, 78, 78],
  ];
  for (const [name, low, high] of measured) {
    expect(dram(name), name).toBeGreaterThan(low - rounding(name));
    expect(dram(name), name).toBeLessThan(high + rounding(name));
  }
});

test('memory of the same die is further the more sockets must answer', () => {
  expect(dram(budapest)).toBeLessThan(dram(barcelona2));
  expect(dram(barcelona2)).toBeLessThan(dram(barcelona4));
});

test('later revisions of Family 10h are not further from memory with as many sockets', () => {
  expect(dram(istanbul)).toBeLessThan(dram(barcelona2));
  expect(dram(shanghai)).toBeLessThan(dram(barcelona4));
});

test('a filter of snoops brings memory nearer, and leaves a remote read what it takes without', () => {
  expect(dram(magnyCours)).toBeLessThan(dram(istanbul));
  for (const name of [magnyCours, interlagos]) {
    const remote = (dram(name) * of(name).memory.hopPermille[0]!) / 1000;
    expect(remote, name).toBeGreaterThan(dram(istanbul) - rounding(name));
  }
});

test.each(names)('%s: further memory takes longer', (name) => {
  const { hopPermille } = of(name).memory;
  expect(hopPermille.toSorted((a, b) => a - b)).toEqual(hopPermille);
  expect(hopPermille[0]).toBeGreaterThanOrEqual(1000);
  // Single-socket parts have no hop; dies of one package and the next are one and two hops away.
  if (of(name).diesPerSocket > 1) expect(hopPermille.length).toBeGreaterThan(1);
});

/** GB/s of the channels of one memory node: two of each, 8 bytes wide. */
const peak: Readonly<Record<string, number>> = {
  [santaRosa]: 2 * 8 * 0.667,
  [budapest]: 2 * 8 * 0.8,
  [barcelona2]: 2 * 8 * 0.667,
  [barcelona4]: 2 * 8 * 0.667,
  [shanghai]: 2 * 8 * 0.8,
  [istanbul]: 2 * 8 * 0.8,
  [magnyCours]: 2 * 8 * 1.333,
  [interlagos]: 2 * 8 * 1.6,
};

test.each(names)('%s: a node sustains half to nine tenths of the peak of its channels', (name) => {
  const sustained = 64 / ns(name, of(name).memory.lineCycles);
  expect(sustained / peak[name]!).toBeGreaterThan(0.5);
  expect(sustained / peak[name]!).toBeLessThan(0.9);
});

test.each(names)(
  '%s: one core that reads line after line stays below what the channels sustain',
  (name) => {
    const { caches, memory } = of(name);
    const exposed = (memory.localCycles * (1000 - caches.prefetch.sequential)) / 1000;
    expect(exposed).toBeGreaterThan(memory.lineCycles);
    // And a core alone cannot leave the channels nearly idle: it got at least a fifth of them in the logs.
    expect(exposed).toBeLessThan(5 * memory.lineCycles);
  },
);

test('what the prefetcher hides grew from generation to generation', () => {
  const hidden = [santaRosa, barcelona2, shanghai, istanbul, interlagos].map(
    (name) => of(name).caches.prefetch.sequential,
  );
  expect(hidden.toSorted((a, b) => a - b)).toEqual(hidden);
  expect(of(budapest).caches.prefetch).toEqual(of(barcelona2).caches.prefetch);
  expect(of(barcelona4).caches.prefetch).toEqual(of(barcelona2).caches.prefetch);
  expect(of(magnyCours).caches.prefetch).toEqual(of(istanbul).caches.prefetch);
});

test.each(names)('%s: cores of a module share what lies behind one fetch unit', (name) => {
  const { l1i, l2 } = of(name).caches;
  expect(l1i.sharedByCores).toBe(l2.sharedByCores);
  expect(of(name).coresPerDie % l2.sharedByCores).toBe(0);
});

test.each(names)('%s: the L2 takes the victims of the L1 unless the L1 writes through', (name) => {
  const { l2 } = of(name).caches;
  expect(l2.exclusive).toBe(name !== interlagos);
  expect(of(name).walk.reads).toBe('l2');
});

test.each(names)('%s: without nested paging nothing is kept of nested tables', (name) => {
  const { walk, svm } = of(name);
  if (svm.nestedPaging) {
    expect(walk.nestedTlbEntries).toBeGreaterThan(0);
    expect(walk.pwcNestedLeaves).toBe(name !== interlagos);
  } else {
    expect(walk.nestedTlbEntries).toBe(0);
    expect(walk.pwcNestedLeaves ?? false).toBe(false);
  }
});

test('a world switch of revision B takes three quarters of one before it, and later ones no more', () => {
  const trip = (name: string) => {
    const { vmexitCycles, vmrunCycles, vmcbReloadCycles = 0 } = of(name).svm;
    return vmrunCycles + vmexitCycles + vmcbReloadCycles;
  };
  expect(trip(budapest)).toBe(0.75 * trip(santaRosa));
  expect(trip(istanbul)).toBeLessThanOrEqual(trip(budapest));
  // Without clean bits all of the VMCB is loaded.
  expect(trip(interlagos)).toBeGreaterThan(trip(istanbul));
});

/** The number that the range of a line of several is about. */
const ranged: Readonly<Record<string, RegExp>> = {
  'caches.l3': /hitCycles: (\d+)/,
  'caches.prefetch': /sequential: (\d+)/,
  'memory.localCycles': /^(\d+)/,
  'memory.lineCycles': /^(\d+)/,
  'instructions.fpuSwitch': /^(\d+)/,
};

test.each(names)(
  '%s: latencies lie in their ranges, whose ends are those of the other methods',
  (name) => {
    let seen = 0;
    for (const { key, value, status, range } of presetNumbers(presets.processors[name]!)) {
      const number = ranged[key]?.exec(value)?.[1];
      if (number === undefined || status === 'published') continue;
      seen++;
      const [low, high] = range.split('-').map(Number);
      expect(Number(number), key).toBeGreaterThanOrEqual(low!);
      expect(Number(number), key).toBeLessThanOrEqual(high!);
    }
    expect(seen).toBe(of(name).caches.l3.size === 0 ? 4 : 5);
  },
);

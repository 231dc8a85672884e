import { describe, expect, it } from 'vitest';
import { workloads } from '../../src/guest/workloads/index.ts';
import { checkRoom, layOut, offsetsOf, TOP } from '../../src/guest/workloads/layout.ts';
import type { SyntheticRegion } from '../../src/guest/workloads/synthetic-params.ts';
import {
  Op,
  type ProcessImage,
  type Program,
  type TraceFeed,
  type Workload,
} from '../../src/guest/workloads/workload.ts';
import { nextItems } from '../support/items.ts';
import fc from '../support/property.ts';
import { simulate } from '../support/scenarios.ts';

/** Random layouts: who gets which addresses, from which random numbers, and within which bounds. */

const unread: TraceFeed = { name: 't', ended: true, take: () => undefined, rewind: () => {} };

function make(params: object, vm = 'a-0', seed = '1'): Workload {
  const choice = workloads.schema.parse(params);
  return workloads.create(choice, { seed, vm, memoryPages: 1 << 20, openTrace: () => unread });
}

const REGIONS = [
  { name: 'text', kind: 'code', size: '64KiB', share: 1 },
  { name: 'heap', kind: 'anon', size: '200KiB', share: 1, stores: 0.5 },
  { name: 'library', kind: 'file', size: '100KiB', share: 1 },
  { name: 'pool', kind: 'anon', size: '6MiB', pageSize: '2MiB', share: 1 },
  { name: 'stack', kind: 'anon', size: '64KiB', share: 1, stores: 0.5 },
];
const PROGRAM = { kind: 'synthetic', regions: REGIONS };

const startsOf = ({ regions }: ProcessImage): Record<string, number> =>
  Object.fromEntries(regions.map(({ name, start }) => [name, start]));
const first = (params: object, vm?: string, seed?: string) =>
  startsOf(make(params, vm, seed).processes[0]!);

/** Every page that a program names: of visits and of mappings. */
function pagesOf(program: Program, fills = 20): Set<number> {
  const pages = new Set<number>();
  for (let i = 0; i < fills; i++) {
    for (const [page, word] of nextItems(program, 64)) {
      const op = word & 255;
      if (op <= Op.Store || op === Op.Mmap) pages.add(page);
    }
  }
  return pages;
}

/** Items until an operation `op`, which is included. */
function runTo(program: Program, op: number): number[] {
  const pages: number[] = [];
  for (let i = 0; i < 10_000; i++) {
    for (const [page, word] of nextItems(program, 64)) {
      if ((word & 255) === op) return pages;
      if ((word & 255) <= Op.Store) pages.push(page);
    }
  }
  throw new Error(`no operation ${op}`);
}

describe('aslr', () => {
  it('moves heap, mappings and stack of every process of every VM, and not the text', () => {
    const all = ['a-0', 'a-1', 'b-0'].flatMap((vm) =>
      make({ ...PROGRAM, processes: 5 }, vm).processes.map(startsOf),
    );
    for (const name of ['heap', 'library', 'pool', 'stack']) {
      expect(new Set(all.map((starts) => starts[name])).size, name).toBe(all.length);
    }
    expect(new Set(all.map((starts) => starts['text']))).toEqual(new Set([0x400]));
  });

  it('is on unless the scenario turns it off', () => {
    expect(first(PROGRAM)).toEqual(first({ ...PROGRAM, aslr: true }));
    const fixed = { ...PROGRAM, aslr: false };
    expect(first(fixed)).not.toEqual(first(PROGRAM));
    expect(first(fixed, 'b-3', '77')).toEqual(first(fixed));
  });

  it.each([
    ['page-fault-loop', {}],
    ['mmap-loop', {}],
    ['fork-loop', {}],
    ['context-switch-ring', { processes: 2 }],
    ['tlb-thrash', { pages: 50 }],
    ['tlb-thrash', { pages: 5, pageSize: '2MiB' }],
  ])('is known to %s %o', (kind, params) => {
    // Where its memory lies: its data region, or else the lowest page it maps.
    const place = (aslr: boolean, vm: string) => {
      const { regions, programs } = make({ kind, aslr, ...params }, vm).processes[0]!;
      const pages = [...pagesOf(programs[0]!, 4)].filter((page) => page !== 0x400);
      const data = regions.find(({ name }) => name === 'data');
      if (!data) return Math.min(...pages);
      for (const page of pages) expect(page - data.start).toBeLessThan(data.pages);
      if ('pageSize' in params) expect(data.start % 512).toBe(0);
      expect(Math.min(...pages)).toBeGreaterThanOrEqual(data.start);
      return data.start;
    };
    expect(place(false, 'a-0')).toBe(place(false, 'b-0'));
    expect(place(true, 'a-0')).toBe(place(true, 'a-0'));
    expect(place(true, 'a-0')).not.toBe(place(true, 'b-0'));
  });

  it('is no key where nothing would move', () => {
    expect(() => make({ kind: 'idle', aslr: false })).toThrow(/aslr/);
    expect(() => make({ kind: 'trace', file: 't', aslr: false })).toThrow(/aslr/);
  });

  it('gives the processes of a ring addresses of their own', () => {
    const { processes } = make({ kind: 'context-switch-ring', processes: 8 });
    expect(new Set(processes.map((process) => startsOf(process)['data'])).size).toBe(8);
  });
});

describe('the random stream of a layout', () => {
  it('depends on the seed and the place in the tree alone', () => {
    const expected = first(PROGRAM, 'a-1');
    expect(first({ ...PROGRAM, processes: 9 }, 'a-1')).toEqual(expected);
    const others = {
      cpi: 2,
      hz: 0,
      per1M: { syscalls: { other: 50 }, mmap: { calls: 40 }, mprotect: 9 },
      jobs: { instructions: 5000, forks: false },
    };
    expect(first({ ...PROGRAM, ...others }, 'a-1')).toEqual(expected);
    const requests = { arrivals: { kind: 'open', rate: '5/s' }, instructions: 1000 };
    expect(first({ ...PROGRAM, requests }, 'a-1')).toEqual(expected);
    // A region more moves none that lie before it.
    const more = [...REGIONS, { name: 'more', kind: 'anon', size: '3MiB', share: 2 }];
    const longer = first({ ...PROGRAM, regions: more }, 'a-1');
    expect(longer).toMatchObject({ heap: expected['heap'], stack: expected['stack'] });
    expect(first(PROGRAM, 'a-1', '2')).not.toEqual(expected);
  });

  it('changes no other random number: the same visits, only elsewhere', () => {
    const relative = (aslr: boolean) => {
      const { regions, programs } = make({ ...PROGRAM, aslr, per1M: { syscalls: { other: 900 } } })
        .processes[0]!;
      const program = programs[0]!;
      return Array.from({ length: 40 }, () => nextItems(program, 256))
        .flat()
        .map(([page, word, ...counts]) => {
          if ((word & 255) > Op.Store) return [page, word, ...counts];
          const region = regions.find((r) => page >= r.start && page < r.start + r.pages)!;
          return [region.name, page - region.start, word, ...counts];
        });
    };
    expect(relative(true)).toEqual(relative(false));
  });

  it('fills the ranges of Linux evenly, down to the set of the TLB', () => {
    const draws = Array.from({ length: 20_000 }, (_, i) => offsetsOf(true, '1', `vm/x-${i}`));
    for (const [name, range] of [
      ['heap', 2 ** 13],
      ['mmap', 2 ** 28],
      ['stack', 2 ** 22],
    ] as const) {
      const values = draws.map((offsets) => offsets[name]);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...values)).toBeLessThan(range);
      const tenths = new Array(10).fill(0);
      const sets = new Array(128).fill(0);
      for (const value of values) {
        tenths[Math.floor((value / range) * 10)]++;
        sets[value & 127]++;
      }
      // 2000 and 156 expected; 6 standard deviations.
      for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(6 * 43);
      for (const count of sets) expect(Math.abs(count - 156)).toBeLessThan(6 * 12.5);
    }
  });
});

it('processes share a file wherever each has it mapped', () => {
  const frames = (aslr: boolean, processes: number) => {
    const library = { name: 'library', kind: 'file', size: '4MiB', share: 1 };
    const workload = { kind: 'synthetic', aslr, processes, regions: [library] };
    const vms = [{ name: 'vm', memory: '32MiB', workload }];
    return simulate({ vms }, ({ members }) => members[0]!.guest.memory.used);
  };
  // 1024 pages once; for each process four tables of its own and those of 4 MiB and 16 KiB, unaligned.
  for (const aslr of [true, false]) {
    const more = frames(aslr, 4) - frames(aslr, 1);
    expect(more).toBeGreaterThanOrEqual(3 * (4 + 4));
    expect(more).toBeLessThanOrEqual(3 * (4 + 2 * 2 + 2 + 3 + 4));
  }
});

describe('jobs', () => {
  const jobs = { instructions: 9000, cowPages: 8, freshPages: 4 };

  it('that fork run at the addresses of their parent', () => {
    const { regions, programs } = make({ ...PROGRAM, jobs: { ...jobs, exec: false } })
      .processes[0]!;
    const program = programs[0]!;
    const inside = (page: number) =>
      regions.some(({ start, pages }) => page >= start && page < start + pages);
    for (let child = 0; child < 3; child++) {
      runTo(program, Op.Fork);
      for (const page of runTo(program.fork(), Op.Exit)) expect(inside(page)).toBe(true);
      runTo(program, Op.Wait);
    }
  });

  it('that execute a program get a new layout each, and run in it', () => {
    const { regions, programs } = make({ ...PROGRAM, jobs }).processes[0]!;
    const program = programs[0]!;
    const parent = regions.find(({ name }) => name === 'parent-data')!;
    const heaps = new Set<number>();
    for (let i = 0; i < 5; i++) {
      runTo(program, Op.Fork);
      const child = program.fork();
      // Before the exec it writes to its parent's memory.
      for (const page of runTo(child, Op.Exec)) {
        expect(page).toBeGreaterThanOrEqual(parent.start);
        expect(page).toBeLessThan(parent.start + parent.pages);
      }
      const image = child.exec();
      heaps.add(startsOf(image)['heap']!);
      for (const page of runTo(image.programs[0]!, Op.Exit)) {
        const hit = image.regions.some((r) => page >= r.start && page < r.start + r.pages);
        expect(hit, page.toString(16)).toBe(true);
      }
      runTo(program, Op.Wait);
    }
    expect(heaps.size).toBe(5);
    const fixed = make({ ...PROGRAM, aslr: false, jobs }).processes[0]!.programs[0]!;
    runTo(fixed, Op.Fork);
    const child = fixed.fork();
    runTo(child, Op.Exec);
    expect(startsOf(child.exec())['heap']).toBe(first({ ...PROGRAM, aslr: false })['heap']);
  });
});

describe('any layout', () => {
  const offset = (range: number) => fc.oneof(fc.nat(range - 1), fc.constantFrom(0, range - 1));
  const offsets = fc.record({
    heap: offset(2 ** 13),
    mmap: offset(2 ** 28),
    stack: offset(2 ** 22),
  });
  const region = fc.record({
    size: fc.oneof(fc.integer({ min: 1, max: 1 << 28 }), fc.integer({ min: 1, max: 2 ** 38 })),
    kind: fc.constantFrom('code', 'anon', 'file', 'shared'),
    pageSize: fc.constantFrom(4096, 2_097_152),
    stack: fc.boolean(),
  });
  const program = fc.array(region, { minLength: 1, maxLength: 12 }).map((list) => {
    const stack = list.findIndex((r) => r.stack && r.kind === 'anon');
    return list.map((r, i) => ({ ...r, name: i === stack ? 'stack' : `r${i}`, stores: 0 }));
  });
  const areas = fc.record({ heap: fc.nat(2 ** 20), mappings: fc.nat(2 ** 24) });

  it('that is not refused holds all regions and areas, apart, aligned, below the top', () => {
    let held = 0;
    const check = fc.property(program, offsets, areas, (list, drawn, { heap, mappings }) => {
      const regions = list as unknown as SyntheticRegion[];
      try {
        checkRoom(regions, heap, mappings);
      } catch (error) {
        expect((error as Error).message).toMatch(/take \d+ GiB of address space, there are \d+/);
        return;
      }
      held++;
      const layout = layOut(regions, true, drawn);
      const spans = [
        ...layout.regions.map(({ start, pages, pageShift }) => ({ start, pages, pageShift })),
        { start: layout.heapArea, pages: heap, pageShift: 12 },
        { start: layout.mmapArea, pages: mappings, pageShift: 12 },
      ]
        .filter(({ pages }) => pages > 0)
        .toSorted((a, b) => a.start - b.start);
      let end = 1;
      for (const { start, pages, pageShift } of spans) {
        expect(start).toBeGreaterThanOrEqual(end);
        expect(start % 2 ** (pageShift - 12)).toBe(0);
        end = start + pages;
      }
      expect(end).toBeLessThanOrEqual(TOP);
    });
    fc.assert(check, { numRuns: 500 });
    expect(held).toBeGreaterThan(100);
  });

  it.each([true, false])('is refused when it may not fit, whatever is drawn (aslr: %s)', (aslr) => {
    const huge = { size: '256GiB', share: 1, populated: false };
    const files = { aslr, regions: ['a', 'b'].map((name) => ({ ...huge, name, kind: 'file' })) };
    for (const seed of ['1', '2', '3']) {
      expect(() => make({ kind: 'synthetic', ...files }, 'a-0', seed)).toThrow(
        'files, shared and large-page memory, stack and new mappings take 513 GiB of address space, there are 495 GiB',
      );
    }
    const heap = (limit: string) =>
      make({
        kind: 'synthetic',
        aslr,
        regions: [{ ...huge, name: 'a', kind: 'anon' }],
        per1M: { heapGrowth: { calls: 1, limit } },
      });
    expect(() => heap('6000GiB')).toThrow(/text, small-page private memory and heap take 6257 GiB/);
    expect(heap('5000GiB').processes).toHaveLength(1);
    const jobs = { instructions: 1000, parentCode: '4000GiB', parentData: '4000GiB' };
    expect(() => make({ kind: 'synthetic', aslr, regions: REGIONS, jobs })).toThrow(
      'the populated regions take 8192000 MiB, VM a-0 has 4096 MiB',
    );
    const mappings = { calls: 1, pages: 2 ** 18, live: 600 };
    expect(() =>
      make({ kind: 'synthetic', aslr, regions: REGIONS, per1M: { mmap: mappings } }),
    ).toThrow(/new mappings take 602 GiB/);
  });
});

import { describe, expect, test } from 'vitest';
import { GuestMemory } from '../../src/guest/memory.ts';
import { layOut } from '../../src/guest/workloads/layout.ts';
import { PAGE_SIZES } from '../../src/guest/workloads/page-size.ts';
import { syntheticParams } from '../../src/guest/workloads/synthetic-params.ts';
import { load, metric, type Overrides, run } from '../support/scenarios.ts';

const GIB = 2 ** 18;

/** One VM with these regions; each is a heap of one page unless it says otherwise. */
function regions(
  pieces: readonly Overrides[],
  vm: Overrides = {},
  more: Overrides = {},
): Overrides {
  const all = pieces.map((piece, i) => ({
    name: `heap${i}`,
    kind: 'anon',
    size: '4KiB',
    share: 1,
    ...piece,
  }));
  return {
    host: { memory: '8GiB' },
    vms: [
      { name: 'vm', memory: '2GiB', ...vm, workload: { kind: 'synthetic', regions: all, hz: 0 } },
    ],
    ...more,
  };
}

/** What the loader says, with the line it points at. */
function refusal(overrides: Overrides): string {
  try {
    load(overrides);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('the page size of a guest', () => {
  test.each([
    ['4KiB', 12],
    ['2MiB', 21],
    ['1GiB', 30],
    ['2048KiB', 21],
    ['1024MiB', 30],
  ] as const)('can be %s', (pageSize, bits) => {
    const scenario = load(regions([{ pageSize }]));
    expect(scenario.vms[0]!.workload).toMatchObject({ regions: [{ pageSize: 2 ** bits }] });
  });

  test.each([
    [
      '8KiB',
      '"8KiB" is not allowed for "pageSize" — did you mean "4KiB"? allowed: 4KiB, 2MiB, 1GiB',
    ],
    ['1MiB', '"1MiB" is not allowed for "pageSize"'],
    [0, '0 is not allowed for "pageSize" — allowed: 4KiB, 2MiB, 1GiB'],
    ['512GiB', 'allowed: 4KiB, 2MiB, 1GiB'],
  ] as const)(
    'cannot be %s, and what it can be is said in the units people write',
    (pageSize, text) => {
      const said = refusal(regions([{}, { pageSize }]));
      expect(said).toContain(text);
      expect(said).toMatch(/^test\.yaml:\d+:\d+: error: /);
      expect(said).not.toContain('2097152');
    },
  );

  test('is named the same way for the microbenchmark and for traces', () => {
    for (const workload of [
      { kind: 'tlb-thrash', pageSize: '16KiB' },
      { kind: 'trace', file: 'x.pt.gz', pageSize: '16KiB' },
    ]) {
      const said = refusal({ vms: [{ name: 'vm', memory: '64MiB', workload }] });
      expect(said).toContain('allowed: 4KiB, 2MiB, 1GiB');
    }
  });

  test('and other sizes and times have their limits told in units', () => {
    const tooLarge = refusal(regions([{ size: '512GiB' }]));
    expect(tooLarge).toContain('must be at most 256GiB, got "512GiB"');
    expect(refusal(regions([{ size: 0 }]))).toContain('must be at least 1B, got 0');
  });
});

describe('guest pages of 1 GiB', () => {
  const huge = { pageSize: '1GiB', size: '1GiB' };

  test.each(['opteron-1354', 'opteron-2356', 'opteron-8384', 'opteron-6276'])(
    'are there on an %s',
    (processor) => {
      expect(refusal(regions([huge], {}, { host: { processor, memory: '8GiB' } }))).toBe('');
    },
  );

  test('are refused where the processor has none, at the place of each', () => {
    const host = { processor: 'opteron-2218', memory: '8GiB' };
    const said = refusal(
      regions(
        [{}, huge, {}, huge],
        { memory: '4GiB' },
        { host, hypervisor: { mmu: { kind: 'shadow' } } },
      ),
    );
    const reason =
      'guest pages of 1GiB need TLB entries for them, and opteron-2218 has none — use 2MiB';
    const lines = said.split('\n').filter((line) => line.includes('error:'));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain(reason);
    expect(said.split('\n').filter((line) => line.includes('pageSize: 1GiB'))).toHaveLength(2);
    const thrash = { kind: 'tlb-thrash', pages: 1, pageSize: '1GiB' };
    const alone = refusal({
      host,
      hypervisor: { mmu: { kind: 'shadow' } },
      vms: [{ name: 'vm', memory: '2GiB', workload: thrash }],
    });
    expect(alone).toContain(reason);
  });

  test.each([
    ['1GiB', 1, false],
    ['2047MiB', 1, false],
    ['2GiB', 1, true],
    ['2GiB', 2, false],
    ['3GiB', 2, true],
    ['3500MiB', 2, true],
  ] as const)('of a VM of %s: %i fit: %s', (memory, count, fits) => {
    const pieces = Array.from({ length: count }, () => ({ ...huge, size: '8MiB' }));
    const said = refusal(regions(pieces, { memory }));
    if (fits) expect(said).toBe('');
    else expect(said).toMatch(/^test\.yaml:\d+:\d+: error: the populated regions take /);
  });

  test('say how much memory would do', () => {
    const said = refusal(regions([{ ...huge, size: '1100MiB' }], { memory: '2500MiB' }));
    expect(said).toContain(
      'the populated regions take 2 pages of 1GiB, and VM vm of 2.44 GiB has room for 1: its first GiB holds the kernel — write memory: 3GiB or more',
    );
    const none = refusal(regions([{ ...huge, populated: false }], { memory: '64MiB' }));
    expect(none).toContain('a region has pages of 1GiB, and VM vm of 64 MiB has room for none');
    expect(refusal(regions([{ ...huge, populated: false, size: '4GiB' }]))).toBe('');
  });

  test('fit beside small pages that fill the rest, whatever comes first', async () => {
    const small = { size: '1700MiB' };
    for (const pieces of [
      [small, huge],
      [huge, small],
    ]) {
      const result = await run(
        regions(
          pieces,
          { memory: '2900MiB' },
          { duration: '1ms', checks: { translations: false } },
        ),
      );
      expect(metric(result, 'guest_faults')).toBe(0);
      expect(metric(result, 'guest_memory_bytes')).toBeGreaterThan((1700 + 1024) * 2 ** 20);
    }
  });

  test('are taken on the first touch where a region is not populated', async () => {
    const result = await run(
      regions(
        [{ ...huge, populated: false, stores: 0.5 }],
        {},
        { duration: '60ms', hypervisor: { mmu: { kind: 'native' } } },
      ),
    );
    expect(metric(result, 'guest_faults')).toBe(1);
    expect(metric(result, 'guest_memory_bytes')).toBeGreaterThan(2 ** 30);
  });

  test('that the guest has not are an error of the scenario, not of the program', async () => {
    const regionsOf = [{ ...huge, populated: false, size: '4GiB' }];
    const mmu = { kind: 'native' };
    const more = {
      duration: '3s',
      hypervisor: { mmu },
      host: { memory: '8GiB', caches: { data: 'off' } },
    };
    await expect(run(regions(regionsOf, {}, more))).rejects.toThrow('no large pages left');
  });

  test.each([
    { heap: 0, mmap: 0, stack: 0 },
    { heap: 8191, mmap: 2 ** 28 - 1, stack: 2 ** 22 - 1 },
    { heap: 77, mmap: 12_345_678, stack: 99_999 },
  ])('lie at multiples of their size, wherever the region goes: %j', (offsets) => {
    const { regions: given } = syntheticParams.parse({
      regions: ['code', 'anon', 'file', 'shared', 'anon'].map((kind, i) => ({
        name: i === 4 ? 'stack' : `${kind}`,
        kind,
        size: '5MiB',
        share: 1,
        pageSize: '1GiB',
      })),
    });
    const placed = layOut(given, true, offsets).regions.slice(1);
    for (const { start, pages, pageShift } of placed) {
      expect(start % GIB).toBe(0);
      expect(pages).toBe(GIB);
      expect(pageShift).toBe(30);
    }
    const starts = placed.map(({ start }) => start).toSorted((a, b) => a - b);
    expect(new Set(starts).size).toBe(5);
    expect(starts.at(-1)! + GIB).toBeLessThanOrEqual(15 * 2 ** 27);
    expect(PAGE_SIZES).toEqual([2 ** 12, 2 ** 21, 2 ** 30]);
  });
});

describe('the memory of a guest', () => {
  const used = (memory: GuestMemory) => {
    const frames: number[] = [];
    memory.eachUsed((frame) => frames.push(frame));
    return frames;
  };

  test('hands no frame out twice, in pieces of all sizes, and gets to the last', () => {
    const memory = new GuestMemory(3 * GIB + 1000, 'vm');
    memory.reserveHuge(1);
    const seen = new Uint8Array(memory.pages);
    const mark = (first: number, count: number) => {
      expect(first % count).toBe(0);
      expect(seen.subarray(first, first + count).every((marks) => marks === 0)).toBe(true);
      seen.fill(1, first, first + count);
    };
    mark(memory.take(), 1);
    mark(memory.takeLarge(2), 512);
    mark(memory.takeLarge(3), GIB);
    mark(memory.takeLarge(3), GIB);
    expect(memory.takeLarge(3)).toBe(-1);
    for (let block = memory.takeLarge(2); block >= 0; block = memory.takeLarge(2)) mark(block, 512);
    const left = memory.pages - memory.used;
    const rest = Array.from({ length: left }, () => memory.take());
    for (const frame of rest) seen[frame] = seen[frame]! + 1;
    expect(seen.subarray(1024).every((marks) => marks === 1)).toBe(true);
    expect(memory.used).toBe(memory.pages);
    expect(() => memory.take()).toThrow('out of memory');
    expect(used(memory).length).toBe(memory.pages);
  });

  test('knows what is in use: pages of 1 GiB that are only set aside are not', () => {
    const memory = new GuestMemory(4 * GIB, 'vm');
    memory.reserveHuge(2);
    expect(used(memory).length).toBe(memory.used);
    const frame = memory.takeLarge(3);
    expect(frame).toBeGreaterThanOrEqual(GIB);
    memory.take();
    expect(used(memory).length).toBe(memory.used);
    memory.giveLarge(frame, 3);
    expect(memory.takeLarge(3)).toBe(frame);
  });
});

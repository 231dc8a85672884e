import { describe, expect, test } from 'vitest';
import { Op } from '../../src/guest/workloads/workload.ts';
import type { CoreContext } from '../../src/machine/core.ts';
import { K } from '../../src/machine/counters.ts';
import { heap } from '../../src/machine/heap.ts';
import { blockRoom, takeBlock, writeItem } from '../../src/machine/items.ts';
import { buildMachine } from '../../src/machine/machine.ts';
import { indexAt, PageTables, PTE_SHIFT, Pte, target } from '../../src/machine/page-tables.ts';
import { runBlock, Stop } from '../../src/machine/run.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { load, metric, type Overrides, run } from '../support/scenarios.ts';

/**
 * What a page walk reads and costs. The reads follow from the tables alone: n levels in the guest and m
 * nested ones make nm + n + m (Bhargava et al. 2008). The cycles are those of memory-latency logs.
 */
const READS = {
  '4KiB': { native: 4, '4KiB': 24, '2MiB': 19, '1GiB': 14 },
  '2MiB': { native: 3, '4KiB': 19, '2MiB': 15, '1GiB': 11 },
  '1GiB': { native: 2, '4KiB': 14, '2MiB': 11, '1GiB': 8 },
} as const;
type PageSize = keyof typeof READS;
const SIZES = Object.keys(READS) as PageSize[];

const UNCACHED = { walk: { pwcEntries: 0, nestedTlbEntries: 0 } };

/** Pages that a scenario touches: more than the TLBs hold; for pages of 1 GiB the L1 has a single entry. */
const TOUCHED = { '4KiB': 4096, '2MiB': 256, '1GiB': 4 } as const;
const MEMORY = { '4KiB': '64MiB', '2MiB': '640MiB', '1GiB': '5GiB' } as const;
const ONE = { entries: 1, ways: 'full' };
const ONE_HUGE = { tlb: { l1d: { '4K': ONE, '2M': ONE, '1G': ONE } } };

/** One VM that touches so many pages at random and does nothing else. */
function touching(pageSize: PageSize, mmu: Overrides, host: Overrides): Overrides {
  const large = mmu['pageSize'] === '1GiB' && pageSize !== '1GiB';
  return {
    duration: '4ms',
    warmup: '2ms',
    host: { memory: '8GiB', caches: { data: 'off' }, ...host },
    hypervisor: { mmu, backing: 'up-front', costs: { hostHz: 0 } },
    vms: [
      {
        name: 'vm',
        memory: large ? '2GiB' : MEMORY[pageSize],
        workload: { kind: 'tlb-thrash', pages: TOUCHED[pageSize], pageSize, hz: 0 },
      },
    ],
    checks: { translations: false },
  };
}

function readsPerWalk(result: RunResult): number {
  const walks = metric(result, 'walks') + metric(result, 'dirty_walks');
  expect(walks).toBeGreaterThan(1000);
  const reads = metric(result, 'walk_reads_guest') + metric(result, 'walk_reads_nested');
  return reads / walks;
}

const mmuOf = (nested: PageSize | 'native'): Overrides =>
  nested === 'native' ? { kind: 'native' } : { kind: 'nested', pageSize: nested };

describe('without walk caches, a walk of a scenario reads', () => {
  const cpu = { ...UNCACHED, ...ONE_HUGE };
  const cases = SIZES.flatMap((guest) =>
    (['native', ...SIZES] as const).map((nested) => [READS[guest][nested], guest, nested] as const),
  );
  test.each(cases)('%i entries for %s pages under %s', async (reads, guest, nested) => {
    const result = await run(touching(guest, mmuOf(nested), { cpu }));
    expect(readsPerWalk(result)).toBe(reads);
  });

  test.each(SIZES)('four entries of shadow tables for pages of %s', async (guest) => {
    const result = await run(touching(guest, { kind: 'shadow' }, { cpu }));
    expect(metric(result, 'walk_reads_guest') / metric(result, 'walks')).toBe(4);
    expect(metric(result, 'walk_reads_nested')).toBe(0);
    expect(metric(result, 'hidden_faults')).toBe(0);
  });
});

describe('walks that end in a fault are counted apart', () => {
  /** Memory that is not populated: true faults, and faults of the hypervisor. */
  const touchedFirst = (mmu: Overrides, pageSize: PageSize): Overrides => ({
    duration: '6ms',
    host: { memory: '4GiB', caches: { data: 'off' }, cpu: UNCACHED },
    hypervisor: { mmu, costs: { hostHz: 0 } },
    vms: [
      {
        name: 'vm',
        memory: '256MiB',
        workload: {
          kind: 'synthetic',
          regions: [
            {
              name: 'data',
              kind: 'anon',
              size: '64MiB',
              share: 1,
              stores: 1,
              pageSize,
              populated: false,
            },
          ],
          hz: 0,
        },
      },
    ],
  });

  test.each([
    ['native', { kind: 'native' }],
    ['shadow', { kind: 'shadow' }],
    ['nested', { kind: 'nested', pageSize: '4KiB' }],
  ] as const)('under %s paging', async (kind, mmu) => {
    const result = await run(touchedFirst(mmu, '4KiB'));
    const n = (name: Parameters<typeof metric>[1]) => metric(result, name);
    expect(n('guest_faults')).toBeGreaterThan(100);
    const byHypervisor = n('hidden_faults') + n('pte_write_exits') + n('nested_faults');
    if (kind === 'native') expect(byHypervisor).toBe(0);
    else expect(byHypervisor).toBeGreaterThan(100);
    // Each fault ends a walk; so do the stores to tables that trap.
    // At the end of the window a walk may be counted whose fault is not yet.
    const faults = n('guest_faults') + byHypervisor;
    expect(n('fault_walks') - faults).toBeGreaterThanOrEqual(0);
    expect(n('fault_walks') - faults).toBeLessThanOrEqual(1);
    // A walk that ends early reads less.
    const guest = n('fault_walk_reads_guest');
    expect(guest).toBeGreaterThan(0);
    expect(guest).toBeLessThanOrEqual(4 * n('fault_walks'));
    expect(n('fault_walk_reads_nested') > 0).toBe(kind === 'nested');
    // The kernel's pages are large but splintered: three or four levels.
    const walks = n('walks') + n('dirty_walks');
    expect(n('walk_reads_guest')).toBeGreaterThanOrEqual(3 * walks);
    expect(n('walk_reads_guest')).toBeLessThanOrEqual(4 * walks);
    // All of them were found somewhere, and all walks took time.
    const reads =
      n('walk_reads_guest') + n('walk_reads_nested') + guest + n('fault_walk_reads_nested');
    expect(n('walk_l1_hits') + n('walk_l2_hits') + n('walk_l3_hits') + n('walk_dram')).toBe(reads);
  });

  test('a shadow walk reads four entries whatever else faults', async () => {
    for (const page of ['4KiB', '2MiB'] as const) {
      const result = await run(touchedFirst({ kind: 'shadow' }, page));
      expect(metric(result, 'fault_walks')).toBeGreaterThan(100);
      const walks = metric(result, 'walks') + metric(result, 'dirty_walks');
      expect(metric(result, 'walk_reads_guest')).toBe(4 * walks);
    }
  });
});

const levelOf = (size: PageSize) => SIZES.indexOf(size) + 1;
/** How many 4 KiB pages make one page of `size`. */
const span = (size: PageSize) => 512 ** SIZES.indexOf(size);

/** A table that maps the first `count` pages of `size` one to one; `frame` hands out frames for its nodes. */
function mapped(tables: PageTables, size: PageSize, count: number, frame: () => number): number {
  const leaf = Pte.Present | Pte.Writable | Pte.Accessed | (size === '4KiB' ? 0 : Pte.Large);
  const root = tables.alloc(frame());
  for (let page = 0; page < count * span(size); page += span(size)) {
    let node = root;
    for (let level = 4; level > levelOf(size); level--) {
      const slot = (node << 9) | indexAt(page, level);
      if (tables.entries[slot] === 0) {
        const child = tables.alloc(frame());
        tables.set(slot, (child << PTE_SHIFT) | Pte.Present | Pte.Writable | Pte.Accessed);
      }
      node = target(tables.entries[slot]!);
    }
    tables.set((node << 9) | indexAt(page, levelOf(size)), (page << PTE_SHIFT) | leaf);
  }
  return root;
}

/**
 * Loads from pages of a bare core's guest, each for the first time, `stride` pages apart, and counts. The frames of the
 * guest's tables are the first ones, next to each other.
 */
function onBareCore(
  guest: PageSize,
  nested: PageSize | 'native',
  cpu: Overrides,
  count: number,
  stride: number,
): (counter: keyof typeof K) => number {
  const { processor } = load({ host: { processor: 'opteron-8384', cpu } });
  const machine = buildMachine({
    processor,
    sockets: 1,
    pcpus: 1,
    memoryBytes: 8 * 2 ** 30,
    dataLines: false,
    vcpuCount: 1,
    vmOf: new Int32Array(1),
    tables: new PageTables(4096),
    items: blockRoom(count),
  });
  try {
    const { tables } = machine;
    const core = machine.cores[0]!;
    let frames = 1;
    const frame = () => frames++;
    const root = mapped(tables, guest, count * stride, frame);
    // Frames of the guest's tables are guest frames: the nested table has to cover them too.
    const covered = Math.max(count * stride * span(guest), 512);
    const nestedRoot =
      nested === 'native' ? 0 : mapped(tables, nested, Math.ceil(covered / span(nested)), frame);
    const context: CoreContext = {
      vcpu: 0,
      vm: 0,
      nested: nested !== 'native',
      root,
      nestedRoot,
      frameBase: 0,
      cpiQ8: 256,
      exposedQ8: 256,
      port: {
        onWalkFault: () => {
          throw new Error('everything is mapped');
        },
      },
      space: 0,
    };
    core.enter(context, 1);
    core.item = takeBlock(machine.items, count);
    core.itemEnd = core.item + count;
    for (let i = 0; i < count; i++) {
      writeItem(core.item + i, [i * stride * span(guest), Op.Load, 1, 1]);
    }
    expect(runBlock(core, 1 << 24)).toBe(Stop.End);
    core.accounts.derive();
    const counts = heap.slice(core.counters, core.counters + Object.keys(K).length);
    expect(counts[K.walks]).toBe(count);
    return (counter) => counts[K[counter]]!;
  } finally {
    machine.dispose();
  }
}

/** Reads of a walk for the first page under its tables. */
function readsOnBareCore(guest: PageSize, nested: PageSize | 'native'): number {
  const counted = onBareCore(guest, nested, UNCACHED, 4, 1);
  return (counted('walk_reads_guest') + counted('walk_reads_nested')) / 4;
}

describe('without walk caches, a bare core reads', () => {
  const cases = SIZES.flatMap((guest) =>
    (['native', ...SIZES] as const).map((nested) => [READS[guest][nested], guest, nested] as const),
  );
  test.each(cases)('%i entries for %s pages under %s', (reads, guest, nested) => {
    expect(readsOnBareCore(guest, nested)).toBe(reads);
  });
});

describe('with its caches warm, a walk of a 4 KiB page costs what memory-latency logs say', () => {
  const cyclesPerWalk = async (processor: string, mmu: Overrides) => {
    const result = await run(touching('4KiB', mmu, { processor }));
    const charged = result.ledger
      .filter(({ leaf }) => leaf.startsWith('walk.'))
      .reduce((sum, { cycles }) => sum + cycles, 0);
    expect(charged).toBe(metric(result, 'walk_cycles'));
    return charged / metric(result, 'walks');
  };
  test.each([
    ['opteron-1354', 'native', 20, 30],
    ['opteron-1354', '4KiB', 40, 65],
    ['opteron-6276', 'native', 42, 46],
    ['opteron-6276', '4KiB', 68, 75],
  ] as const)('%s, %s: %i to %i cycles', async (processor, nested, low, high) => {
    const cycles = await cyclesPerWalk(processor, mmuOf(nested));
    expect(cycles).toBeGreaterThanOrEqual(low);
    expect(cycles).toBeLessThanOrEqual(high);
  });
});

describe('the walk caches', () => {
  test.each([
    // A root, two tables below it, and a leaf table for each walk: 35 frames, or one nested page.
    ['4KiB', 35],
    ['2MiB', 1],
    ['1GiB', 1],
  ] as const)('an entry of the nested TLB covers one nested page of %s', (nested, misses) => {
    const counted = onBareCore('4KiB', nested, {}, 32, 512);
    expect(counted('nested_tlb_misses')).toBe(misses);
    expect(counted('nested_tlb_hits')).toBe(4 * 32 - misses);
  });

  test('leaf entries of nested tables are held on request, and then drive others out', async () => {
    const nested = { kind: 'nested', pageSize: '4KiB' };
    const touched = (pwcNestedLeaves: boolean) =>
      run({
        ...touching('4KiB', nested, { cpu: { walk: { pwcNestedLeaves } } }),
        vms: [
          { name: 'vm', memory: '80MiB', workload: { kind: 'tlb-thrash', pages: 16_384, hz: 0 } },
        ],
      });
    const upper = await touched(false);
    const leaves = await touched(true);
    const perWalk = (result: RunResult, what: 'pwc_hits' | 'walk_reads_guest') =>
      metric(result, what) / metric(result, 'walks');
    const lookedUp = (result: RunResult) => perWalk(result, 'pwc_hits') + readsPerWalk(result);
    expect(lookedUp(leaves)).toBeCloseTo(lookedUp(upper), 1);
    // The leaf of a page is used once in 16 384 walks and never found, but it takes the place of a directory.
    expect(perWalk(leaves, 'pwc_hits')).toBeLessThan(perWalk(upper, 'pwc_hits'));
    expect(perWalk(leaves, 'walk_reads_guest')).toBeGreaterThan(perWalk(upper, 'walk_reads_guest'));
  });

  test('a nested leaf that is used again and again is found', () => {
    // Without a nested TLB the frames of the upper tables are walked for each time.
    const cpu = (pwcNestedLeaves: boolean) => ({ walk: { nestedTlbEntries: 0, pwcNestedLeaves } });
    const upper = onBareCore('4KiB', '4KiB', cpu(false), 32, 1);
    const leaves = onBareCore('4KiB', '4KiB', cpu(true), 32, 1);
    // Four tables and the page itself: five nested leaves a walk. The pages are the frames 0 to 31, the tables 1 to 4.
    expect(upper('walk_reads_nested')).toBe(3 + 5 * 32);
    expect(leaves('walk_reads_nested')).toBe(3 + 32);
    expect(leaves('pwc_hits') - upper('pwc_hits')).toBe(4 * 32);
  });
});

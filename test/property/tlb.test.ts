import { describe, expect, it } from 'vitest';
import type { Core } from '../../src/machine/core.ts';
import type { CoreContext } from '../../src/machine/core-context.ts';
import { K } from '../../src/machine/counters.ts';
import { flushAll, flushAsid, invalidatePage } from '../../src/machine/flush.ts';
import { heap } from '../../src/machine/heap.ts';
import { blockRoom, takeBlock, writeItem } from '../../src/machine/items.ts';
import { buildMachine, type Machine } from '../../src/machine/machine.ts';
import { PTE_SHIFT, Pte } from '../../src/machine/page-tables.ts';
import type { Processor } from '../../src/machine/processor.ts';
import { runBlock, Stop, visitKernel } from '../../src/machine/run.ts';
import { Cause } from '../../src/stats/leaves.ts';
import fc from '../support/property.ts';
import { load, type Overrides } from '../support/scenarios.ts';

/** The two levels of TLBs, for both sides and two page sizes, against lists that are searched one by one. */

interface Entry {
  readonly key: number;
  readonly tag: number;
  readonly size: number;
  readonly global: boolean;
  readonly dirty: boolean;
}

/** A set-associative array as one list per set, most recent first. */
class Lists {
  readonly sets: Entry[][];
  readonly ways: number;

  constructor(entries: number, ways: number) {
    this.ways = ways;
    this.sets = Array.from({ length: Math.max(1, entries / Math.max(1, ways)) }, () => []);
  }

  #set(key: number): Entry[] {
    return this.sets[key % this.sets.length]!;
  }
  find(key: number, tag: number, size: number): Entry | undefined {
    return this.#set(key).find((e) => e.key === key && e.tag === tag && e.size === size);
  }
  touch(entry: Entry): void {
    this.remove(entry);
    this.#set(entry.key).unshift(entry);
  }
  remove(entry: Entry): void {
    const set = this.#set(entry.key);
    set.splice(set.indexOf(entry), 1);
  }
  /** Returns what had to go. */
  insert(entry: Entry): Entry | undefined {
    const set = this.#set(entry.key);
    set.unshift(entry);
    return set.length > this.ways ? set.pop() : undefined;
  }
  drop(wanted: (entry: Entry) => boolean): void {
    for (const [i, set] of this.sets.entries()) this.sets[i] = set.filter((e) => !wanted(e));
  }
}

const PAGES = 96;
const LARGE = 6;
const isGlobal = (vpn: number) => (vpn < 512 ? vpn % 5 === 0 : (vpn >> 9) % 2 === 0);
const sizeOf = (vpn: number) => (vpn >= 512 ? 1 : 0);

class Model {
  readonly counts = { misses: 0, secondHits: 0, walks: 0, dirtyWalks: 0 };
  /** By side, then level, then page size; one array may serve two sizes. */
  readonly #levels: Lists[][][];
  readonly #dirty = new Set<number>();
  readonly #victim: boolean;

  constructor(levels: Lists[][][], victim: boolean) {
    this.#levels = levels;
    this.#victim = victim;
  }

  visit(vpn: number, tag: number, side: number, store: boolean): void {
    const { counts } = this;
    const size = sizeOf(vpn);
    const key = vpn >> (9 * size);
    const [first, second] = this.#levels[side]!.map((sizes) => sizes[size]!);
    const inFirst = first!.find(key, tag, size);
    if (inFirst && !(store && !inFirst.dirty)) {
      first!.touch(inFirst);
      return;
    }
    const inSecond = inFirst ? undefined : second!.find(key, tag, size);
    if (!inFirst) {
      counts.misses++;
      if (inSecond) counts.secondHits++;
    }
    if (inSecond && !(store && !inSecond.dirty)) {
      if (this.#victim) second!.remove(inSecond);
      else second!.touch(inSecond);
      this.#fillFirst(first!, second!, inSecond);
      return;
    }
    if (inFirst || inSecond) {
      counts.dirtyWalks++;
      this.drop((e) => e.key === key && e.tag === tag && e.size === size);
    } else counts.walks++;
    if (store) this.#dirty.add(size * 2 ** 20 + key);
    const dirty = this.#dirty.has(size * 2 ** 20 + key);
    const entry = { key, tag, size, global: isGlobal(vpn), dirty };
    if (!this.#victim) second!.insert({ ...entry });
    this.#fillFirst(first!, second!, entry);
  }

  #fillFirst(first: Lists, second: Lists, entry: Entry): void {
    const out = first.insert({ ...entry });
    if (out && this.#victim) {
      // The array of the size that goes, which may differ when sizes share the first level.
      const side = this.#levels.find((levels) => levels[0]!.includes(first))!;
      (side[1]![out.size] ?? second).insert(out);
    }
  }

  drop(wanted: (entry: Entry) => boolean): void {
    const arrays = new Set(this.#levels.flat(2));
    for (const array of arrays) array.drop(wanted);
  }
}

const step = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({
      do: fc.constant('visit' as const),
      page: fc.oneof(
        fc.nat(PAGES - 1),
        fc.tuple(fc.integer({ min: 1, max: LARGE }), fc.nat(511)).map(([a, b]) => a * 512 + b),
      ),
      op: fc.constantFrom(0, 1, 1, 2),
      user: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('invlpg' as const), page: fc.nat(PAGES - 1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cr3' as const), keepGlobal: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush-all' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('tag' as const), tag: fc.integer({ min: 1, max: 4 }) }),
  },
);

const full = (entries: number) => ({ entries, ways: 'full' });
const GEOMETRIES: readonly (readonly [string, Overrides])[] = [
  [
    'both levels filled',
    {
      fill: 'both',
      l1i: { '4K': full(4), '2M': full(2) },
      l1d: { '4K': full(6), '2M': full(2), '1G': full(0), shared: false },
      l2i: { '4K': { entries: 16, ways: 4 }, '2M': full(0) },
      l2d: { '4K': { entries: 16, ways: 4 }, '2M': { entries: 4, ways: 2 } },
    },
  ],
  [
    'second level filled by victims, one first level for all sizes',
    {
      fill: 'victim',
      l1i: { '4K': full(5), '2M': full(5), '1G': full(5), shared: true },
      l1d: { '4K': full(6), '2M': full(6), '1G': full(6), shared: true },
      l2i: { '4K': { entries: 8, ways: 2 }, '2M': full(3) },
      l2d: { '4K': { entries: 16, ways: 4 }, '2M': { entries: 4, ways: 2 } },
    },
  ],
];

/** Lists of the same geometry; arrays that sizes share are the same list. */
function listsOf(tlb: Processor['tlb']): Lists[][][] {
  return (['i', 'd'] as const).map((side) =>
    (['l1', 'l2'] as const).map((level) => {
      const spec = tlb[`${level}${side}`];
      const lists = (['4K', '2M'] as const).map((size) => {
        const { entries, ways } = spec[size];
        return new Lists(entries, ways === 'full' ? entries : ways);
      });
      return spec.shared ? [lists[0]!, lists[0]!] : lists;
    }),
  );
}

/** A root with small pages from 0 and large ones from 512 on, none dirty yet. */
function buildTables({ tables }: Machine): number {
  const nodes = Array.from({ length: 4 }, (_, i) => tables.alloc(600 + i));
  const flags = Pte.Present | Pte.Writable | Pte.Accessed;
  for (let i = 0; i < 3; i++) tables.set(nodes[i]! << 9, (nodes[i + 1]! << PTE_SHIFT) | flags);
  const globalIf = (vpn: number) => (isGlobal(vpn) ? Pte.Global : 0);
  for (let vpn = 0; vpn < PAGES; vpn++) {
    tables.set((nodes[3]! << 9) | vpn, ((1024 + vpn) << PTE_SHIFT) | flags | globalIf(vpn));
  }
  for (let block = 1; block <= LARGE; block++) {
    const frame = 2048 + 512 * block;
    const entry = (frame << PTE_SHIFT) | flags | Pte.Large | globalIf(block * 512);
    tables.set((nodes[2]! << 9) | block, entry);
  }
  return nodes[0]!;
}

function aCore(processor: Processor): { machine: Machine; core: Core; context: CoreContext } {
  const machine = buildMachine({
    processor,
    sockets: 1,
    pcpus: 1,
    memoryBytes: 2 ** 28,
    dataLines: false,
    vcpuCount: 1,
    vmOf: Int32Array.from([0, -1]),
    tableNodes: 16,
    items: blockRoom(1),
  });
  const onWalkFault = () => {
    throw new Error('every page is mapped');
  };
  const context: CoreContext = {
    vcpu: 0,
    vm: 0,
    nested: false,
    root: buildTables(machine),
    nestedRoot: 0,
    frameBase: 0,
    cpiQ8: 256,
    exposedQ8: 256,
    port: { onWalkFault },
    space: 0,
  };
  const core = machine.cores[0]!;
  core.enter(context, 1);
  return { machine, core, context };
}

describe.each(GEOMETRIES)('TLBs with %s', (_name, tlb) => {
  const { processor } = load({ host: { cpu: { tlb } } });

  it('hit and miss as lists searched one by one do', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 300 }), (steps) => {
        const { machine, core, context } = aCore(processor);
        try {
          const item = takeBlock(machine.items, 1);
          const model = new Model(listsOf(processor.tlb), processor.tlb.fill === 'victim');
          let tag = 1;
          for (const s of steps) {
            if (s.do === 'visit') {
              // Visits of user code take short cuts that those of the kernel do not.
              if (s.user) {
                writeItem(item, [s.page, s.op, 1, 1]);
                core.item = item;
                core.itemEnd = item + 1;
                expect(runBlock(core, 2 ** 30)).toBe(Stop.End);
              } else expect(visitKernel(core, s.page, s.op, 1, 0, 1)).toBe(true);
              model.visit(s.page, tag, s.op === 0 ? 0 : 1, s.op === 2);
            } else if (s.do === 'invlpg') {
              invalidatePage(core, s.page, Cause.Invlpg);
              model.drop((e) => e.tag === tag && e.size === 0 && e.key === s.page);
            } else if (s.do === 'cr3') {
              flushAsid(core, core.asid, 0, s.keepGlobal, Cause.Cr3);
              model.drop((e) => e.tag === tag && !(s.keepGlobal && e.global));
            } else if (s.do === 'flush-all') {
              flushAll(core, Cause.WorldSwitch, 0, Cause.WorldSwitch);
              model.drop(() => true);
            } else {
              // Entries under the other tags stay and compete.
              tag = s.tag;
              core.enter(context, tag);
            }
            core.deriveCounters();
            const count = (name: keyof typeof K) => heap[core.counters + K[name]]!;
            expect({
              misses: count('l1i_misses') + count('l1d_misses'),
              secondHits: count('l2i_hits') + count('l2d_hits'),
              walks: count('walks'),
              dirtyWalks: count('dirty_walks'),
            }).toEqual(model.counts);
          }
        } finally {
          machine.dispose();
        }
      }),
      { numRuns: 40 },
    );
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { CLEAR_CYCLES, clearLines, readTableLine, touchLines } from '../../src/machine/caches.ts';
import type { Core } from '../../src/machine/core.ts';
import { type HotCounter, K } from '../../src/machine/counters.ts';
import { EdgeCut } from '../../src/machine/edge-cut.ts';
import { heap, heapSpace } from '../../src/machine/heap.ts';
import { SEQUENTIAL, Visit } from '../../src/machine/items.ts';
import { buildMachine, type Machine } from '../../src/machine/machine.ts';
import { piecesFor } from '../../src/machine/memory-channel.ts';
import { PageTables } from '../../src/machine/page-tables.ts';
import { LEAVES, Leaf, leafNames } from '../../src/stats/leaves.ts';
import { load, type Overrides } from '../support/scenarios.ts';

/** One rule of caches and memory at a time, each on a machine with nothing above it. */

/** Sets of 64 lines at every level: the same line of each frame falls into the same set. */
const SMALL: Overrides = {
  caches: {
    l1i: { size: '8KiB', ways: 2 },
    l1d: { size: '8KiB', ways: 2, hitCycles: 3 },
    l2: { size: '16KiB', ways: 4, hitCycles: 15, exclusive: true },
    l3: { size: '32KiB', ways: 8, hitCycles: 50 },
    prefetch: { sequential: 800 },
  },
  memory: { localCycles: 200, hopPermille: [1500], lineCycles: 20 },
};
const { Fetch, Load, Store } = Visit;

const machines: Machine[] = [];
afterEach(() => {
  for (const machine of machines.splice(0)) machine.dispose();
});

/** Cores of VM 0 with caches as above, except for what `cpu` says. */
function cores(cpu: Overrides = {}, sockets = 1): readonly Core[] {
  const { caches, ...rest } = cpu;
  const { processor } = load({
    host: {
      processor: 'opteron-2356',
      cpu: {
        ...SMALL,
        ...rest,
        caches: { ...(SMALL['caches'] as Overrides), ...(caches as Overrides) },
      },
    },
  });
  const machine = buildMachine({
    processor,
    sockets,
    memoryBytes: 2 ** 30,
    dataLines: true,
    vcpuCount: 1,
    vmOf: Int32Array.from([0, -1]),
    tables: new PageTables(16),
    items: 0,
  });
  machines.push(machine);
  machine.memory.owner.fill(0);
  for (const core of machine.cores) {
    Object.assign(core, { vm: 0, exposedQ8: 256, exposedInRowQ8: 51 });
  }
  return machine.cores;
}

/** Touches a line of a frame now, and lets the stall pass. Returns it. */
function touch(core: Core, frame: number, op: number = Load, line = 0): number {
  core.caches.ahead = 0;
  const stall = touchLines(core, frame, op, line, line + 1);
  core.time += stall;
  return stall;
}
const count = (core: Core, name: HotCounter) => heap[core.counters + K[name]]!;
const stalls = (core: Core) =>
  Object.fromEntries(
    leafNames.flatMap(({ detail }, leaf) => {
      const cycles = heap[core.pending + leaf]!;
      return cycles === 0 ? [] : [[detail, cycles]];
    }),
  );

describe('an exclusive L2', () => {
  it('swaps its line for the victim of the L1', () => {
    const [core] = cores();
    for (const frame of [1, 2, 3]) expect(touch(core!, frame)).toBe(200);
    // 1 was pushed out by 3. It comes back for 2, which then comes back for 3.
    for (const frame of [1, 2, 3]) expect(touch(core!, frame)).toBe(12);
    expect(touch(core!, 3)).toBe(0);
    expect(stalls(core!)).toEqual({ 'memory-cold': 600, l2: 36 });
    expect(count(core!, 'l1d_line_misses')).toBe(6);
    expect(count(core!, 'data_l2_misses')).toBe(3);
  });

  it('and the L1s and the L3 together hold as many lines as all of them have ways', () => {
    const [core] = cores();
    const frames = Array.from({ length: 2 + 4 + 8 }, (_, i) => i + 1);
    for (const frame of frames) touch(core!, frame);
    for (const frame of frames) expect(touch(core!, frame)).toBe(50);
    expect(touch(core!, 100)).toBe(200);
    expect(touch(core!, 1)).toBe(200);
    expect(stalls(core!)).toMatchObject({ 'l3-capacity': 14 * 50, 'memory-capacity': 200 });
  });

  it('lets a line move between the L1s, with what a store has done to it', () => {
    const [core] = cores();
    touch(core!, 1, Store);
    expect(touch(core!, 1, Fetch)).toBe(12);
    expect(touch(core!, 1, Load)).toBe(12);
    for (let frame = 2; frame < 2 + 14; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(1);
  });
});

describe('an L2 that is not exclusive', () => {
  const inclusive = { caches: { l2: { size: '16KiB', ways: 4, hitCycles: 15, exclusive: false } } };

  it('has what the L1 has, and so holds less with it', () => {
    const [core] = cores(inclusive);
    for (const frame of [1, 2, 3, 4]) touch(core!, frame);
    for (const frame of [1, 2, 3, 4]) expect(touch(core!, frame)).toBe(12);
    expect(touch(core!, 5)).toBe(200);
    expect(touch(core!, 1)).toBe(50);
  });

  it('gets back what the L1 has changed', () => {
    const [core] = cores(inclusive);
    touch(core!, 1, Store);
    for (let frame = 2; frame < 2 + 12; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(0);
    for (let frame = 14; frame < 2 + 14; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(1);
  });
});

describe('a dirty line', () => {
  it.each([
    ['from the L3', {}, 14],
    ['from the L2 if there is no L3', { caches: { l3: { size: 0, ways: 1 } } }, 6],
  ])('is written back once when it leaves, %s', (_, cpu, ways) => {
    const [core] = cores(cpu);
    touch(core!, 1, Store);
    for (let frame = 2; frame < 1 + ways; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(0);
    for (let round = 0; round < 3; round++) {
      for (let frame = 20; frame < 40; frame++) touch(core!, frame);
    }
    expect(count(core!, 'write_backs')).toBe(1);
    // It has come back clean.
    touch(core!, 1);
    for (let frame = 20; frame < 40; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(1);
  });

  it('stays dirty on its way up and down', () => {
    const [core] = cores();
    touch(core!, 1, Store);
    for (let frame = 2; frame < 2 + 6; frame++) touch(core!, frame);
    expect(touch(core!, 1)).toBe(50);
    for (let frame = 20; frame < 40; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(1);
  });
});

describe('a page walk', () => {
  it('takes as long as the L2 for a line that the L1 has, and leaves it there', () => {
    const [core] = cores();
    touch(core!, 1, Store);
    expect(readTableLine(core!, 1, 0)).toBe(15);
    expect(count(core!, 'walk_l1_hits')).toBe(1);
    expect(touch(core!, 1)).toBe(0);
  });

  it('brings what nobody has into the L2', () => {
    const [core] = cores();
    expect(readTableLine(core!, 1, 0)).toBe(200);
    expect(readTableLine(core!, 1, 0)).toBe(15);
    expect(touch(core!, 1)).toBe(12);
  });

  it('is a load where walks look in the L1', () => {
    const [core] = cores({ walk: { reads: 'l1' } });
    expect(readTableLine(core!, 1, 0)).toBe(200);
    expect(readTableLine(core!, 1, 0)).toBe(3);
    expect(touch(core!, 1)).toBe(0);
  });
});

describe('lines in a row', () => {
  it('wait for what the prefetcher leaves of a stall, at every level', () => {
    const [core] = cores();
    expect(touch(core!, 1, Load | SEQUENTIAL)).toBe(39);
    for (const frame of [2, 3]) touch(core!, frame);
    expect(touch(core!, 1, Load | SEQUENTIAL)).toBe(2);
    for (let frame = 2; frame < 2 + 6; frame++) touch(core!, frame);
    expect(touch(core!, 1, Store | SEQUENTIAL)).toBe(9);
  });
});

/** Each core reads new lines of its own, one every `work` cycles and a stall, until all have passed `until`. */
function stream(
  streams: readonly (readonly [Core, number])[],
  work: number,
  until: number,
  ahead: number,
) {
  const next = streams.map(([, first]) => first * 64);
  for (;;) {
    const times = streams.map(([core]) => core.time);
    const last = times.indexOf(Math.min(...times));
    if (times[last]! >= until) break;
    // The one that is behind runs ahead of all others.
    const [core] = streams[last]!;
    const limit = times[last]! + ahead;
    while (core.time < Math.min(until, limit)) {
      const number = next[last]!++;
      touch(core, number >> 6, Load | SEQUENTIAL, number & 63);
      core.time += work;
    }
  }
  return streams.map(([core, first], i) => ({
    lines: next[i]! - first * 64,
    waited: heap[core.pending + Leaf.StallQueue]!,
  }));
}

describe('the channels of a node', () => {
  const UNTIL = 512 * 1024;
  const FULL = Math.floor(1024 / 20) * 512;
  // 39 cycles of stall and 5 of work: a core wants a line every 44 cycles, the channels carry one every 20.
  const together = (n: number, ahead: number) => {
    const all = cores({ coresPerDie: 8 });
    return stream(
      all.slice(0, n).map((core, i) => [core, 512 + 4096 * i] as const),
      5,
      UNTIL,
      ahead,
    );
  };

  it('do not keep a core waiting that is alone', () => {
    const [alone] = together(1, 1000);
    expect(alone).toEqual({ lines: Math.ceil(UNTIL / 44), waited: 0 });
  });

  it.each([3, 5, 8])('carry no more for %i cores than they can, and all of that', (n) => {
    const sum = together(n, 1000).reduce((lines, one) => lines + one.lines, 0);
    expect(sum).toBeLessThanOrEqual(FULL + n);
    expect(sum).toBeGreaterThan(0.99 * FULL);
  });

  it('carry the same in whatever order cores are simulated', () => {
    for (const ahead of [1, 300, 5000, 100_000]) {
      const parts = together(4, ahead);
      const sum = parts.reduce((lines, one) => lines + one.lines, 0);
      expect(Math.abs(sum - FULL), `${ahead} cycles ahead`).toBeLessThan(0.01 * FULL);
    }
  });

  it('of another node have room all the same', () => {
    const all = cores({}, 2);
    const frames = 2 ** 30 / 4096 / 2;
    const busy = all.slice(0, 3).map((core, i) => [core, 512 + 4096 * i] as const);
    // A core of the second socket, on its own memory.
    const results = stream([...busy, [all[4]!, frames + 512]], 5, UNTIL, 1000);
    expect(results.slice(0, 3).every(({ waited }) => waited > 0)).toBe(true);
    expect(results[3]!.waited).toBe(0);
  });

  it('carry what is written back, too', () => {
    const [core] = cores({ memory: { localCycles: 200, hopPermille: [1500], lineCycles: 512 } });
    for (let frame = 1; frame < 40; frame++) {
      touch(core!, frame, Store);
      core!.time = Math.ceil((core!.time + 1) / 1024) * 1024;
    }
    // Two in a piece: what is read, and for what is read what is written.
    expect(stalls(core!)['queue']).toBeUndefined();
    expect(count(core!, 'write_backs')).toBe(39 - 14);
    touch(core!, 50, Store);
    expect(touch(core!, 51)).toBe(200 + 1024 - 200);
  });

  it('remember as much as cores may run apart', () => {
    expect(piecesFor(1000)).toBe(1024);
    expect(piecesFor(3_000_000) * 1024).toBeGreaterThanOrEqual(2 * 3_000_000);
    expect(piecesFor(Number.POSITIVE_INFINITY)).toBe(2 ** 14);
  });
});

describe('clearing a page', () => {
  it('takes 8 cycles a line where the channels are fast', () => {
    const [core] = cores({ memory: { localCycles: 200, hopPermille: [1500], lineCycles: 4 } });
    expect(clearLines(core!, 1, 64)).toBe(64 * CLEAR_CYCLES);
    expect(count(core!, 'cleared_lines')).toBe(64);
  });

  it('takes as long as the channels do otherwise: page by page at their bandwidth', () => {
    const [core] = cores();
    for (let frame = 1; frame <= 100; frame++) core!.time += clearLines(core!, frame, 64);
    const perLine = core!.time / (100 * 64);
    expect(perLine).toBeGreaterThan(19.9);
    expect(perLine).toBeLessThan(20.3);
  });

  it('drops copies without writing them back, and what comes next is new', () => {
    const [core] = cores();
    touch(core!, 1, Store);
    clearLines(core!, 1, 64);
    expect(touch(core!, 1)).toBeGreaterThanOrEqual(200);
    for (let frame = 20; frame < 60; frame++) touch(core!, frame);
    expect(count(core!, 'write_backs')).toBe(0);
    expect(Object.keys(stalls(core!))).not.toContain('memory-migration');
  });
});

describe('the edge of a window', () => {
  it('in a walk that an exit follows takes the exit back first', () => {
    const pending = heapSpace.acquire(LEAVES);
    try {
      const core = { now: 0, pending, sinceDrain: 0 };
      const cut = new EdgeCut<typeof core>();
      const charge = (leaf: number, cycles: number) => {
        heap[pending + leaf] = heap[pending + leaf]! + cycles;
        core.now += cycles;
        core.sinceDrain += cycles;
      };
      const at: Record<number, number>[] = [];
      const note = (_: typeof core, leaves: Float64Array) => {
        at.push(Object.fromEntries([...leaves].flatMap((n, leaf) => (n === 0 ? [] : [[leaf, n]]))));
      };
      charge(Leaf.StallL2, 500);
      cut.set(560, note);
      cut.begin(core);
      charge(Leaf.WalkGuest, 100);
      charge(Leaf.ExitTransition, 1500);
      cut.inCharge(core, Leaf.ExitTransition, 1500);
      expect(at).toEqual([{ [Leaf.StallL2]: 500, [Leaf.WalkGuest]: 60 }]);
    } finally {
      heapSpace.release(pending);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { readHostLine } from '../../src/machine/caches.ts';
import { buildMachine } from '../../src/machine/machine.ts';
import fc from '../support/property.ts';
import { load } from '../support/scenarios.ts';

/** Lines by set, most recent first. */
class Lists {
  readonly sets = new Map<number, number[]>();
  readonly count: number;
  readonly ways: number;

  constructor(bytes: number, ways: number) {
    this.count = bytes / 64 / ways;
    this.ways = ways;
  }

  #set(line: number): number[] {
    const index = line % this.count;
    let set = this.sets.get(index);
    if (!set) this.sets.set(index, (set = []));
    return set;
  }
  take(line: number): boolean {
    const set = this.#set(line);
    const at = set.indexOf(line);
    if (at >= 0) set.splice(at, 1);
    return at >= 0;
  }
  put(line: number): number | undefined {
    const set = this.#set(line);
    set.unshift(line);
    return set.length > this.ways ? set.pop() : undefined;
  }
}

const LATENCY = { l2: 7, l3: 11, dram: 13 };

describe.each([
  [8192, 2, 16384, 4],
  [8192, 1, 8192, 2],
  [16384, 4, 0, 16],
])(
  'an L2 of %i bytes in %i ways over a victim L3 of %i bytes in %i ways',
  (l2, l2Ways, l3, l3Ways) => {
    const caches = {
      l2: { size: `${l2 / 1024}KiB`, ways: l2Ways, hitCycles: LATENCY.l2 },
      l3: { size: `${l3 / 1024}KiB`, ways: l3Ways, hitCycles: LATENCY.l3 },
    };
    const { processor } = load({
      host: { cpu: { caches, memory: { localCycles: LATENCY.dram } } },
    });

    it('finds each of two cores’ lines where lists searched one by one find it', () => {
      const access = fc.record({ core: fc.nat(1), frame: fc.nat(11), line: fc.nat(63) });
      fc.assert(
        fc.property(fc.array(access, { minLength: 100, maxLength: 1500 }), (accesses) => {
          const machine = buildMachine({
            processor,
            sockets: 1,
            pcpus: 2,
            memoryBytes: 2 ** 28,
            dataLines: true,
            vcpuCount: 1,
            vmOf: Int32Array.from([0, -1]),
            tableNodes: 16,
            items: 0,
          });
          try {
            const private2 = [new Lists(l2, l2Ways), new Lists(l2, l2Ways)];
            const shared3 = new Lists(l3, l3Ways);
            for (const { core, frame, line } of accesses) {
              const name = (frame << 6) | line;
              const own = private2[core]!;
              let expected = LATENCY.l2;
              if (!own.take(name)) {
                expected = l3 > 0 && shared3.take(name) ? LATENCY.l3 : LATENCY.dram;
              }
              const out = own.put(name);
              if (out !== undefined && l3 > 0) {
                // A copy that the other core has evicted before is the same line.
                shared3.take(out);
                shared3.put(out);
              }
              expect(readHostLine(machine.cores[core]!, frame, line)).toBe(expected);
            }
          } finally {
            machine.dispose();
          }
        }),
        { numRuns: 30 },
      );
    });
  },
);

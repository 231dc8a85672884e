import { describe, expect, it } from 'vitest';
import { writeItem } from '../../src/machine/items.ts';
import { runBlock, Stop } from '../../src/machine/run.ts';
import { BareCore } from '../support/bare-core.ts';
import fc from '../support/property.ts';

/** Blocks executed in one go, up to a limit, against the same visits executed one by one. */
const ITEMS = 60;

const visit = fc.record({
  vpn: fc.integer({ min: 1, max: 70 }),
  op: fc.integer({ min: 0, max: 2 }),
  references: fc.integer({ min: 1, max: 40 }),
  instructions: fc.oneof(fc.integer({ min: 0, max: 20 }), {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 65_535 }),
  }),
});
type Visit = { vpn: number; op: number; references: number; instructions: number };

function write(at: number, visits: readonly Visit[]): number {
  for (const [i, { vpn, op, references, instructions }] of visits.entries()) {
    writeItem(at + i, [vpn, op | (1 << 16), references, instructions]);
  }
  return at + visits.length;
}

const counted = [
  'visits',
  'references',
  'user_instructions',
  'l1i_lookups',
  'l1d_lookups',
] as const;

describe('a block of visits', () => {
  it('stops after the first visit that reaches the limit, and takes what its visits take', () => {
    // One pair for all: both go through the same history.
    const whole = new BareCore([], 1, ITEMS);
    const single = new BareCore([], 1, ITEMS);
    fc.assert(
      fc.property(
        fc.array(visit, { minLength: 1, maxLength: ITEMS }),
        fc.integer({ min: 26, max: 4096 }),
        fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 2_000_000 })),
        (visits, cpi, limit) => {
          const end = write(whole.block, visits);
          write(single.block, visits);
          for (const { core } of [whole, single]) core.cpiQ8 = cpi;
          whole.core.item = whole.block;
          whole.core.itemEnd = end;
          single.core.item = single.block;
          let visited = 0;
          let begin = whole.core.time;
          while (whole.core.item < end) {
            const stop = runBlock(whole.core, limit);
            const reached = whole.core.time - begin >= limit;
            const over = whole.core.item === end;
            expect(stop).toBe(over ? Stop.End : Stop.Limit);
            expect(over || reached).toBe(true);
            begin = whole.core.time;
            const to = whole.core.item - whole.block;
            for (const from = single.core.time; visited < to; visited++) {
              // Nothing before the last visit had reached it.
              expect(single.core.time - from).toBeLessThan(limit);
              single.core.itemEnd = single.core.item + 1;
              runBlock(single.core, 2 ** 30);
            }
            expect(whole.core.time).toBe(single.core.time);
            expect(whole.core.cpiCarry).toBe(single.core.cpiCarry);
          }
          for (const name of counted) expect(whole.count(name)).toBe(single.count(name));
        },
      ),
      { numRuns: 150 },
    );
    whole.dispose();
    single.dispose();
  });
});

import { describe, expect, it } from 'vitest';
import { hotCounters } from '../../src/machine/counters.ts';
import { invalidatePage } from '../../src/machine/flush.ts';
import { heldTranslations, heldUpperEntries } from '../../src/machine/inspect.ts';
import { writeItem } from '../../src/machine/items.ts';
import { Pte } from '../../src/machine/page-tables.ts';
import { Cause } from '../../src/stats/leaves.ts';
import { BareCore } from '../support/bare-core.ts';
import fc from '../support/property.ts';

/** Misses handled in one piece against the same misses handled step by step. */
const SMALL = [
  'host.cpu.tlb.l1d={ 4K: { entries: 4, ways: full }, shared: false }',
  'host.cpu.tlb.l2d.4K={ entries: 16, ways: 4 }',
  'host.cpu.walk.pwcEntries=6',
];
const VMS = 2;
const BLOCK = 80;

const page = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => 512 * n + 7) },
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      visits: fc.array(fc.tuple(page, fc.constantFrom(0, 1, 1, 2)), {
        minLength: 1,
        maxLength: BLOCK,
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('vm' as const), vm: fc.nat(VMS - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('invlpg' as const), page }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('clean' as const), page }) },
);

/** Everything that can be told of a core from outside. */
function stateOf(bare: BareCore) {
  const { core } = bare;
  const counts = hotCounters.map((name) => bare.count(name));
  const held = Array.from({ length: VMS }, (_, vm) =>
    [...heldTranslations(core, vm, 0)].map((t) => JSON.stringify(t)).sort(),
  );
  return { time: core.time, counts, held, upper: [...heldUpperEntries(core)] };
}

describe('usual misses', () => {
  it('have the same effect in one piece as step by step', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const [whole, single] = [new BareCore(SMALL, VMS, BLOCK), new BareCore(SMALL, VMS, BLOCK)];
        try {
          let usual = 0;
          for (const s of steps) {
            for (const bare of [whole, single]) {
              const { core } = bare;
              if (s.do === 'vm') bare.enter(s.vm);
              else if (s.do === 'flush') bare.flush();
              else if (s.do === 'invlpg') invalidatePage(core, s.page, Cause.Invlpg);
              else if (s.do === 'clean') bare.unmark(s.page, Pte.Dirty | Pte.Accessed);
              else {
                if (bare === single) core.usual = 0;
                else usual += core.usual;
                for (const [i, [vpn, op]] of s.visits.entries()) {
                  writeItem(bare.block + i, [vpn, op | (1 << 16), 2, 3]);
                }
                bare.run(bare.block, bare.block + s.visits.length);
              }
            }
            expect(stateOf(whole)).toEqual(stateOf(single));
          }
          expect(usual === 0).toBe(steps.every((s) => s.do !== 'run'));
        } finally {
          whole.dispose();
          single.dispose();
        }
      }),
      { numRuns: 100 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { hotCounters } from '../../src/machine/counters.ts';
import { invalidatePage } from '../../src/machine/flush.ts';
import { heldTableFrames, heldTranslations, heldUpperEntries } from '../../src/machine/inspect.ts';
import { writeItem } from '../../src/machine/items.ts';
import { Pte } from '../../src/machine/page-tables.ts';
import { Cause } from '../../src/stats/leaves.ts';
import { BareCore } from '../support/bare-core.ts';
import fc from '../support/property.ts';
import { runs } from '../support/scenarios.ts';

/** Misses handled in one piece against the same misses handled step by step. */
const SMALL = [
  'host.cpu.tlb.l1d={ 4K: { entries: 4, ways: full }, shared: false }',
  'host.cpu.tlb.l2d.4K={ entries: 16, ways: 4 }',
  'host.cpu.walk.nestedTlbEntries=5',
];
const VMS = 2;
const BLOCK = 80;

const page = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => 512 * n + 7) },
);
/** Mapped beforehand: while nothing is, no table changes. */
const EVERYTHING = [
  ...Array.from({ length: 40 }, (_, i) => [i + 1, 2] as const),
  ...Array.from({ length: 6 }, (_, n) => [512 * n + 7, 2] as const),
];
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
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), page }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('renest' as const), page, table: fc.boolean() }),
  },
);

/** Everything that can be told of a core from outside. */
function stateOf(bare: BareCore) {
  const { core } = bare;
  const counts = hotCounters.map((name) => bare.count(name));
  const held = Array.from({ length: VMS }, (_, vm) =>
    [...heldTranslations(core, vm, 0)].map((t) => JSON.stringify(t)).sort(),
  );
  const frames = [...heldTableFrames(core)];
  return { time: core.time, counts, held, upper: [...heldUpperEntries(core)], frames };
}

/** Executes visits of `vm`: in one go, or each without any short cut. */
function run(bare: BareCore, visits: readonly (readonly [number, number])[], whole: boolean) {
  for (const [i, [vpn, op]] of visits.entries()) {
    writeItem(bare.block + i, [vpn, op | (1 << 16), 2, 3]);
  }
  if (whole) {
    bare.run(bare.block, bare.block + visits.length);
    return;
  }
  bare.core.fastMisses = 0;
  for (let i = 0; i < visits.length; i++) {
    bare.forgetWalks();
    bare.run(bare.block + i, bare.block + i + 1);
  }
}

describe('frequent misses', () => {
  it.each([
    ['native', false, 5],
    ['nested', true, 9],
  ])('have the same effect in one piece as step by step: %s', (_, nested, entries) => {
    const set = [...SMALL, `host.cpu.walk.pwcEntries=${entries}`];
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const whole = new BareCore(set, VMS, BLOCK, nested);
        const single = new BareCore(set, VMS, BLOCK, nested);
        try {
          for (const bare of [whole, single]) {
            for (let vm = VMS - 1; vm >= 0; vm--) {
              bare.enter(vm);
              run(bare, EVERYTHING, bare === whole);
            }
          }
          for (const s of steps) {
            for (const bare of [whole, single]) {
              const { core } = bare;
              if (s.do === 'vm') bare.enter(s.vm);
              else if (s.do === 'flush') bare.flush();
              else if (s.do === 'invlpg') invalidatePage(core, s.page, Cause.Invlpg);
              else if (s.do === 'clean') bare.unmark(s.page, Pte.Dirty | Pte.Accessed);
              else if (s.do === 'move') bare.moveTable(s.page);
              else if (s.do === 'renest') bare.renest(s.page, s.table);
              else run(bare, s.visits, bare === whole);
            }
            expect(stateOf(whole)).toEqual(stateOf(single));
          }
          expect(whole.core.fastMisses).toBe(1);
        } finally {
          whole.dispose();
          single.dispose();
        }
      }),
      { numRuns: runs(60) },
    );
  });
});

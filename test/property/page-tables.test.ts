import { describe, expect, it } from 'vitest';
import { frameOf, softWalk, walkSoftly } from '../../src/hypervisor/mmu/guest-tables.ts';
import { indexAt, PageTables, PTE_SHIFT, Pte, target } from '../../src/machine/page-tables.ts';
import fc from '../support/property.ts';

/** Maps and unmaps as a kernel does: tables on demand, freed when they hold nothing. */
class Space {
  readonly tables = new PageTables(2);
  readonly root = this.tables.alloc(1);

  map(page: number, frame: number, level: number): boolean {
    let node = this.root;
    for (let at = 4; at > level; at--) {
      const slot = (node << 9) | indexAt(page, at);
      const entry = this.tables.entries[slot]!;
      if ((entry & Pte.Large) !== 0) return false;
      if ((entry & Pte.Present) === 0) {
        this.tables.set(slot, (this.tables.alloc(slot) << PTE_SHIFT) | Pte.Present);
      }
      node = target(this.tables.entries[slot]!);
    }
    const slot = (node << 9) | indexAt(page, level);
    const old = this.tables.entries[slot]!;
    if (level > 1 && (old & Pte.Present) !== 0 && (old & Pte.Large) === 0) return false;
    this.tables.set(slot, (frame << PTE_SHIFT) | Pte.Present | (level > 1 ? Pte.Large : 0));
    return true;
  }

  unmap(page: number): void {
    const walk = walkSoftly(this.tables, this.root, page, softWalk());
    if (walk.level === 0) return;
    this.tables.set(walk.slot, 0);
    for (let i = walk.depth - 1; i > 0 && this.tables.used[walk.nodes[i]!] === 0; i--) {
      this.tables.set((walk.nodes[i - 1]! << 9) | indexAt(page, 5 - i), 0);
      this.tables.free(walk.nodes[i]!);
    }
  }
}

const page = fc
  .tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.integer({ min: 0, max: 1 }),
    fc.integer({ min: 0, max: 3 }),
    fc.nat(511),
  )
  .map(([a, b, c, d]) => ((a * 512 + b) * 512 + c) * 512 + d);
const step = fc.record({
  page,
  frame: fc.integer({ min: 0, max: 2 ** 15 }),
  level: fc.constantFrom(0, 0, 1, 1, 1, 1, 2),
});

describe('page tables', () => {
  it('translate as a map from pages to frames, and leave nothing behind', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const space = new Space();
        const { tables, root } = space;
        const frames = new Map<number, number>();
        const large = new Map<number, number>();
        for (const { page: vpn, frame, level } of steps) {
          const block = vpn >>> 9;
          if (level === 0) {
            space.unmap(vpn);
            frames.delete(vpn);
            large.delete(block);
          } else if (level === 1) {
            if (space.map(vpn, frame, 1)) frames.set(vpn, frame);
            else expect(large.has(block)).toBe(true);
          } else if (space.map(vpn, frame << 9, 2)) {
            large.set(block, frame << 9);
          } else {
            expect([...frames.keys()].some((mapped) => mapped >>> 9 === block)).toBe(true);
          }
        }
        for (const { page: vpn } of steps) {
          const walk = walkSoftly(tables, root, vpn, softWalk());
          const inBlock = large.get(vpn >>> 9);
          const expected = inBlock === undefined ? frames.get(vpn) : inBlock + (vpn & 511);
          expect(walk.level === 0 ? undefined : frameOf(walk, vpn)).toBe(expected);
        }
        for (const { page: vpn } of steps) space.unmap(vpn);
        expect(tables.count).toBe(1);
        expect(tables.used[root]).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

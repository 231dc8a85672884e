import { expect, it } from 'vitest';
import { type Mapping, Mappings } from '../../src/guest/mappings.ts';
import fc from '../support/property.ts';

const PAGES = 64;

const step = fc.record({
  start: fc.nat(PAGES - 1),
  pages: fc.integer({ min: 1, max: 16 }),
  cutOnly: fc.boolean(),
});

it('mappings answer like a table with one entry per page', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const mappings = new Mappings();
      const model = new Map<number, { object: string; filePage: number }>();
      for (const [i, { start, pages, cutOnly }] of steps.entries()) {
        const removed = mappings.cut(start, start + pages);
        let count = 0;
        for (const piece of removed) {
          for (let p = 0; p < piece.pages; p++) {
            const known = model.get(piece.start + p);
            expect(known).toEqual({ object: piece.object, filePage: piece.fileStart + p });
          }
          count += piece.pages;
        }
        let had = 0;
        for (let p = start; p < start + pages; p++) if (model.delete(p)) had++;
        expect(count).toBe(had);
        if (cutOnly) continue;
        mappings.add(mapping(`object-${i}`, start, pages));
        for (let p = 0; p < pages; p++) {
          model.set(start + p, { object: `object-${i}`, filePage: p });
        }
      }
      for (let page = 0; page < PAGES + 16; page++) {
        const found = mappings.at(page);
        const known = model.get(page);
        expect(found?.object).toBe(known?.object);
        if (found) expect(found.fileStart + page - found.start).toBe(known?.filePage);
      }
      const starts = mappings.all.map(({ start }) => start);
      expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    }),
    { seed: 7, numRuns: 300 },
  );
});

function mapping(object: string, start: number, pages: number): Mapping {
  return {
    object,
    start,
    pages,
    kind: 'anon',
    writable: true,
    pageShift: 12,
    fileStart: 0,
    owned: true,
  };
}

import { describe, expect, it, test } from 'vitest';
import { stream } from '../../src/base/random.ts';
import { makeMix, REGION } from '../../src/guest/workloads/mix.ts';
import { Mixer } from '../../src/guest/workloads/mixer.ts';
import { type PageRights, Right } from '../../src/guest/workloads/page-rights.ts';
import { Kind, type Pattern, sampler } from '../../src/guest/workloads/patterns.ts';
import { Stretch } from '../../src/machine/learned/stretch.ts';
import { type Item, itemsAt, withItems } from '../support/items.ts';
import { runs } from '../support/scenarios.ts';

/**
 * Visits that are skipped do, to the instruction, what they would have done if drawn, and come to
 * new pages as often.
 */

const PATTERNS: readonly Pattern[] = [
  { kind: 'uniform' },
  { kind: 'zipf', exponent: 1.2, order: 'shuffled' },
  { kind: 'sequential' },
  { kind: 'strided', stride: 5 },
  { kind: 'working-set', pages: 4, visits: 37 },
  { kind: 'stream', bytes: 48 },
  { kind: 'stream', bytes: 4096 },
];

/** A mixer of some of the patterns, the same for the same seed. */
function mixer(seed: string): Mixer {
  const random = stream(seed, 'mix');
  const some = PATTERNS.filter((_, i) => i === 0 || random() < 0.6);
  const regions = some.map((pattern, i) => ({
    start: 1000 * i,
    sampler: sampler(pattern, 7 + Math.floor(random() * 90), seed, `region/${i}`),
    share: 0.1 + random(),
    fetch: random() < 0.3,
    stores: random(),
    lines: 1 + random() * 2,
    hotLines: 16,
    lineSkew: 1,
  }));
  const mean = { references: 1 + random() * 6, instructions: 1 + random() * 30 };
  return new Mixer(makeMix(regions, mean, seed, 'schedule'), seed, 'visits');
}

/** Draws the visits of `budget` instructions; returns sums over them. */
function draw(from: Mixer, budget: number) {
  const sum = { visits: 0, instructions: 0, references: 0, fetches: 0 };
  withItems(256, (at) => {
    for (let left = budget; left > 0; left -= from.spent) {
      const count = from.fill(at, 256, left);
      for (const [, op, references, instructions] of itemsAt(at, count)) {
        sum.visits++;
        sum.instructions += instructions;
        sum.references += references;
        if ((op & 255) === 0) sum.fetches++;
      }
    }
  });
  return sum;
}

/** Where patterns stand that go on by themselves. */
const places = ({ position, words }: Mixer) => [
  position,
  ...Array.from({ length: words.length / REGION }, (_, i) => words.slice(i * REGION)).flatMap(
    (of) =>
      of[0] === Kind.Stride || of[0] === Kind.Stream
        ? [of[6]]
        : of[0] === Kind.WorkingSet
          ? [of[7]]
          : [],
  ),
];

test.each(Array.from({ length: runs(20) }, (_, i) => `case ${i}`))('%s', (seed) => {
  const drawing = mixer(seed);
  const skipping = mixer(seed);
  const random = stream(seed, 'budgets');
  for (let i = 0; i < 12; i++) {
    const budget = 1 + Math.floor(random() ** 4 * 40_000);
    const stretch = new Stretch();
    skipping.skip(budget, stretch);
    const { visits, instructions, references, fetches } = stretch;
    expect({ visits, instructions, references, fetches }, `${budget} instructions`).toEqual(
      draw(drawing, budget),
    );
    expect(places(skipping)).toEqual(places(drawing));
  }
});

/** Memory of which nothing is there; a load makes a page readable, a store makes it writable. */
class Fresh implements PageRights {
  readonly rights = new Map<number, number>();
  /** By kind: pages that were not there, and stores that were denied. */
  readonly faults: [number, number] = [0, 0];

  rightsOf(page: number): number {
    return this.rights.get(page) ?? Right.None;
  }

  watch(): void {}

  /** A visit happens. True: it has faulted. */
  visit([page, op]: Item): boolean {
    const store = (op & 255) === 2;
    const had = this.rightsOf(page);
    const needed = store ? Right.Store : Right.Load;
    if (had >= needed) return false;
    this.faults[had as 0 | 1]++;
    this.rights.set(page, needed);
    return true;
  }
}

describe('skipping comes to new pages', () => {
  const patterns: readonly (readonly [string, Pattern, number])[] = [
    ['uniform', { kind: 'uniform' }, 0.3],
    ['zipf', { kind: 'zipf', exponent: 1.3, order: 'shuffled' }, 0.5],
    ['sequential', { kind: 'sequential' }, 0.5],
    ['stream', { kind: 'stream', bytes: 512 }, 0.4],
    ['stores alone', { kind: 'zipf', exponent: 0.8, order: 'ranked' }, 1],
    ['loads alone', { kind: 'zipf', exponent: 0.8, order: 'ranked' }, 0],
  ];
  const PAGES = 60;
  const make = (pattern: Pattern, stores: number, seed: string) => {
    const region = {
      ...{ start: 100, share: 1, fetch: false, stores, lines: 1, hotLines: 9, lineSkew: 1 },
      sampler: sampler(pattern, PAGES, 'law', 'region'),
    };
    const mix = makeMix([region], { references: 2, instructions: 5 }, 'law', 'mix');
    return new Mixer(mix, seed, 'visits');
  };

  it.each(patterns)('as often as drawing does: %s', (_, pattern, stores) => {
    const [drawn, skipped] = [0, 1].map(() => [0, 0]);
    for (let seed = 0; seed < 300; seed++) {
      const budget = 700;
      const drawing = new Fresh();
      const drawer = make(pattern, stores, `${seed}`);
      withItems(256, (at) => {
        for (let left = budget; left > 0; left -= drawer.spent) {
          const count = drawer.fill(at, 256, left);
          for (const item of itemsAt(at, count)) drawing.visit(item);
        }
      });
      const skipping = new Fresh();
      const skipper = make(pattern, stores, `${seed}`);
      for (let left = budget; left > 0; ) {
        const stretch = new Stretch();
        const touch = skipper.skip(left, stretch, skipping);
        left -= stretch.instructions + (touch?.[3] ?? 0);
        // What comes is a fault, whatever kind.
        if (touch) expect(skipping.visit(touch)).toBe(true);
      }
      expect(places(skipper)).toEqual(places(drawer));
      for (const kind of [0, 1] as const) {
        drawn![kind]! += drawing.faults[kind] / 300;
        skipped![kind]! += skipping.faults[kind] / 300;
      }
    }
    for (const kind of [0, 1]) {
      expect(Math.abs(skipped![kind]! - drawn![kind]!)).toBeLessThan(0.03 * PAGES);
    }
  });
});

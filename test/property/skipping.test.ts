import { expect, test } from 'vitest';
import { stream } from '../../src/base/random.ts';
import { makeMix, REGION } from '../../src/guest/workloads/mix.ts';
import { Mixer } from '../../src/guest/workloads/mixer.ts';
import { Kind, type Pattern, sampler } from '../../src/guest/workloads/patterns.ts';
import { Stretch } from '../../src/machine/learned/stretch.ts';
import { itemsAt, withItems } from '../support/items.ts';
import { runs } from '../support/scenarios.ts';

/** Visits that are skipped do, to the instruction, what they would have done if drawn. */

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

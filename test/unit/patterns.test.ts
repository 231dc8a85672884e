import { describe, expect, it } from 'vitest';
import { xoshiroState } from '../../src/base/random.ts';
import { makeMix } from '../../src/guest/workloads/mix.ts';
import { Mixer } from '../../src/guest/workloads/mixer.ts';
import { cycle, type Pattern, permutation, sampler } from '../../src/guest/workloads/patterns.ts';
import { aliasTable, COLUMN, zipfWeights } from '../../src/guest/workloads/zipf.ts';
import { type Item, itemsAt, withItems } from '../support/items.ts';

/** The pages that `visits` visits to one region of `pages` pages go to. */
function draw(pattern: Pattern, pages: number, visits: number): number[] {
  const region = {
    start: 0,
    sampler: sampler(pattern, pages, 'seed', 'region'),
    share: 1,
    fetch: false,
    stores: 0.25,
    lines: 1,
    hotLines: 64,
    lineSkew: 0,
  };
  const mix = makeMix([region], { references: 4, instructions: 8 }, 'seed', 'mix');
  const mixer = new Mixer(mix, 'seed', 'visits');
  return withItems(visits, (at) => {
    mixer.fill(at, visits, 2 ** 30);
    return itemsAt(at, visits).map(([page]) => page);
  });
}

function counts(drawn: readonly number[], pages: number): Int32Array {
  const count = new Int32Array(pages);
  for (const page of drawn) count[page] = count[page]! + 1;
  return count;
}

describe('access patterns', () => {
  it('uniform: draws every page about equally often', () => {
    const count = counts(draw({ kind: 'uniform' }, 100, 100_000), 100);
    expect(Math.min(...count)).toBeGreaterThan(850); // 1000 - 5 standard deviations
    expect(Math.max(...count)).toBeLessThan(1160);
  });

  it('zipf: draws page k in proportion to 1/k when ranked', () => {
    const drawn = draw({ kind: 'zipf', exponent: 1, order: 'ranked' }, 64, 200_000);
    const count = counts(drawn, 64);
    const harmonic = Array.from({ length: 64 }, (_, k) => 1 / (k + 1)).reduce((a, b) => a + b);
    for (const k of [1, 2, 8, 32, 64]) {
      expect(count[k - 1]! / 200_000).toBeCloseTo(1 / k / harmonic, 2);
    }
  });

  it('zipf: has the same popularity in another order when shuffled', () => {
    const ranked = counts(draw({ kind: 'zipf', exponent: 1, order: 'ranked' }, 50, 50_000), 50);
    const mixed = counts(draw({ kind: 'zipf', exponent: 1, order: 'shuffled' }, 50, 50_000), 50);
    expect(mixed).not.toEqual(ranked);
    expect(mixed.toSorted()).toEqual(ranked.toSorted());
  });

  it('zipf: divides whole weights so that every page gets exactly its own', () => {
    const n = 1000;
    const weights = zipfWeights(n, 0.8);
    const table = aliasTable(n, 0.8, null);
    const got = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const [threshold, win, loss] = table.subarray(3 * i);
      got[win!] = got[win!]! + threshold!;
      got[loss!] = got[loss!]! + COLUMN - threshold!;
    }
    expect(got).toEqual(weights);
    expect(weights.reduce((a, b) => a + b)).toBe(n * COLUMN);
  });

  it('zipf: has these thresholds on every machine', () => {
    expect([...aliasTable(4, 1, null)]).toEqual([
      65536, 0, 0, 62915, 1, 0, 41943, 2, 0, 31457, 3, 0,
    ]);
  });

  it('sequential: goes through the pages in order and starts again', () => {
    const drawn = draw({ kind: 'sequential' }, 7, 20);
    for (let i = 1; i < 20; i++) expect(drawn[i]).toBe((drawn[i - 1]! + 1) % 7);
  });

  it('strided: advances by its stride and wraps', () => {
    const drawn = draw({ kind: 'strided', stride: 5 }, 8, 20);
    for (let i = 1; i < 20; i++) expect(drawn[i]).toBe((drawn[i - 1]! + 5) % 8);
  });

  it('pointer-chase: visits every page once before it comes back', () => {
    expect(new Set(draw({ kind: 'pointer-chase' }, 500, 500)).size).toBe(500);
  });

  it('cycle: is one single cycle', () => {
    for (const n of [1, 2, 3, 10, 257]) {
      const next = cycle(n, xoshiroState('seed', `cycle/${n}`));
      let at = 0;
      let steps = 0;
      do {
        at = next[at]!;
        steps++;
      } while (at !== 0);
      expect(steps).toBe(n);
    }
  });

  it('permutation: holds every number once', () => {
    const order = permutation(100, xoshiroState('seed', 'order'));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('working-set: stays in a window of its size for a phase, then moves', () => {
    const drawn = draw({ kind: 'working-set', pages: 10, visits: 200 }, 10_000, 2000);
    const windows = Array.from({ length: 10 }, (_, i) => drawn.slice(i * 200, i * 200 + 200));
    const places = windows.map((window) => new Set(window));
    for (const place of places) expect(place.size).toBeLessThanOrEqual(10);
    expect(new Set(windows.map((window) => Math.min(...window))).size).toBeGreaterThan(5);
  });

  it('never leaves a region, be it a single page', () => {
    const kinds: Pattern[] = [
      { kind: 'uniform' },
      { kind: 'zipf', exponent: 1, order: 'shuffled' },
      { kind: 'sequential' },
      { kind: 'strided', stride: 9 },
      { kind: 'pointer-chase' },
      { kind: 'working-set', pages: 5, visits: 3 },
      { kind: 'stream', bytes: 100 },
    ];
    for (const pages of [1, 2, 3, 100]) {
      for (const pattern of kinds) {
        const drawn = draw(pattern, pages, 1000);
        expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
        expect(Math.max(...drawn)).toBeLessThan(pages);
      }
    }
  });
});

describe('the mixer', () => {
  const region = (name: string, share: number, fetch: boolean, start: number) => ({
    start,
    sampler: sampler({ kind: 'uniform' }, 16, 'seed', name),
    share,
    fetch,
    stores: fetch ? 0 : 0.25,
    lines: 3,
    hotLines: 4,
    lineSkew: 0,
  });
  const regions = [region('text', 1, true, 0), region('data', 3, false, 1000)];
  const mean = { references: 6, instructions: 10 };
  const mix = makeMix(regions, mean, 'seed', 'mix');
  const run = (visits: number, of = mix) =>
    withItems(visits, (at) => {
      new Mixer(of, 'seed', 'visits').fill(at, visits, 2 ** 30);
      return itemsAt(at, visits);
    });
  const sum = (items: readonly Item[], of: (item: Item) => number) =>
    items.reduce((total, item) => total + of(item), 0);

  it('keeps shares, stores and means exactly over one round of its schedule', () => {
    const items = run(2048);
    expect(sum(items, ([page]) => (page < 1000 ? 1 : 0))).toBe(512);
    expect(sum(items, ([, op]) => ((op & 255) === 2 ? 1 : 0))).toBe(384);
    expect(Math.abs(sum(items, ([, , n]) => n) - 6 * 2048)).toBeLessThanOrEqual(1);
    expect(Math.abs(sum(items, ([, , , n]) => n) - 10 * 2048)).toBeLessThanOrEqual(1);
  });

  it('begins only at the hot lines of a page', () => {
    const lines = new Map<number, Set<number>>();
    for (const [page, op] of run(5000)) {
      expect((op >>> 16) & 127).toBe(3);
      if (!lines.has(page)) lines.set(page, new Set());
      lines.get(page)!.add((op >>> 8) & 255);
    }
    for (const set of lines.values()) {
      expect(set.size).toBe(4);
      expect(Math.max(...set)).toBeLessThan(64);
    }
  });

  it.each([1, 1.23, 2.5, 3.999, 64])(
    'touches %d lines in the mean, loads and stores alike',
    (lines) => {
      const data = { ...region('data', 1, false, 0), lines };
      const items = run(2048, makeMix([data], mean, 'seed', 'mix'));
      for (const wanted of [1, 2]) {
        const some = items.filter(([, op]) => (op & 255) === wanted);
        const touched = sum(some, ([, op]) => (op >>> 16) & 127) / some.length;
        expect(Math.abs(touched - lines)).toBeLessThan(0.01);
        for (const [, op] of some) {
          const n = (op >>> 16) & 127;
          expect(n === Math.floor(lines) || n === Math.ceil(lines)).toBe(true);
          expect(op >>> 24).toBe(n >= 4 ? 1 : 0);
        }
      }
    },
  );

  it.each([
    [64, 0],
    [64, 1],
    [40, 1.3],
    [5, 0.5],
  ])('uses the lines of a page by Zipf: %d of them, exponent %d', (hotLines, lineSkew) => {
    const sampled = sampler({ kind: 'uniform' }, 1, 'seed', 'one');
    const one = { ...region('one', 1, false, 0), sampler: sampled, lines: 1, hotLines, lineSkew };
    const items = run(100_000, makeMix([one], mean, 'seed', 'mix'));
    const used = new Array<number>(64).fill(0);
    for (const [, op] of items) used[(op >>> 8) & 63]!++;
    used.sort((a, b) => b - a);
    const weights = Array.from({ length: hotLines }, (_, k) => (k + 1) ** -lineSkew);
    const total = weights.reduce((a, b) => a + b);
    expect(used.filter((n) => n > 0)).toHaveLength(hotLines);
    for (const k of [0, 1, hotLines >> 1]) {
      // The table has steps of 1/1024, and the ranks of a sample are biased a little.
      expect(Math.abs(used[k]! / 100_000 - weights[k]! / total)).toBeLessThan(0.003);
    }
  });

  it.each([16, 48, 64, 100, 4096])('a stream of %d bytes a visit leaves no line out', (bytes) => {
    const pages = 3;
    const sampled = sampler({ kind: 'stream', bytes }, pages, 'seed', 'stream');
    const stream = { ...region('stream', 1, false, 100), sampler: sampled, lines: 1 };
    const visits = 2000;
    const items = run(visits, makeMix([stream], mean, 'seed', 'mix'));
    let last = -1;
    let changes = 0;
    for (const [page, op] of items) {
      expect(op >>> 24).toBe(1);
      const first = (page - 100) * 64 + ((op >>> 8) & 63);
      const lines = (op >>> 16) & 127;
      expect(((op >>> 8) & 63) + lines).toBeLessThanOrEqual(64);
      // It goes on where the last visit ended: in its last line, or in the one behind.
      if (last >= 0) expect([0, 1]).toContain((first - last + 64 * pages) % (64 * pages));
      if (last !== first) changes++;
      last = first + lines - 1;
      changes += lines - 1;
    }
    const perPage = Math.ceil(4096 / bytes);
    expect(Math.abs(changes / visits / (64 / perPage) - 1)).toBeLessThan(0.02);
  });

  it('refuses a stream that is too large to count', () => {
    expect(() => sampler({ kind: 'stream', bytes: 64 }, 2 ** 18 + 1, 'seed', 'x')).toThrow('1 GiB');
  });

  it('draws the same visits without lines when nobody looks at these', () => {
    const without = run(5000, makeMix(regions, mean, 'seed', 'mix', false));
    expect(without).toEqual(run(5000).map(([a, op, b, c]) => [a, op & 0x17f00ff, b, c]));
  });

  it('stops at the visit that uses up its budget', () => {
    const mixer = new Mixer(mix, 'seed', 'visits');
    const items = withItems(100, (at) => itemsAt(at, mixer.fill(at, 100, 55)));
    const total = sum(items, ([, , , n]) => n);
    expect(total).toBe(mixer.spent);
    expect(total).toBeGreaterThanOrEqual(55);
    expect(total - items.at(-1)![3]).toBeLessThan(55);
  });

  it('draws the same with the loop for plain mixes as with the one for any', () => {
    const patterns: Pattern[] = [
      { kind: 'uniform' },
      { kind: 'strided', stride: 7 },
      { kind: 'working-set', pages: 5, visits: 40 },
    ];
    const several = [1, 13, 65_536].flatMap((pages, i) =>
      patterns.map((pattern, k) => ({
        ...region('data', 1 + k, k === 1, 2 ** 20 * (3 * i + k)),
        sampler: sampler(pattern, pages, 'seed', `${i}/${k}`),
      })),
    );
    const plain = makeMix(several, mean, 'seed', 'several');
    expect(plain.plain).toBe(true);
    const drawn = [plain, { ...plain, plain: false }].map((of) => {
      const mixer = new Mixer(of, 'seed', 'visits');
      return withItems(3000, (at) =>
        [1, 55, 9000, 2 ** 30].map((budget) => {
          const items = itemsAt(at, mixer.fill(at, 3000, budget));
          return [mixer.spent, ...items];
        }),
      );
    });
    expect(drawn[0]).toEqual(drawn[1]);
    const large = [{ ...several[0]!, sampler: sampler({ kind: 'uniform' }, 65_537, 's', 'l') }];
    expect(makeMix(large, mean, 'seed', 'large').plain).toBe(false);
  });
});

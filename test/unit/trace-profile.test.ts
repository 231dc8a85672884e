import { describe, expect, it } from 'vitest';
import { xoshiroNext, xoshiroState } from '../../src/base/random.ts';
import { Footprint } from '../../src/trace/footprint.ts';
import { MAX_PAGES, PageIndex } from '../../src/trace/page-index.ts';
import { TraceProfiler } from '../../src/trace/profile.ts';
import { StackDistances } from '../../src/trace/stack-distance.ts';

/** Pages of a stream whose working set moves, with runs and returns. */
function randomPages(n: number, spread: number): number[] {
  const state = xoshiroState('1', 'test');
  return Array.from({ length: n }, (_, i) => {
    const bits = xoshiroNext(state) >>> 0;
    return Math.floor(i / 500) * 7 + (bits % (bits & 0x10000 ? spread : 5));
  });
}

/** Misses of an LRU list kept the obvious way. */
function lruMisses(pages: readonly number[], entries: number): number {
  const list: number[] = [];
  let misses = 0;
  for (const page of pages) {
    const at = list.indexOf(page);
    if (at < 0) misses++;
    else list.splice(at, 1);
    list.unshift(page);
    list.length = Math.min(list.length, entries);
  }
  return misses;
}

describe('stack distances', () => {
  it('predict the misses of LRU lists of any size', () => {
    const pages = randomPages(6000, 300);
    const distances = new StackDistances();
    for (const page of pages) distances.touch(page, 1);
    for (const entries of [1, 2, 3, 7, 16, 48, 100, 1000]) {
      expect(distances.misses(entries)).toBe(lruMisses(pages, entries));
    }
    expect(distances.cold).toBe(new Set(pages).size);
    expect(distances.between(1, distances.farthest) + distances.cold).toBe(pages.length);
  });

  it('stay right when the times run out many times and when there are more pages than times', () => {
    const distances = new StackDistances();
    for (let round = 0; round < 20; round++) {
      for (let page = 0; page < 3000; page++) distances.touch(page * 2 ** 33, 1);
    }
    expect(distances.misses(2999)).toBe(60_000);
    expect(distances.misses(3000)).toBe(3000);
    expect(distances.farthest).toBe(3000);
  });

  it('count the touches of a run as hits of one entry', () => {
    const distances = new StackDistances();
    distances.touch(7, 1e12);
    expect([distances.misses(1), distances.references]).toEqual([1, 1e12]);
  });
});

describe('the page index', () => {
  it('numbers pages in order of appearance, also those that differ in their high bits only', () => {
    const index = new PageIndex();
    const keys = Array.from({ length: 5000 }, (_, i) => (i % 16) * 2 ** 36 + Math.floor(i / 16));
    expect(keys.map((key) => index.numberOf(key))).toEqual(keys.map((_, i) => i));
    expect(keys.map((key) => index.numberOf(key))).toEqual(keys.map((_, i) => i));
    expect(MAX_PAGES * 4096).toBe(128 * 2 ** 30);
  });
});

describe('the footprint over time', () => {
  it('counts the different pages of every window, however often windows were joined', () => {
    const pages = randomPages(200_000, 2000);
    const footprint = new Footprint();
    for (const [at, page] of pages.entries()) footprint.touch(page, at, 1);
    const { width } = footprint;
    const windows = footprint.windows(pages.length);
    expect(width).toBeGreaterThan(1024);
    for (const { from, touched, total } of windows) {
      expect(touched).toBe(new Set(pages.slice(from, from + width)).size);
      expect(total).toBe(new Set(pages.slice(0, from + width)).size);
    }
    expect(windows).toHaveLength(Math.ceil(pages.length / width));
  });

  it('finds a page in every window that a long run of it spans', () => {
    const footprint = new Footprint();
    footprint.touch(0, 0, 10_000);
    footprint.touch(1, 10_000, 100);
    const windows = footprint.windows(10_100);
    expect(windows.map(({ touched }) => touched)).toEqual([...Array(9).fill(1), 2]);
  });

  it('has the same windows for a stream that ends long before the trace', () => {
    const [short, whole] = [new Footprint(), new Footprint()];
    short.touch(0, 0, 1);
    short.touch(1, 5000, 1);
    whole.touch(0, 0, 60_000_000);
    const [a, b] = [short.windows(60_000_000), whole.windows(60_000_000)];
    expect(a.map(({ from }) => from)).toEqual(b.map(({ from }) => from));
    expect(a.map(({ touched }) => touched)).toEqual([2, ...Array(a.length - 1).fill(0)]);
    expect(a.every(({ total }) => total === 2)).toBe(true);
  });
});

describe('a profile', () => {
  const TEXT =
    'P 1\nI 5 400\nS 2 7ff\nM 1\nX fork 2\nL 1 800\nP 2\nI 3 400\nS 1 7ff\nP 1\nI 1 400\n';

  function profileOf(text: string, limit?: number) {
    const profiler = new TraceProfiler('t.pt', limit);
    profiler.push(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
    return profiler.finish([1, 2]);
  }

  it('tells kinds, address spaces and the two streams apart', () => {
    const profile = profileOf(TEXT);
    expect(profile.references).toEqual({ fetches: 9, loads: 1, stores: 3, modifies: 1 });
    expect(profile).toMatchObject({ visits: 7, addressSpaces: 2, events: { fork: 1 } });
    expect(profile.instruction).toMatchObject({
      references: 9,
      distinctPages: 2,
      predictions: [
        { entries: 1, misses: 3, missRatio: 1 / 3 },
        { entries: 2, misses: 2, missRatio: 2 / 9 },
      ],
    });
    expect(profile.data.distances).toEqual([{ from: 1, to: 1, references: 2 }]);
  });

  it('can end in the middle of a visit', () => {
    expect(profileOf(TEXT, 7).references).toEqual({ fetches: 5, loads: 0, stores: 2, modifies: 0 });
  });

  it('refuses what is not a page trace', () => {
    expect(() => profileOf('I 0 400\n')).toThrow('t.pt:1: not a page trace');
    expect(() => profileOf('# page trace 1\nI 1 400\n')).toThrow('the closing "# totals" line');
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import {
  arrayOf,
  arraySpace,
  entrySpace,
  FLAGS,
  FRAME,
  firstArray,
  HEADS,
  IN_L1,
  IN_L2,
  IN_ROWS,
  KEY,
  LINK,
  NEXT,
  ROW0,
  ROW1,
  ROW2,
  ROW3,
  SET_MASK,
  SETS,
  TAG,
  USED,
} from '../../src/machine/entries.ts';
import { find } from '../../src/machine/hash.ts';
import { Arena, heapSpace } from '../../src/machine/heap.ts';
import type { Processor } from '../../src/machine/processor.ts';
import {
  create,
  destroy,
  drop,
  putInList,
  putInRow,
  toFront,
  touch,
} from '../../src/machine/tlb.ts';
import { makeTlbs, reset, type TlbSide, tlbNeeds } from '../../src/machine/tlb-build.ts';
import {
  discard,
  emptyWalkCache,
  makeWalkCache,
  renumber,
  replaceOldest,
  occupied as used,
  walkCacheNeeds,
} from '../../src/machine/walk-cache.ts';
import fc from '../support/property.ts';

/** TLB arrays and walk caches against a list per set, most recent first: exact LRU with nothing clever. */
class Model {
  readonly sets: { key: number; tag: number; frame: number }[][];
  readonly #ways: number;

  constructor(entries: number, sets: number) {
    this.sets = Array.from({ length: sets }, () => []);
    this.#ways = entries / sets;
  }

  #set(key: number) {
    return this.sets[key & (this.sets.length - 1)]!;
  }

  use(key: number, tag: number): number | undefined {
    const set = this.#set(key);
    const at = set.findIndex((entry) => entry.key === key && entry.tag === tag);
    if (at < 0) return undefined;
    const [entry] = set.splice(at, 1);
    set.unshift(entry!);
    return entry!.frame;
  }

  fill(key: number, tag: number, frame: number): void {
    const set = this.#set(key);
    set.unshift({ key, tag, frame });
    if (set.length > this.#ways) set.pop();
  }

  drop(wanted: (entry: { key: number; tag: number }) => boolean): void {
    for (const set of this.sets) {
      for (let i = set.length - 1; i >= 0; i--) if (wanted(set[i]!)) set.splice(i, 1);
    }
  }
}

type Step =
  | { do: 'use'; key: number; tag: number }
  | { do: 'drop'; key: number; tag: number }
  | { do: 'drop-tag'; tag: number }
  | { do: 'reset' };

const key = fc.integer({ min: 0, max: 40 });
/** The lowest bits of a tag are a page size: here always the first. */
const tag = fc.integer({ min: 0, max: 5 }).map((n) => 4 * n);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 40, arbitrary: fc.record({ do: fc.constant('use' as const), key, tag }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('drop' as const), key, tag }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop-tag' as const), tag }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'reset' }) },
);

const words = heapSpace.acquire(1 << 16);
const entries = entrySpace.acquire(1 << 12);
const first = arraySpace.acquire(12);
afterAll(() => {
  heapSpace.release(words);
  entrySpace.release(entries);
  arraySpace.release(first);
});

/** Where the next thing is taken from: the same region each time. */
function takes() {
  const arenas = [new Arena(words, 1 << 16), new Arena(entries, 1 << 12)] as const;
  return arenas.map((arena) => (count: number) => arena.take(count)) as [
    (count: number) => number,
    (count: number) => number,
  ];
}

/** One array of data pages and nothing else, in the first or the second level. */
class OneArray {
  readonly #side: TlbSide;
  readonly #a: number;
  readonly #level: number;

  constructor(entries: number, sets: number, second: boolean) {
    const none = { entries: 0, ways: 'full' as const };
    const empty = { '4K': none, '2M': none, '1G': none, shared: false };
    const only = { ...empty, '4K': { entries, ways: entries / sets } };
    const tlb = { l1i: empty, l1d: second ? empty : only, l2i: empty, l2d: second ? only : empty };
    const processor = { tlb } as unknown as Processor;
    expect(tlbNeeds(processor).entries).toBeLessThan(1 << 12);
    const [takeWords, takeEntries] = takes();
    this.#side = makeTlbs(takeWords, takeEntries, first, processor)[1]!;
    this.#a = arrayOf(firstArray(first, 1), second ? IN_L2 : IN_L1, 0);
    this.#level = second ? IN_L2 : IN_L1;
  }

  get inRows(): boolean {
    return IN_ROWS[this.#a] === 1;
  }

  #set(key: number): number {
    return SETS[this.#a]! + (key & SET_MASK[this.#a]!);
  }

  find(key: number, tag: number): number {
    return find(HEADS[this.#side.at]!, this.#side.shift, key, tag);
  }

  touch(e: number): void {
    if (this.inRows) toFront(this.#set(KEY[e]!), e);
    else touch(e + LINK[this.#a]!);
  }

  fill(key: number, tag: number, frame: number): void {
    const { at, shift } = this.#side;
    const link = LINK[this.#a]!;
    const e = create(at, shift, key, tag);
    FLAGS[e] = this.#level;
    FRAME[e] = frame;
    const set = this.#set(key);
    const out = this.inRows ? putInRow(set, e) : putInList(set, e + link);
    if (out !== 0) destroy(at, shift, this.inRows ? out : out - link);
  }

  drop(e: number): void {
    drop(this.#side, e);
  }

  reset(): void {
    reset(this.#side);
  }

  *occupied(): Generator<number> {
    const { first: from, end } = this.#side;
    for (let e = from; e < end; e++) if (TAG[e] !== -1) yield e;
  }

  /** Keys and tags of a set in order of recency, most recent first. */
  order(index: number): string[] {
    const set = this.#set(index);
    const found: number[] = [];
    if (this.inRows) {
      for (const word of [ROW0, ROW1, ROW2, ROW3]) if (word[set] !== 0) found.push(word[set]!);
    } else {
      const link = LINK[this.#a]!;
      for (let at = NEXT[set]!; at !== set; at = NEXT[at]!) found.push(at - link);
    }
    return found.map((e) => `${KEY[e]}/${TAG[e]}`);
  }
}

describe.each([
  [8, 1, false],
  [48, 1, false],
  [12, 4, false],
  [16, 8, false],
  [5, 1, false],
  [16, 4, true],
  [4, 1, true],
  [16, 8, true],
  [24, 2, true],
])('a TLB array of %i entries in %i sets, second level: %s', (count, sets, second) => {
  it('does what exact LRU does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const array = new OneArray(count, sets, second);
        expect(array.inRows).toBe(second && count / sets === 4);
        const model = new Model(count, sets);
        for (const [i, s] of steps.entries()) {
          if (s.do === 'use') {
            const e = array.find(s.key, s.tag);
            const frame = model.use(s.key, s.tag);
            expect(e === 0 ? undefined : FRAME[e]).toBe(frame);
            if (e !== 0) array.touch(e);
            else {
              array.fill(s.key, s.tag, i);
              model.fill(s.key, s.tag, i);
            }
          } else if (s.do === 'drop') {
            const e = array.find(s.key, s.tag);
            if (e !== 0) array.drop(e);
            model.drop((entry) => entry.key === s.key && entry.tag === s.tag);
          } else if (s.do === 'drop-tag') {
            for (const e of array.occupied()) if (TAG[e] === s.tag) array.drop(e);
            model.drop((entry) => entry.tag === s.tag);
          } else {
            array.reset();
            model.drop(() => true);
          }
        }
        for (const [set, expected] of model.sets.entries()) {
          expect(array.order(set)).toEqual(expected.map((e) => `${e.key}/${e.tag}`));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a walk cache', () => {
  it.each([1, 5, 24])('of %i entries does what exact LRU does', (entries) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.nat(50), (steps, every) => {
        expect(walkCacheNeeds(entries).entries).toBeLessThan(1 << 12);
        const cache = makeWalkCache(...takes(), entries);
        const model = new Model(entries, 1);
        let now = 0;
        for (const [i, s] of steps.entries()) {
          if (i % 50 === every) now = renumber(cache);
          if (s.do === 'use') {
            const e = find(cache.heads, cache.shift, s.key, s.tag);
            const frame = model.use(s.key, s.tag);
            expect(e === 0 ? undefined : FRAME[e]).toBe(frame);
            now++;
            if (e !== 0) USED[e] = now;
            else {
              replaceOldest(cache, s.key, s.tag, i, now);
              model.fill(s.key, s.tag, i);
            }
          } else if (s.do === 'reset') {
            emptyWalkCache(cache);
            model.drop(() => true);
          } else {
            const goes = (entry: { key: number; tag: number }) =>
              entry.tag === s.tag && (s.do === 'drop-tag' || entry.key === s.key);
            for (const e of used(cache)) {
              if (goes({ key: KEY[e]!, tag: TAG[e]! })) discard(cache, e);
            }
            model.drop(goes);
          }
        }
        const held = used(cache).map((e) => `${KEY[e]}/${TAG[e]}`);
        expect(held).toEqual(model.sets[0]!.map((e) => `${e.key}/${e.tag}`).reverse());
      }),
      { numRuns: 60 },
    );
  });

  it('without entries never holds anything', () => {
    const cache = makeWalkCache(...takes(), 0);
    expect(cache.first).toBe(0);
    for (let key = 0; key < 100; key++) expect(find(cache.heads, cache.shift, key, 1)).toBe(0);
  });
});

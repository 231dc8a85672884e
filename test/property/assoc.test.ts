import { afterAll, describe, expect, it } from 'vitest';
import {
  type Assoc,
  assocWords,
  drop,
  find,
  makeAssoc,
  replace,
  reset,
  touch,
} from '../../src/machine/assoc.ts';
import { FRAME, KEY, PREV, TAG, WORDS } from '../../src/machine/entry.ts';
import { Arena, acquire, heap, release } from '../../src/machine/heap.ts';
import {
  discard,
  emptyWalkCache,
  makeWalkCache,
  renumber,
  replaceOldest,
  USED,
  occupied as used,
  walkCacheWords,
} from '../../src/machine/walk-cache.ts';
import fc from '../support/property.ts';

/** The array behind every TLB against a list per set, most recent first: exact LRU with nothing clever. */
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
const tag = fc.integer({ min: 0, max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 40, arbitrary: fc.record({ do: fc.constant('use' as const), key, tag }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('drop' as const), key, tag }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop-tag' as const), tag }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'reset' }) },
);

const region = acquire(1 << 16);
afterAll(() => release(region));

function* occupied(assoc: Assoc): Generator<number> {
  const end = assoc.first + assoc.entries * WORDS;
  for (let e = assoc.first; e < end; e += WORDS) if (heap[e + TAG] !== -1) yield e;
}

/** Keys and tags of a set in order of recency, as its list has them, oldest first. */
function order(assoc: Assoc, set: number): string[] {
  const sentinel = assoc.sentinels + set * WORDS;
  const out: string[] = [];
  for (let e = heap[sentinel + PREV]!; e !== sentinel; e = heap[e + PREV]!) {
    if (heap[e + TAG] !== -1) out.push(`${heap[e + KEY]}/${heap[e + TAG]}`);
  }
  return out;
}

describe('an associative array', () => {
  it.each([
    [8, 1],
    [48, 1],
    [12, 4],
    [16, 8],
    [5, 1],
  ])('of %i entries in %i sets does what exact LRU does', (entries, sets) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const arena = new Arena(region, assocWords(entries, sets));
        const assoc = makeAssoc((words) => arena.take(words), entries, sets);
        const model = new Model(entries, sets);
        const { heads, shift } = assoc;
        for (const [i, s] of steps.entries()) {
          if (s.do === 'use') {
            const sentinel = assoc.sentinels + (s.key & (sets - 1)) * WORDS;
            const e = find(heads, shift, s.key, s.tag);
            const frame = model.use(s.key, s.tag);
            expect(e === 0 ? undefined : heap[e + FRAME]).toBe(frame);
            if (e !== 0) touch(e);
            else {
              heap[replace(heads, shift, sentinel, s.key, s.tag) + FRAME] = i;
              model.fill(s.key, s.tag, i);
            }
          } else if (s.do === 'drop') {
            const e = find(heads, shift, s.key, s.tag);
            if (e !== 0) drop(assoc, e);
            model.drop((entry) => entry.key === s.key && entry.tag === s.tag);
          } else if (s.do === 'drop-tag') {
            for (const e of occupied(assoc)) if (heap[e + TAG] === s.tag) drop(assoc, e);
            model.drop((entry) => entry.tag === s.tag);
          } else {
            reset(assoc);
            model.drop(() => true);
          }
        }
        for (const [set, expected] of model.sets.entries()) {
          expect(order(assoc, set)).toEqual(expected.map((e) => `${e.key}/${e.tag}`).reverse());
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
        const arena = new Arena(region, walkCacheWords(entries));
        const cache = makeWalkCache((words) => arena.take(words), entries);
        const model = new Model(entries, 1);
        let now = 0;
        for (const [i, s] of steps.entries()) {
          if (i % 50 === every) now = renumber(cache);
          if (s.do === 'use') {
            const e = find(cache.heads, cache.shift, s.key, s.tag);
            const frame = model.use(s.key, s.tag);
            expect(e === 0 ? undefined : heap[e + FRAME]).toBe(frame);
            now++;
            if (e !== 0) heap[e + USED] = now;
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
              if (goes({ key: heap[e + KEY]!, tag: heap[e + TAG]! })) discard(cache, e);
            }
            model.drop(goes);
          }
        }
        const held = used(cache).map((e) => `${heap[e + KEY]}/${heap[e + TAG]}`);
        expect(held).toEqual(model.sets[0]!.map((e) => `${e.key}/${e.tag}`).reverse());
      }),
      { numRuns: 60 },
    );
  });

  it('without entries never holds anything', () => {
    const arena = new Arena(region, walkCacheWords(0));
    const cache = makeWalkCache((words) => arena.take(words), 0);
    expect(cache.first).toBe(0);
    for (let key = 0; key < 100; key++) expect(find(cache.heads, cache.shift, key, 1)).toBe(0);
  });
});

import {
  CHAIN as CHAIN_,
  HOME as HOME_,
  KEY as KEY_,
  NEXT as NEXT_,
  PREV as PREV_,
  TAG as TAG_,
  WORDS as WORDS_,
} from './entry.ts';
import { heap, type Take } from './heap.ts';

/**
 * HOT. The associative array behind every TLB (for the walk caches see walk-cache.ts): a hash table for
 * look-up and one doubly linked recency list per set for exact LRU. Fully associative = one set. The cost
 * of a hit does not grow with the number of ways.
 *
 * An entry (see entry.ts) is `WORDS` words in the heap; a set's list has a sentinel of the same shape. Entries are
 * named by their offset; 0 is none. An empty entry is not hashed (`TAG` is -1) and stands at the old end of its set's list, so that
 * empty ways are filled before anything is evicted.
 */
const H = heap;

// Imported constants are bound to module-level ones: the compiler folds those, but loads an imported (or
// exported) binding at each use (docs/decisions/0003).
const WORDS = WORDS_;
const HOME = HOME_;
const KEY = KEY_;
const TAG = TAG_;
const CHAIN = CHAIN_;
const NEXT = NEXT_;
const PREV = PREV_;

/** Geometry of one array. */
export interface Assoc {
  readonly entries: number;
  readonly sets: number;
  /** First word of the hash heads. */
  readonly heads: number;
  /** 32 - log2(number of heads). */
  readonly shift: number;
  /** First sentinel; the sentinel of set s is at `sentinels + s * WORDS`. */
  readonly sentinels: number;
  /** First entry. */
  readonly first: number;
}

/** Hash heads for so many entries. With fewer, more look-ups go on to a second entry, which costs a wrong guess each. */
export const headsFor = (entries: number): number => {
  let heads = 16;
  while (heads < entries * 8) heads *= 2;
  return heads;
};

/** Words that `makeAssoc` takes from the arena, alignment included. */
export function assocWords(entries: number, sets: number, hashed = entries): number {
  return headsFor(hashed) + (entries + sets) * WORDS + 64;
}

/** An empty array of `entries` entries in `sets` sets (a power of two), with hash heads for `hashed` entries. */
export function makeAssoc(take: Take, entries: number, sets: number, hashed = entries): Assoc {
  const heads = headsFor(hashed);
  const assoc: Assoc = {
    entries,
    sets,
    heads: take(heads),
    shift: 32 - Math.log2(heads),
    sentinels: take(sets * WORDS),
    first: take(entries * WORDS),
  };
  reset(assoc);
  return assoc;
}

/** Empties the array. */
export function reset(assoc: Assoc): void {
  const h = H;
  const { entries, sets, heads, shift, sentinels, first } = assoc;
  H.fill(0, heads, heads + 2 ** (32 - shift));
  const ways = entries / sets;
  for (let set = 0; set < sets; set++) {
    const sentinel = sentinels + set * WORDS;
    let previous = sentinel;
    for (let way = 0; way < ways; way++) {
      const entry = first + (set * ways + way) * WORDS;
      h[entry + TAG] = -1;
      h[entry + KEY] = -1;
      h[entry + HOME] = sentinel;
      h[entry + PREV] = previous;
      h[previous + NEXT] = entry;
      previous = entry;
    }
    h[previous + NEXT] = sentinel;
    h[sentinel + PREV] = previous;
  }
}

/** Spreads a tag over the hash; compute once per tag, xor with the key. */
export function mixOf(tag: number): number {
  return Math.imul(tag, 0x85ebca6b | 0);
}

const GOLDEN = 0x9e3779b1 | 0;

/** The entry for (key, tag), or 0. Recency does not change. */
export function find(heads: number, shift: number, key: number, tag: number): number {
  const h = H;
  let e = h[heads + (Math.imul(key ^ Math.imul(tag, 0x85ebca6b | 0), GOLDEN) >>> shift)]!;
  while (e !== 0 && (h[e] !== key || h[e + TAG] !== tag)) e = h[e + CHAIN]!;
  return e;
}

/** Makes `e` the most recent of its set. */
export function touch(e: number): void {
  const h = H;
  const sentinel = h[(e + HOME) | 0]!;
  const newest = h[sentinel + NEXT]!;
  if (newest === e) return;
  const next = h[e + NEXT]!;
  const prev = h[e + PREV]!;
  h[prev + NEXT] = next;
  h[next + PREV] = prev;
  h[e + NEXT] = newest;
  h[e + PREV] = sentinel;
  h[newest + PREV] = e;
  h[sentinel + NEXT] = e;
}

/** Takes an entry out of its hash chain. */
export const unhash = (heads: number, shift: number, e: number): void => {
  const h = H;
  const bucket =
    (heads + (Math.imul(h[e]! ^ Math.imul(h[(e + TAG) | 0]!, 0x85ebca6b | 0), GOLDEN) >>> shift)) |
    0;
  let at = h[bucket]!;
  if (at === e) {
    h[bucket] = h[(e + CHAIN) | 0]!;
    return;
  }
  while (h[(at + CHAIN) | 0] !== e) at = h[(at + CHAIN) | 0]!;
  h[(at + CHAIN) | 0] = h[(e + CHAIN) | 0]!;
};

/**
 * Takes the least recent entry of a set for (key, tag) and makes it the most recent. The caller has read
 * the victim's payload from `H[sentinel + PREV]` before, and writes the new payload after.
 */
export function replace(
  heads: number,
  shift: number,
  sentinel: number,
  key: number,
  tag: number,
): number {
  const h = H;
  const e = h[sentinel + PREV]!;
  if (h[e + TAG] !== -1) unhash(heads, shift, e);
  h[e] = key;
  h[(e + TAG) | 0] = tag;
  const bucket = (heads + (Math.imul(key ^ Math.imul(tag, 0x85ebca6b | 0), GOLDEN) >>> shift)) | 0;
  h[(e + CHAIN) | 0] = h[bucket]!;
  h[bucket] = e;
  // From the old end of the list to the new one.
  const newest = h[(sentinel + NEXT) | 0]!;
  if (newest !== e) {
    const last = h[(e + PREV) | 0]!;
    h[(last + NEXT) | 0] = sentinel;
    h[(sentinel + PREV) | 0] = last;
    h[(e + NEXT) | 0] = newest;
    h[(e + PREV) | 0] = sentinel;
    h[(newest + PREV) | 0] = e;
    h[(sentinel + NEXT) | 0] = e;
  }
  return e;
}

/** Empties one entry and puts it at the old end of its set. */
export function drop(assoc: Assoc, e: number): void {
  const h = H;
  const { heads, shift } = assoc;
  const sentinel = h[e + HOME]!;
  unhash(heads, shift, e);
  h[e + TAG] = -1;
  h[e + KEY] = -1;
  const next = h[e + NEXT]!;
  const prev = h[e + PREV]!;
  h[prev + NEXT] = next;
  h[next + PREV] = prev;
  const oldest = h[sentinel + PREV]!;
  h[oldest + NEXT] = e;
  h[e + PREV] = oldest;
  h[e + NEXT] = sentinel;
  h[sentinel + PREV] = e;
}

import {
  arrayOf,
  CHAIN,
  FLAGS,
  FREE,
  HEADS,
  HOME,
  IN_L1,
  IN_L2,
  IN_ROWS,
  KEY,
  LARGE,
  LINK,
  NEXT,
  PREV,
  RESIDENT,
  ROW0,
  ROW1,
  ROW2,
  ROW3,
  SET_MASK,
  SETS,
  TAG,
} from './entries.ts';
import { hash, unhash } from './hash.ts';

/**
 * HOT. The TLBs of a core: both sides (instructions, data), both levels and all page sizes, exact
 * LRU.
 *
 * A translation is one entry (see entries.ts), whether one level holds it or both, and is found in
 * one hash table for its side. So what misses the first level is looked up once for both, and what
 * comes up from the second is not copied. An array (one level, one page size or several that share
 * it) is sets of entries, and a set is in one of two forms:
 *
 * - A list through `NEXT` and `PREV`, in both directions and back to the set itself, which is its
 *   home and counts in `CHAIN` the ways that are empty. It costs the same for any number of ways.
 *   What links an entry of the second level are the words of another number, as far on as the array
 *   says.
 * - A row, for a second level of four ways, the most common one: its entries, most recent first,
 *   are the words `ROW0` to `ROW3` of the set, empty ways last. It leaves alone the entries
 *   themselves, most of which are cold.
 */

/**
 * What it takes to drop an entry of a side: the number of its first array, and 32 - log2(number of
 * hash heads).
 */
export interface TlbPlace {
  readonly at: number;
  readonly shift: number;
}

/**
 * A free entry of the side whose first array is `side`, named (key, tag). No level holds it yet.
 */
export const create = (side: number, shift: number, key: number, tag: number): number => {
  const chains = CHAIN;
  const headsOf = HEADS;
  const frees = FREE;
  const e = frees[side]!;
  frees[side] = chains[e]!;
  hash(headsOf[side]!, shift, e, key, tag);
  return e;
};

/** Frees an entry that no level holds any more. */
export const destroy = (side: number, shift: number, e: number): void => {
  const tags = TAG;
  const chains = CHAIN;
  const flagsOf = FLAGS;
  const headsOf = HEADS;
  const frees = FREE;
  unhash(headsOf[side]!, shift, e);
  tags[e] = -1;
  flagsOf[e] = 0;
  chains[e] = frees[side]!;
  frees[side] = e;
};

/** Makes the entry behind a link the most recent of its list. */
export const touch = (link: number): void => {
  const nexts = NEXT;
  const prevs = PREV;
  const homes = HOME;
  const home = homes[link]!;
  const newest = nexts[home]!;
  if (newest === link) return;
  const next = nexts[link]!;
  const prev = prevs[link]!;
  nexts[prev] = next;
  prevs[next] = prev;
  nexts[link] = newest;
  prevs[link] = home;
  prevs[newest] = link;
  nexts[home] = link;
};

/** Puts a link at the head of a list; returns the oldest link, which was dropped, or 0. */
export const putInList = (home: number, link: number): number => {
  const chains = CHAIN;
  const nexts = NEXT;
  const prevs = PREV;
  const homes = HOME;
  let oldest = 0;
  const empty = chains[home]!;
  if (empty !== 0) chains[home] = empty - 1;
  else {
    oldest = prevs[home]!;
    const before = prevs[oldest]!;
    nexts[before] = home;
    prevs[home] = before;
  }
  const newest = nexts[home]!;
  nexts[link] = newest;
  prevs[link] = home;
  homes[link] = home;
  prevs[newest] = link;
  nexts[home] = link;
  return oldest;
};

/** -1 if a word is not 0, else 0. */
const ifAny = (word: number): number => (word | -word) >> 31;

/**
 * Makes `e` the most recent of a row that contains it, without a branch: which of the four it is
 * cannot be predicted.
 */
export const toFront = (row: number, e: number): void => {
  const row0 = ROW0;
  const row1 = ROW1;
  const row2 = ROW2;
  const row3 = ROW3;
  const a = row0[row]!;
  const b = row1[row]!;
  const c = row2[row]!;
  const d = row3[row]!;
  const afterA = ifAny(a ^ e);
  const afterB = afterA & ifAny(b ^ e);
  const afterC = afterB & ifAny(c ^ e);
  row0[row] = e;
  row1[row] = b ^ ((a ^ b) & afterA);
  row2[row] = c ^ ((b ^ c) & afterB);
  row3[row] = d ^ ((c ^ d) & afterC);
};

/**
 * Puts `e` at the head of a row that lacks it; returns the entry that drops out of the row, or 0.
 */
export const putInRow = (row: number, e: number): number => {
  const row0 = ROW0;
  const row1 = ROW1;
  const row2 = ROW2;
  const row3 = ROW3;
  const victim = row3[row]!;
  row3[row] = row2[row]!;
  row2[row] = row1[row]!;
  row1[row] = row0[row]!;
  row0[row] = e;
  return victim;
};

/** Removes an entry of the side whose first array is `first` from a level that holds it. */
export function removeFrom(level: number, first: number, e: number): void {
  const size = TAG[e]! & 3;
  const a = arrayOf(first, level, size);
  if (IN_ROWS[a] === 1) takeFromRow(SETS[a]! + (KEY[e]! & SET_MASK[a]!), e);
  else {
    const link = e + LINK[a]!;
    const next = NEXT[link]!;
    const prev = PREV[link]!;
    NEXT[prev] = next;
    PREV[next] = prev;
    const home = HOME[link]!;
    CHAIN[home] = CHAIN[home]! + 1;
  }
  FLAGS[e] = FLAGS[e]! & ~level;
  RESIDENT[a] = RESIDENT[a]! - 1;
  if (size !== 0) LARGE[first] = LARGE[first]! - 1;
}

function takeFromRow(row: number, e: number): void {
  const a = ROW0[row]!;
  const b = ROW1[row]!;
  const c = ROW2[row]!;
  const d = ROW3[row]!;
  ROW0[row] = a === e ? b : a;
  ROW1[row] = a === e || b === e ? c : b;
  ROW2[row] = d === e ? c : d;
  ROW3[row] = 0;
}

/** Drops an entry of a side from all levels. */
export function drop({ at, shift }: TlbPlace, e: number): void {
  if ((FLAGS[e]! & IN_L1) !== 0) removeFrom(IN_L1, at, e);
  if ((FLAGS[e]! & IN_L2) !== 0) removeFrom(IN_L2, at, e);
  destroy(at, shift, e);
}

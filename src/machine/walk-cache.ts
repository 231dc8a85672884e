import { headsFor, mixOf as mixOf_, unhash as unhash_ } from './assoc.ts';
import { CHAIN as CHAIN_, FRAME as FRAME_, KEY as KEY_, TAG as TAG_ } from './entry.ts';
import { heap, type Take } from './heap.ts';

/**
 * HOT. The array behind the page-walk cache and the nested TLB: fully associative, exact LRU by time of use. A walk
 * looks up to ten entries up and nearly always finds them, so a hit is one store, and a replacement, which comes with
 * a read of the table anyway, looks through all times. (A TLB, see assoc.ts, misses too often for that.)
 *
 * Entries begin as those of assoc.ts do, so that `find` serves both; 0 is none, and an empty entry is not hashed and
 * was never used. Times are counted by the core (`Core.walkClock`), from 1.
 */
const H = heap;
// Imported constants are bound to module-level ones: the compiler folds those, but loads an imported
// binding at each use (docs/decisions/0003).
const KEY = KEY_;
const TAG = TAG_;
const CHAIN = CHAIN_;
const FRAME = FRAME_;
const mixOf = mixOf_;
const unhash = unhash_;
const GOLDEN = 0x9e3779b1 | 0;

/** Words of an entry: key, tag, chain, time of use, (none), frame; half a cache line of the host. */
export const WALK_WORDS = 8;
/** When it was last used; stands where a TLB entry has its neighbours. */
export const USED = 3;

/** Geometry of one cache. One without entries has heads that lead nowhere, and `first` is 0. */
export interface WalkCache {
  /** First word of the hash heads. */
  readonly heads: number;
  /** 32 - log2(number of heads). */
  readonly shift: number;
  /** First entry, and the end of the last. */
  readonly first: number;
  readonly end: number;
}

/** Words that `makeWalkCache` takes from the arena, alignment included. */
export function walkCacheWords(entries: number): number {
  return headsFor(entries) + entries * WALK_WORDS + 32;
}

/** An empty cache. */
export function makeWalkCache(take: Take, entries: number): WalkCache {
  const hashed = headsFor(entries);
  const heads = take(hashed);
  const first = entries === 0 ? 0 : take(entries * WALK_WORDS);
  const end = first + entries * WALK_WORDS;
  const cache = { heads, shift: 32 - Math.log2(hashed), first, end };
  emptyWalkCache(cache);
  return cache;
}

/** Empties the cache. */
export function emptyWalkCache({ heads, shift, first, end }: WalkCache): void {
  H.fill(0, heads, heads + 2 ** (32 - shift));
  for (let e = first; e < end; e += WALK_WORDS) {
    H[e + TAG] = -1;
    H[e + USED] = 0;
  }
}

/** Puts (key, tag) in the place of the entry that was used least recently; returns its entry. */
export function replaceOldest(
  cache: WalkCache,
  key: number,
  tag: number,
  frame: number,
  now: number,
): number {
  const h = H;
  const { heads, shift, first, end } = cache;
  let oldest = first;
  let time = h[first + USED]!;
  for (let e = (first + WALK_WORDS) | 0; e < end; e = (e + WALK_WORDS) | 0) {
    const used = h[(e + USED) | 0]!;
    if (used < time) {
      time = used;
      oldest = e;
    }
  }
  if (h[oldest + TAG] !== -1) unhash(heads, shift, oldest);
  h[oldest + KEY] = key;
  h[oldest + TAG] = tag;
  h[oldest + USED] = now;
  h[oldest + FRAME] = frame;
  const bucket = heads + (Math.imul(key ^ mixOf(tag), GOLDEN) >>> shift);
  h[oldest + CHAIN] = h[bucket]!;
  h[bucket] = oldest;
  return oldest;
}

/** Key in the nested TLB of a guest frame whose nested page is of `size` (0 = 4K, 1 = 2M, 2 = 1G). */
export function nestedTlbKey(gfn: number, size: number): number {
  return size === 0 ? gfn : ~((gfn >>> (9 * size)) | (size << 26));
}

/** First guest frame that an entry of the nested TLB with this key covers. */
export function firstFrameOf(key: number): number {
  return key >= 0 ? key : (~key & 0x3ffffff) << (9 * (~key >>> 26));
}

/** Empties one entry. */
export function discard({ heads, shift }: WalkCache, e: number): void {
  unhash(heads, shift, e);
  H[e + TAG] = -1;
  H[e + USED] = 0;
}

function byUse(a: number, b: number): number {
  return H[a + USED]! - H[b + USED]!;
}

/** Occupied entries, the one used least recently first. */
export function occupied({ first, end }: WalkCache): number[] {
  const entries: number[] = [];
  for (let e = first; e < end; e += WALK_WORDS) if (H[e + TAG] !== -1) entries.push(e);
  return entries.sort(byUse);
}

/** Counts uses anew from 1, before their number outgrows an int32; returns how far it got. */
export function renumber(cache: WalkCache): number {
  const entries = occupied(cache);
  for (let i = 0; i < entries.length; i++) H[entries[i]! + USED] = i + 1;
  return entries.length;
}

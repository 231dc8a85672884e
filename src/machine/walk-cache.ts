import { FRAME, TAG, USED } from './entries.ts';
import { hash, headsFor, unhash } from './hash.ts';
import { heap, type Take } from './heap.ts';

/**
 * HOT. The array behind the page-walk cache and the nested TLB: fully associative, exact LRU by
 * time of use. A walk looks up to ten entries up and nearly always finds them, so a hit is one
 * store, and a replacement, which comes with a read of the table anyway, looks through all times.
 * (A TLB, see tlb.ts, misses too often for that.)
 *
 * Entries are those of entries.ts, found as those of a TLB are; one that is empty is not hashed and
 * was never used. Times are counted by the core (`Core.walkClock`), from 1.
 */

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

/** What `makeWalkCache` takes, alignment included. */
export function walkCacheNeeds(entries: number): { words: number; entries: number } {
  return { words: headsFor(entries, 8) + 16, entries: entries + 16 };
}

/** An empty cache. */
export function makeWalkCache(words: Take, take: Take, entries: number): WalkCache {
  const hashed = headsFor(entries, 8);
  const heads = words(hashed);
  const first = entries === 0 ? 0 : take(entries);
  const cache = { heads, shift: 32 - Math.log2(hashed), first, end: first + entries };
  emptyWalkCache(cache);
  return cache;
}

/** Empties the cache. */
export function emptyWalkCache({ heads, shift, first, end }: WalkCache): void {
  heap.fill(0, heads, heads + 2 ** (32 - shift));
  TAG.fill(-1, first, end);
  USED.fill(0, first, end);
}

/** Puts (key, tag) in the place of the least recently used entry; returns its entry. */
export function replaceOldest(
  cache: WalkCache,
  key: number,
  tag: number,
  frame: number,
  now: number,
): number {
  const tags = TAG;
  const frames = FRAME;
  const uses = USED;
  const { heads, shift, first, end } = cache;
  let oldest = first | 0;
  let time = uses[oldest]!;
  for (let e = (first + 1) | 0; e < end; e = (e + 1) | 0) {
    const used = uses[e]!;
    if (used < time) {
      time = used;
      oldest = e;
    }
  }
  if (tags[oldest] !== -1) unhash(heads, shift, oldest);
  hash(heads, shift, oldest, key, tag);
  uses[oldest] = now;
  frames[oldest] = frame;
  return oldest;
}

/**
 * Key in the nested TLB of a guest frame whose nested page is of `size` (0 = 4K, 1 = 2M, 2 = 1G).
 */
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
  TAG[e] = -1;
  USED[e] = 0;
}

function byUse(a: number, b: number): number {
  const uses = USED;
  return uses[a]! - uses[b]!;
}

/** Occupied entries, the one used least recently first. */
export function occupied({ first, end }: WalkCache): number[] {
  const entries: number[] = [];
  for (let e = first; e < end; e++) if (TAG[e] !== -1) entries.push(e);
  return entries.sort(byUse);
}

/** Renumbers the uses from 1, before their number outgrows an int32; returns the last number. */
export function renumber(cache: WalkCache): number {
  const uses = USED;
  const entries = occupied(cache);
  for (let i = 0; i < entries.length; i++) uses[entries[i]!] = i + 1;
  return entries.length;
}

import { CHAIN, KEY, TAG } from './entries.ts';
import { heap } from './heap.ts';

/**
 * HOT. The hash tables behind TLBs and walk caches: entries by key and tag. The heads are words of
 * the heap.
 */
const MIX = 0x85ebca6b | 0;
const GOLDEN = 0x9e3779b1 | 0;

/**
 * Hash heads for this many entries, at least `each` per entry. With fewer, more look-ups go on to a
 * second entry, at the cost of a misprediction each; with more, the heads fill the caches of the
 * computer that simulates.
 */
export const headsFor = (entries: number, each: number): number => {
  let heads = 16;
  while (heads < entries * each) heads *= 2;
  return heads;
};

/** The entry for (key, tag), or 0. */
export const find = (heads: number, shift: number, key: number, tag: number): number => {
  const h = heap;
  const keys = KEY;
  const tags = TAG;
  const chains = CHAIN;
  let e = h[(heads + (Math.imul(key ^ Math.imul(tag, MIX), GOLDEN) >>> shift)) | 0]!;
  while (((keys[e]! ^ key) | (tags[e]! ^ tag)) !== 0) {
    if (e === 0) return 0;
    e = chains[e]!;
  }
  return e;
};

/** Gives the entry `e` its name (key, tag), under which it is found from now on. */
export const hash = (heads: number, shift: number, e: number, key: number, tag: number): void => {
  const h = heap;
  const keys = KEY;
  const tags = TAG;
  const chains = CHAIN;
  keys[e] = key;
  tags[e] = tag;
  const bucket = (heads + (Math.imul(key ^ Math.imul(tag, MIX), GOLDEN) >>> shift)) | 0;
  chains[e] = h[bucket]!;
  h[bucket] = e;
};

/** Takes an entry out of its hash chain. */
export const unhash = (heads: number, shift: number, e: number): void => {
  const h = heap;
  const keys = KEY;
  const tags = TAG;
  const chains = CHAIN;
  const key = keys[e]! ^ Math.imul(tags[e]!, MIX);
  const bucket = (heads + (Math.imul(key, GOLDEN) >>> shift)) | 0;
  let at = h[bucket]!;
  if (at === e) {
    h[bucket] = chains[e]!;
    return;
  }
  for (let next = chains[at]!; next !== e; next = chains[at]!) at = next;
  chains[at] = chains[e]!;
};

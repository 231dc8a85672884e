import type { Core } from './core.ts';
import type { CoreCaches, L1 } from './core-caches.ts';
import { heap } from './heap.ts';
import { bringFromBelow, IN_L1, IN_L2, leaveL2 } from './last-level.ts';

/**
 * HOT. The caches of a core: an L1 for instructions, one for data, and the L2 below them, some of
 * which a neighbour may share. The L2 is exclusive (K8, Family 10h: a line that an L1 takes leaves
 * the L2, and what an L1 evicts goes there) or it is not (Family 15h: what an L1 gets from below
 * goes into both, and the L2 gets back what the L1 has changed).
 *
 * A set is its tags in order of recency, most recent first and without gaps, so that one pass
 * finds, promotes and inserts: exact LRU without ages. A tag is `(frame + 1) << 1`, plus 1 if the
 * line is dirty; 0 = no line. The set index is the low bits of the line number `frame << 6 | line`,
 * at least 6 of them, so that tag and set name the line, and whatever a line pushes out, on every
 * level, is the same line of another frame.
 *
 * The most recent tags of all sets of an L1 lie together, then the second ones, and so on. So do
 * those of the L2 before the rest, which stays out of the host's own caches where few sets have
 * more than one line.
 */

/** Where the L1 of a side has the most recent tag of line 0 of a frame; the other lines follow. */
export const linesOf = (core: Core, side: number, frame: number): number => {
  const l1 = side === 0 ? core.caches.l1i : core.caches.l1d;
  return (l1.tags + ((frame << 6) & l1.setMask)) | 0;
};

/** Whether an L1 has a line. */
const isInL1 = (l1: L1, tag: number, number: number): boolean => {
  const h = heap;
  const { apart } = l1;
  const begin = (l1.tags + (number & l1.setMask)) | 0;
  const end = (begin + l1.length) | 0;
  for (let at = begin; at < end; at = (at + apart) | 0) {
    if ((h[at]! ^ tag) >>> 1 === 0) return true;
  }
  return false;
};

/** Takes a line out of an L1; returns its tag, or 0 if it was not there. */
export const takeFromL1 = (l1: L1, tag: number, number: number): number => {
  const h = heap;
  const { apart } = l1;
  const begin = (l1.tags + (number & l1.setMask)) | 0;
  const last = (begin + l1.length - apart) | 0;
  for (let at = begin; at <= last; at = (at + apart) | 0) {
    const here = h[at]!;
    if ((here ^ tag) >>> 1 !== 0) continue;
    for (; at < last; at = (at + apart) | 0) h[at] = h[(at + apart) | 0]!;
    h[last] = 0;
    return here;
  }
  return 0;
};

/** Whether a set of the L2 has a line. */
const isInL2 = (caches: CoreCaches, set: number, tag: number): boolean => {
  const h = heap;
  if ((h[(caches.l2Newest + set) | 0]! ^ tag) >>> 1 === 0) return true;
  const others = caches.l2Ways - 1;
  const begin = (caches.l2Others + Math.imul(set, others)) | 0;
  const end = (begin + others) | 0;
  for (let at = begin; at < end; at = (at + 1) | 0) {
    if ((h[at]! ^ tag) >>> 1 === 0) return true;
  }
  return false;
};

/** Takes a line out of a set of the L2; returns its tag, or 0 if it was not there. */
export const takeFromL2 = (caches: CoreCaches, set: number, tag: number): number => {
  const h = heap;
  const newest = (caches.l2Newest + set) | 0;
  const others = caches.l2Ways - 1;
  const begin = (caches.l2Others + Math.imul(set, others)) | 0;
  const end = (begin + others) | 0;
  let found = h[newest]!;
  let at = begin;
  if ((found ^ tag) >>> 1 === 0) {
    h[newest] = others > 0 ? h[begin]! : 0;
  } else {
    for (; at < end; at = (at + 1) | 0) {
      found = h[at]!;
      if ((found ^ tag) >>> 1 === 0) break;
    }
    if (at === end) return 0;
  }
  for (at = (at + 1) | 0; at < end; at = (at + 1) | 0) h[at - 1] = h[at]!;
  if (others > 0) h[end - 1] = 0;
  return found;
};

/**
 * Puts a line in front of a set of the L2 and takes another, or the same, out of it. Returns the
 * tag that it took out; or 0, and leaves the tag that fell out at the end in `caches.victim`, 0 if
 * the set was not full.
 */
const exchangeInL2 = (caches: CoreCaches, set: number, tag: number, sought: number): number => {
  const h = heap;
  const wanted = sought | 0;
  const newest = (caches.l2Newest + set) | 0;
  let previous = h[newest]!;
  h[newest] = tag;
  caches.victim = 0;
  if ((previous ^ wanted) >>> 1 === 0) return previous;
  const others = caches.l2Ways - 1;
  const begin = (caches.l2Others + Math.imul(set, others)) | 0;
  const end = (begin + others) | 0;
  for (let at = begin; at < end; at = (at + 1) | 0) {
    const here = h[at]!;
    h[at] = previous;
    if ((here ^ wanted) >>> 1 === 0) return here;
    previous = here;
  }
  caches.victim = previous;
  return 0;
};

/** Puts a line that an L1 has evicted in front of its set of the L2. */
const intoL2 = (core: Core, tag: number, line: number): void => {
  const { caches } = core;
  const set = ((((tag >>> 1) - 1) << 6) | line) & caches.l2SetMask;
  const same = exchangeInL2(caches, set, tag, tag);
  if (same !== 0) heap[caches.l2Newest + set] = tag | (same & 1);
  else if (caches.victim !== 0) leaveL2(core, caches.victim, line);
};

/**
 * A line that an L1 lacks, where the L2 is exclusive: it leaves the level that has it, and the L1's
 * victim (0 = none) goes to the L2. Returns the level, plus 4 if it is dirty.
 */
const missExclusive = (
  core: Core,
  other: L1,
  frame: number,
  line: number,
  victim: number,
): number => {
  const { caches } = core;
  const tag = (frame + 1) << 1;
  const number = (frame << 6) | line;
  const set = number & caches.l2SetMask;
  const to = ((((victim >>> 1) - 1) << 6) | line) & caches.l2SetMask;
  // Nothing but this core's caches may have the victim too: one pass does both.
  const inOnePass = caches.swaps !== 0 && victim !== 0 && to === set;
  let found = inOnePass ? exchangeInL2(caches, set, victim, tag) : takeFromL2(caches, set, tag);
  const evicted = inOnePass ? caches.victim : 0;
  if (found === 0) found = takeFromL1(other, tag, number);
  const level = found !== 0 ? IN_L2 | ((found & 1) << 2) : bringFromBelow(core, frame, line, tag);
  if (!inOnePass) {
    if (victim !== 0) intoL2(core, victim, line);
  } else if (evicted !== 0) leaveL2(core, evicted, line);
  return level;
};

/**
 * Makes sure that the L2 has a line, as the most recent of its set. Returns the level that had it.
 * `l1d` and `l1i`: an L1 that has what the L2 lacks answers, and keeps it.
 */
const intoFrontOfL2 = (core: Core, frame: number, line: number, asksL1: boolean): number => {
  const { caches } = core;
  const h = heap;
  const tag = (frame + 1) << 1;
  const number = (frame << 6) | line;
  const set = number & caches.l2SetMask;
  if (asksL1 && !isInL2(caches, set, tag)) {
    if (isInL1(caches.l1d, tag, number) || isInL1(caches.l1i, tag, number)) return IN_L1;
  }
  const newest = (caches.l2Newest + set) | 0;
  const found = exchangeInL2(caches, set, tag, tag);
  if (found !== 0) {
    h[newest] = found;
    return IN_L2;
  }
  const evicted = caches.victim;
  const level = bringFromBelow(core, frame, line, tag);
  h[newest] = tag | (level >>> 2);
  if (evicted !== 0) leaveL2(core, evicted, line);
  return level & 3;
};

/** Reads a line of a page table at the L2; returns the level that had it. */
export const readAtL2 = (core: Core, frame: number, line: number): number => {
  const { caches } = core;
  const tag = (frame + 1) << 1;
  const newest = caches.l2Newest + (((frame << 6) | line) & caches.l2SetMask);
  if ((heap[newest]! ^ tag) >>> 1 === 0) return IN_L2;
  // Without data lines the L1s are empty.
  return intoFrontOfL2(core, frame, line, caches.dataOn !== 0);
};

/**
 * Fetches, loads or stores (`write` = 1) a line: it becomes the most recent of its set of `l1`;
 * `other` is the core's other L1. Returns the level that had it.
 */
export const accessL1 = (
  core: Core,
  l1: L1,
  other: L1,
  frame: number,
  line: number,
  write: number,
): number => {
  const h = heap;
  const tag = (frame + 1) << 1;
  const { apart } = l1;
  const begin = (l1.tags + (((frame << 6) | line) & l1.setMask)) | 0;
  const end = (begin + l1.length) | 0;
  let previous = h[begin]!;
  if ((previous ^ tag) >>> 1 === 0) {
    h[begin] = previous | write;
    return IN_L1;
  }
  for (let at = (begin + apart) | 0; at < end; at = (at + apart) | 0) {
    const here = h[at]!;
    h[at] = previous;
    if ((here ^ tag) >>> 1 === 0) {
      h[begin] = here | write;
      return IN_L1;
    }
    previous = here;
  }
  // `previous` is the victim, 0 if the set was not full.
  if (core.caches.exclusive !== 0) {
    const level = missExclusive(core, other, frame, line, previous);
    h[begin] = tag | write | (level >>> 2);
    return level & 3;
  }
  const level = intoFrontOfL2(core, frame, line, false);
  h[begin] = tag | write;
  if ((previous & 1) !== 0) intoL2(core, previous, line);
  return level;
};

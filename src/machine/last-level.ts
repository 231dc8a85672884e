import type { Core } from './core.ts';
import type { CoreCaches } from './core-caches.ts';
import { K } from './counters.ts';
import { heap } from './heap.ts';
import { takeSlot } from './memory-channel.ts';

/**
 * HOT. What lies below the L2: the L3 of the die, a victim cache as on Family 10h (a line found
 * there moves up, and what the L2 evicts moves there), and memory. Tags are those of
 * private-caches.ts.
 */

/** Where a line was found. */
export const IN_L1 = 0;
export const IN_L2 = 1;
export const IN_L3 = 2;
export const IN_DRAM = 3;

const OWN = 1;
const OTHER = 2;
const HELD = 3;

/** Takes a line out of the L3; returns its tag, or 0 if it was not there. */
export const takeFromL3 = (caches: CoreCaches, tag: number, number: number): number => {
  const h = heap;
  const wanted = tag | 0;
  const ways = caches.l3Ways;
  const begin = (caches.l3Tags + Math.imul(number & caches.l3SetMask, ways)) | 0;
  const end = (begin + ways) | 0;
  for (let at = begin; at < end; at = (at + 1) | 0) {
    const here = h[at]!;
    if ((here ^ wanted) >>> 1 !== 0) continue;
    for (at = (at + 1) | 0; at < end; at = (at + 1) | 0) h[at - 1] = h[at]!;
    h[end - 1] = 0;
    return here;
  }
  return 0;
};

/** Puts a line at the recent end of its set of the L3; returns the tag that it pushes out, or 0. */
const intoL3 = (caches: CoreCaches, tag: number, number: number): number => {
  const h = heap;
  const put = tag | 0;
  const ways = caches.l3Ways;
  const begin = (caches.l3Tags + Math.imul(number & caches.l3SetMask, ways)) | 0;
  const end = (begin + ways) | 0;
  let previous = put;
  for (let at = begin; at < end; at = (at + 1) | 0) {
    const here = h[at]!;
    h[at] = previous;
    if ((here ^ put) >>> 1 === 0) {
      // Another core's L2 had put it there.
      h[begin] = h[begin]! | (here & 1);
      return 0;
    }
    previous = here;
  }
  return previous;
};

/** Records that a line is held from now on; leaves the state before in `lineCause`. */
const noteHeld = (caches: CoreCaches, frame: number, line: number): void => {
  const states = caches.lineState;
  const word = (frame << 2) | (line >> 4);
  const shift = (line & 15) << 1;
  const old = states[word]!;
  const state = (old >>> shift) & 3;
  caches.lineCause = state;
  if (state !== HELD) states[word] = (old & ~(3 << shift)) | (HELD << shift);
};

/** Records who has evicted a line from the core's own caches. */
const noteEvicted = (core: Core, frame: number, line: number): void => {
  const { caches, evictions } = core;
  const states = caches.lineState;
  const word = (frame << 2) | (line >> 4);
  const shift = (line & 15) << 1;
  const owner = caches.frameOwner[frame]!;
  const by = owner === core.vm ? OWN : OTHER;
  if (evictions.l2 !== 0) {
    const h = heap;
    // HOST_OWNER + 1 wraps to the row of the host.
    const at = evictions.l2 + ((owner + 1) & 0xffff) * evictions.rows + core.vm + 1;
    h[at] = h[at]! + 1;
  }
  states[word] = (states[word]! & ~(3 << shift)) | (by << shift);
};

/** Records that no cache has a line any more, and that its contents are new. */
export const noteCleared = (caches: CoreCaches, frame: number, line: number): void => {
  if (caches.dataOn === 0) return;
  const word = (frame << 2) | (line >> 4);
  caches.lineState[word] = caches.lineState[word]! & ~(3 << ((line & 15) << 1));
};

/**
 * A line that neither the L1s nor the L2 have, from the L3 or from memory. Returns `IN_L3` or
 * `IN_DRAM`, plus 4 if it is dirty; `lineCause` and `waited` say the rest.
 */
export const bringFromBelow = (core: Core, frame: number, line: number, tag: number): number => {
  const { caches } = core;
  if (caches.dataOn !== 0) noteHeld(caches, frame, line);
  if (caches.l3Tags !== 0) {
    const found = takeFromL3(caches, tag, (frame << 6) | line);
    if (found !== 0) {
      caches.waited = 0;
      return IN_L3 | ((found & 1) << 2);
    }
  }
  caches.waited = takeSlot(core, frame);
  return IN_DRAM;
};

/** The L2 has evicted `tag`. What leaves the last level dirty is written back, and nobody waits. */
export const leaveL2 = (core: Core, tag: number, line: number): void => {
  const { caches } = core;
  const frame = (tag >>> 1) - 1;
  if (caches.dataOn !== 0) noteEvicted(core, frame, line);
  const out = caches.l3Tags !== 0 ? intoL3(caches, tag, (frame << 6) | line) : tag;
  if ((out & 1) !== 0) {
    const at = core.counters + K.write_backs;
    heap[at] = heap[at]! + 1;
    takeSlot(core, (out >>> 1) - 1);
  }
};

/** Cycles to the memory of `frame`. */
export const dramCycles = (caches: CoreCaches, frame: number): number => {
  return caches.nodes === 1
    ? caches.dramCycles
    : caches.dramByNode[Math.floor(frame / caches.framesPerNode)]!;
};

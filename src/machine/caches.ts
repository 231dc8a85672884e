import { Leaf } from '../stats/leaves.ts';
import type { Core } from './core.ts';
import type { CoreCaches } from './core-caches.ts';
import { K } from './counters.ts';
import { heap } from './heap.ts';

/**
 * HOT. The L2 of a core (or module) and the L3 of its die, for page-table lines and data lines
 * alike. Page walks enter at the L2 (AMD event lists count "TLB page-table walk" among L2
 * requests). The L3 is a victim cache as on Family 10h: a line found there moves to the L2, and
 * what the L2 evicts moves there.
 *
 * A set is its tags in order of recency, most recent first, so that one pass finds, promotes and
 * inserts: exact LRU without ages. The most recent tags of all sets of the L2 lie together before
 * the rest: most reads of page tables find their line there, and the rest of the sets stays out of
 * the host's own caches. A tag is `frame + 1`; the set index is the low bits of the line number
 * `frame << 6 | line`, at least 6 of them, so that tag and set name the line.
 */

/** Where a line was found. */
const IN_L2 = 0;
const IN_L3 = 1;
const IN_DRAM = 2;

const OWN = 1;
const OTHER = 2;
const HELD = 3;

/** State of a line before this access (see HostMemory.lineState) -> cause of the data stall. */
const causeOfState = new Int32Array([0, 1, 2, 8]);

/** Brings a line into the L2 as its most recent line; returns the level that had it. */
const access = (core: Core, frame: number, line: number): number => {
  const { caches } = core;
  const h = heap;
  const tag = (frame + 1) | 0;
  const number = (frame << 6) | line;
  const set = number & caches.l2SetMask;
  const newest = (caches.l2Newest + set) | 0;
  let previous = h[newest]!;
  if (previous === tag) return IN_L2;
  h[newest] = tag;
  const others = caches.l2Ways - 1;
  const begin = (caches.l2Others + Math.imul(set, others)) | 0;
  const end = (begin + others) | 0;
  for (let at = begin; at < end; at = (at + 1) | 0) {
    const here = h[at]!;
    h[at] = previous;
    if (here === tag) return IN_L2;
    previous = here;
  }
  // `previous` is the victim, 0 if the way was empty.
  let level: number = IN_DRAM;
  if (caches.l3Tags !== 0) {
    if (takeFromL3(caches, tag, number)) level = IN_L3;
    if (previous !== 0) {
      intoL3(caches, previous, (((previous - 1) << 6) & ~63) | (set & 63));
    }
  }
  if (caches.dataOn !== 0) noteLines(core, frame, line, previous, set & 63);
  return level;
};

/** Removes a line from the L3; false if it was not there. */
const takeFromL3 = (caches: CoreCaches, tag: number, number: number): boolean => {
  const h = heap;
  const ways = caches.l3Ways;
  const begin = caches.l3Tags + (number & caches.l3SetMask) * ways;
  const last = begin + ways - 1;
  for (let at = begin; at <= last; at++) {
    const here = h[at]!;
    if (here === tag) {
      for (; at < last; at++) {
        const next = h[at + 1]!;
        h[at] = next;
        if (next === 0) return true;
      }
      h[last] = 0;
      return true;
    }
    if (here === 0) return false;
  }
  return false;
};

/** Puts a line the L2 evicted at the recent end of its L3 set. */
const intoL3 = (caches: CoreCaches, tag: number, number: number): void => {
  const h = heap;
  const ways = caches.l3Ways;
  const begin = caches.l3Tags + (number & caches.l3SetMask) * ways;
  const end = begin + ways;
  let previous = h[begin]!;
  h[begin] = tag;
  if (previous === tag || previous === 0) return;
  for (let at = begin + 1; at < end; at++) {
    const here = h[at]!;
    h[at] = previous;
    if (here === tag || here === 0) return;
    previous = here;
  }
};

/**
 * Records that `line` is held, and who evicted the victim; leaves the cause of the miss in the
 * core.
 */
const noteLines = (core: Core, frame: number, line: number, victim: number, low: number): void => {
  const { caches } = core;
  const states = caches.lineState;
  const word = (frame << 2) | (line >> 4);
  const shift = (line & 15) << 1;
  const old = states[word]!;
  const state = (old >>> shift) & 3;
  caches.lineCause = causeOfState[state]!;
  if (state !== HELD) states[word] = (old & ~(3 << shift)) | (HELD << shift);
  if (victim !== 0) {
    const victimFrame = victim - 1;
    const victimWord = (victimFrame << 2) | (low >> 4);
    const victimShift = (low & 15) << 1;
    const owner = caches.frameOwner[victimFrame]!;
    const by = owner === core.vm ? OWN : OTHER;
    const { evictions } = core;
    if (evictions.l2 !== 0) {
      const h = heap;
      // HOST_OWNER + 1 wraps to the row of the host.
      const at = evictions.l2 + ((owner + 1) & 0xffff) * evictions.rows + core.vm + 1;
      h[at] = h[at]! + 1;
    }
    states[victimWord] = (states[victimWord]! & ~(3 << victimShift)) | (by << victimShift);
  }
};

/** Reads one line of a table for the page walker; returns the cycles. */
export function readTableLine(core: Core, frame: number, line: number): number {
  const { caches } = core;
  const h = heap;
  const counters = core.counters;
  const level = access(core, frame, line);
  if (level === IN_L2) return caches.l2Cycles;
  if (level === IN_L3) {
    h[counters + K.walk_l3_hits] = h[counters + K.walk_l3_hits]! + 1;
    return caches.l3Cycles;
  }
  h[counters + K.walk_dram] = h[counters + K.walk_dram]! + 1;
  return dramCycles(caches, frame);
}

/** The same for a table of the host itself: no VM's counters change. */
export function readHostLine(core: Core, frame: number, line: number): number {
  const { caches } = core;
  const level = access(core, frame, line);
  return level === IN_L2
    ? caches.l2Cycles
    : level === IN_L3
      ? caches.l3Cycles
      : dramCycles(caches, frame);
}

const dramCycles = (caches: CoreCaches, frame: number): number => {
  return caches.nodes === 1
    ? caches.dramCycles
    : caches.dramByNode[Math.floor(frame / caches.framesPerNode)]!;
};

/**
 * Touches `lines` data lines of a page, starting at `line` and wrapping inside the page. A line
 * that is not in the L2 stalls the core for the latency of the level that has it, less the share
 * that the core overlaps. The stall is charged by the cause of the loss. Returns the cycles;
 * letting them pass is up to the caller.
 */
export function touchLines(core: Core, frame: number, line: number, lines: number): number {
  const { caches, accounts } = core;
  const h = heap;
  const of = frame | 0;
  const begin = line | 0;
  const end = (begin + lines) | 0;
  let stalls = 0;
  const counters = core.counters;
  h[counters + K.data_lines] = h[counters + K.data_lines]! + end - begin;
  for (let at = begin; at < end; at = (at + 1) | 0) {
    const level = access(core, of, at & 63);
    if (level === IN_L2) continue;
    let latency: number;
    h[counters + K.data_l2_misses] = h[counters + K.data_l2_misses]! + 1;
    if (level === IN_L3) {
      h[counters + K.data_l3_hits] = h[counters + K.data_l3_hits]! + 1;
      latency = caches.l3Cycles;
    } else {
      h[counters + K.data_dram] = h[counters + K.data_dram]! + 1;
      latency = dramCycles(caches, of);
    }
    const leaf = Leaf.DataStall + caches.lineCause;
    if (accounts.anyFree !== 0 && accounts.freeLeaves[leaf] === 1) continue;
    const stall = (latency * core.exposedQ8) >> 8;
    const pending = core.pending + leaf;
    h[pending] = h[pending]! + stall;
    stalls = (stalls + stall) | 0;
  }
  return stalls;
}

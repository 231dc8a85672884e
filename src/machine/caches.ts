import { Leaf } from '../stats/leaves.ts';
import type { Core } from './core.ts';
import { K } from './counters.ts';
import { heap } from './heap.ts';
import { SEQUENTIAL, Visit } from './items.ts';
import { dramCycles, IN_DRAM, IN_L1, IN_L2, IN_L3, noteCleared, takeFromL3 } from './last-level.ts';
import { takeSlot } from './memory-channel.ts';
import { accessL1, readAtL2, takeFromL1, takeFromL2 } from './private-caches.ts';

/**
 * HOT. Lines that visits and page walks touch: what they wait for, and who is charged. The caches
 * themselves are in private-caches.ts and last-level.ts, the channels to memory in
 * memory-channel.ts. A hit in an L1 costs nothing: it is part of the CPI.
 */

const { Fetch: FETCH, Store: STORE } = Visit;

/** Reads a line of a table, wherever walks look first; returns the level that had it. */
const readLine = (core: Core, frame: number, line: number): number => {
  const { caches } = core;
  return caches.walksAtL1 !== 0
    ? accessL1(core, caches.l1d, caches.l1i, frame, line, 0)
    : readAtL2(core, frame, line);
};

/** Cycles of a walk's read that was not found in the L2. */
const walkCycles = (core: Core, frame: number, level: number): number => {
  const { caches } = core;
  // A walk that looks in the L2 first waits for the answer of the L1.
  if (level === IN_L1) return caches.walksAtL1 !== 0 ? caches.l1dCycles : caches.l2Cycles;
  if (level === IN_L2) return caches.l2Cycles;
  if (level === IN_L3) return caches.l3Cycles;
  return dramCycles(caches, frame) + caches.waited;
};

/** Reads one line of a table for the page walker; returns the cycles. */
export function readTableLine(core: Core, frame: number, line: number): number {
  const h = heap;
  const { counters } = core;
  const level = readLine(core, frame, line);
  if (level === IN_L2) return core.caches.l2Cycles;
  const at =
    counters + (level === IN_L1 ? K.walk_l1_hits : level === IN_L3 ? K.walk_l3_hits : K.walk_dram);
  h[at] = h[at]! + 1;
  return walkCycles(core, frame, level);
}

/** The same for a table of the host itself, now: no VM's counters change but for write-backs. */
export function readHostLine(core: Core, frame: number, line: number): number {
  core.caches.ahead = core.ahead;
  return walkCycles(core, frame, readLine(core, frame, line));
}

/**
 * Touches the lines `line` to `end - 1` of a page, wrapping inside it; `op` is the visit's, with
 * its flags. A line that is not in the L1 stalls the core for the latency of the level that has it,
 * less the share that the core hides, and for all of the time that it waits for its node's
 * channels. Each stall is charged by level and cause. The first line is touched `caches.ahead`
 * cycles after `core.time`. Returns the cycles; letting them pass is up to the caller.
 */
export function touchLines(
  core: Core,
  frame: number,
  op: number,
  line: number,
  end: number,
): number {
  const { caches, accounts } = core;
  const h = heap;
  const of = frame | 0;
  const kind = op & 255;
  const fetch = kind === FETCH;
  const write = kind === STORE ? 1 : 0;
  const l1 = fetch ? caches.l1i : caches.l1d;
  const other = fetch ? caches.l1d : caches.l1i;
  const exposed = (op & SEQUENTIAL) !== 0 ? core.exposedInRowQ8 : core.exposedQ8;
  const misses = core.counters + (fetch ? K.l1i_line_misses : K.l1d_line_misses);
  const { counters, pending } = core;
  let stalls = 0;
  for (let at = line | 0; at < end; at = (at + 1) | 0) {
    const level = accessL1(core, l1, other, of, at & 63, write);
    if (level === IN_L1) continue;
    h[misses] = h[misses]! + 1;
    let latency: number;
    let leaf: number;
    if (level === IN_L2) {
      latency = caches.l2Cycles - caches.l1dCycles;
      leaf = Leaf.StallL2;
    } else {
      h[counters + K.data_l2_misses] = h[counters + K.data_l2_misses]! + 1;
      if (level === IN_L3) {
        h[counters + K.data_l3_hits] = h[counters + K.data_l3_hits]! + 1;
        latency = caches.l3Cycles;
        leaf = Leaf.StallL3 + caches.lineCause;
      } else {
        h[counters + K.data_dram] = h[counters + K.data_dram]! + 1;
        latency = dramCycles(caches, of);
        leaf = Leaf.StallMemory + caches.lineCause;
      }
    }
    const free = accounts.anyFree;
    let passed = 0;
    if (free === 0 || accounts.freeLeaves[leaf] === 0) {
      passed = (latency * exposed) >> 8;
      h[pending + leaf] = h[pending + leaf]! + passed;
    }
    if (level === IN_DRAM && caches.waited !== 0) {
      if (free === 0 || accounts.freeLeaves[Leaf.StallQueue] === 0) {
        const queue = pending + Leaf.StallQueue;
        h[queue] = h[queue]! + caches.waited;
        passed = (passed + caches.waited) | 0;
      }
    }
    caches.ahead = (caches.ahead + passed) | 0;
    stalls = (stalls + passed) | 0;
  }
  return stalls;
}

/** Cycles in which a core can clear 64 bytes. */
export const CLEAR_CYCLES = 8;

/**
 * Clears the first `lines` lines of a frame, now, with stores that are combined and go to memory
 * past the caches: copies there are dropped, and each line takes a slot of its node's channels.
 * Returns the cycles: CLEAR_CYCLES for each line, or as many as it takes until the last one has its
 * slot. Charging them and letting them pass is up to the caller. Nothing else clears memory,
 * neither in a guest nor in the host.
 */
export function clearLines(core: Core, frame: number, lines: number): number {
  const { caches } = core;
  const h = heap;
  const tag = (frame + 1) << 1;
  const begin = core.ahead;
  let at = begin;
  for (let line = 0; line < lines; line++) {
    const number = (frame << 6) | line;
    takeFromL1(caches.l1d, tag, number);
    takeFromL1(caches.l1i, tag, number);
    takeFromL2(caches, number & caches.l2SetMask, tag);
    if (caches.l3Tags !== 0) takeFromL3(caches, tag, number);
    noteCleared(caches, frame, line);
    caches.ahead = Math.max(at, begin + CLEAR_CYCLES * line);
    at = caches.ahead + takeSlot(core, frame);
  }
  const cleared = core.counters + K.cleared_lines;
  h[cleared] = h[cleared]! + lines;
  return Math.max(at - begin, CLEAR_CYCLES * lines);
}

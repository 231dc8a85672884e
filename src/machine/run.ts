import { Leaf as Leaf_ } from '../stats/leaves.ts';
import { touchLines as touchLines_ } from './caches.ts';
import { type Core, SIDE_D as SIDE_D_, SIDE_I as SIDE_I_ } from './core.ts';
import { K as K_ } from './counters.ts';
import {
  CFG as CFG_,
  CHAIN as CHAIN_,
  FLAGS as FLAGS_,
  FRAME as FRAME_,
  HOME as HOME_,
  NEXT as NEXT_,
  PREV as PREV_,
  TAG as TAG_,
} from './entry.ts';
import { heap } from './heap.ts';
import { STORE_OK as STORE_OK_ } from './page-tables.ts';
import { translate as translate_ } from './translate.ts';

/**
 * HOT. The loop that executes visits. A hit in the L1 TLB is handled here, in one pass over locals;
 * everything else is a call. Items are as in guest/workloads/workload.ts: page, operation and line,
 * references, instructions.
 */
const H = heap;
// Imported constants are bound to module-level ones: the compiler folds those, but loads an imported
// binding at each use (docs/decisions/0003).
const Leaf = Leaf_;
const CHAIN = CHAIN_;
const FLAGS = FLAGS_;
const FRAME = FRAME_;
const HOME = HOME_;
const NEXT = NEXT_;
const PREV = PREV_;
const TAG = TAG_;
const touchLines = touchLines_;
const CFG = CFG_;
const SIDE_D = SIDE_D_;
const SIDE_I = SIDE_I_;
const K = K_;
const STORE_OK = STORE_OK_;
const translate = translate_;
const GOLDEN = 0x9e3779b1 | 0;

/** Why `runBlock` came back. */
export const Stop = {
  /** The time limit was reached. */
  Limit: 0,
  /** The block is used up. */
  End: 1,
  /** The guest kernel must handle a page fault of the item at `core.item`, which is to be repeated. */
  Fault: 2,
  /** The item at `core.item` is an operation for the guest kernel. */
  Operation: 3,
} as const;
export type Stop = (typeof Stop)[keyof typeof Stop];
const { Limit: LIMIT, End: END, Fault: FAULT, Operation: OPERATION } = Stop;

const FETCH = 0;
const STORE = 2;

/** Why the inner loop of `runBlock` was left. */
const NOTHING = 0;
const A_MISS = 1;
const AN_OPERATION = 2;

/** Whole cycles of so many instructions: (carry + instructions * cpi) >> 8, where the product may pass 2^31. */
const cyclesOf = (instructions: number, carry: number, cpi: number): number =>
  (Math.imul(instructions >>> 8, cpi) + ((carry + Math.imul(instructions & 255, cpi)) >>> 8)) | 0;

/**
 * How many instructions can be executed, at least, before `cycles` cycles have passed. A little less than 256 / cpi: a
 * division that was exact so far is compiled as one of whole numbers.
 */
const instructionsUntil = (cycles: number, cpi: number): number =>
  Math.min((cycles - 1) * (255.5 / cpi), 2 ** 30) | 0;

/**
 * Executes the items from `core.item` to `core.itemEnd` in user mode until `limit` cycles have passed (an
 * int32; the last visit may overshoot). Settles `core.time`.
 *
 * Time is not added up visit by visit: it follows from the instructions of the block and from what slow paths
 * took, and only the number of instructions at which the limit can be reached at the earliest is compared.
 */
export function runBlock(core: Core, limit: number): Stop {
  const h = H;
  const most = limit | 0;
  const cfgI = core.arrays + SIDE_I * 3 * CFG;
  const cfgD = core.arrays + SIDE_D * 3 * CFG;
  // Both sides have as many hash heads, so that no branch depends on the side.
  const heads = h[cfgD]!;
  const apart = (h[cfgI]! - heads) | 0;
  const shift = h[(cfgD + 1) | 0]!;
  const cpi = core.cpiQ8;
  const dataOn = core.dataOn;
  const begin = core.item;
  const end = core.itemEnd;
  const carry = core.cpiCarry;
  let tag = core.asid << 2;
  let mix = Math.imul(tag, 0x85ebca6b | 0);
  let slow = 0;
  // Instructions that a cycle can hold, rounded up.
  const perCycle = ((255 + cpi) / cpi) | 0;
  // Looked at after the first visit of each block, so that the compiler has seen the way before it becomes rare.
  let check = 0;
  let references = 0;
  let instructions = 0;
  let fetches = 0;
  let stop: Stop = END;
  let p = begin;
  for (;;) {
    // Calls stand outside the inner loop, or the compiler would keep its locals in memory.
    let entry = 0;
    let found = NOTHING;
    while (p < end) {
      const word = h[(p + 1) | 0]!;
      const op = word & 255;
      if (op > STORE) {
        found = AN_OPERATION;
        break;
      }
      const vpn = h[p]!;
      const fetch = (op - 1) >>> 31;
      const hash = Math.imul(vpn ^ mix, GOLDEN) >>> shift;
      entry = h[(((heads + Math.imul(fetch, apart)) | 0) + hash) | 0]!;
      while (entry !== 0 && ((h[entry]! ^ vpn) | (h[(entry + TAG) | 0]! ^ tag)) !== 0) {
        entry = h[(entry + CHAIN) | 0]!;
      }
      const right = Math.imul(op >>> 1, STORE_OK);
      if (entry === 0 || (h[(entry + FLAGS) | 0]! & right) !== right) {
        found = A_MISS;
        break;
      }
      const home = h[(entry + HOME) | 0]!;
      const newest = h[(home + NEXT) | 0]!;
      if (newest !== entry) {
        const next = h[(entry + NEXT) | 0]!;
        const prev = h[(entry + PREV) | 0]!;
        h[(prev + NEXT) | 0] = next;
        h[(next + PREV) | 0] = prev;
        h[(entry + NEXT) | 0] = newest;
        h[(entry + PREV) | 0] = home;
        h[(newest + PREV) | 0] = entry;
        h[(home + NEXT) | 0] = entry;
      }
      fetches = (fetches + fetch) | 0;
      references = (references + h[(p + 2) | 0]!) | 0;
      instructions = (instructions + h[(p + 3) | 0]!) | 0;
      p = (p + 4) | 0;
      if (instructions >= check || dataOn !== 0) break;
    }
    if (found >= A_MISS) {
      if (found === AN_OPERATION) {
        stop = OPERATION;
        break;
      }
      const vpn = h[p]!;
      const op = h[(p + 1) | 0]! & 255;
      const time = (slow + cyclesOf(instructions, carry, cpi)) | 0;
      core.ahead = time;
      entry = translate(core, vpn, op === FETCH ? SIDE_I : SIDE_D, op >>> 1, entry);
      const took = (core.ahead - time) | 0;
      slow = (slow + took) | 0;
      if (entry === 0) {
        stop = FAULT;
        break;
      }
      check = (check - Math.imul(took, perCycle)) | 0;
      tag = core.asid << 2;
      mix = Math.imul(tag, 0x85ebca6b | 0);
      fetches = (fetches + ((op - 1) >>> 31)) | 0;
      references = (references + h[(p + 2) | 0]!) | 0;
      instructions = (instructions + h[(p + 3) | 0]!) | 0;
      p = (p + 4) | 0;
    }
    if (dataOn !== 0 && entry > 0) {
      const vpn = h[(p - 4) | 0]!;
      const word = h[(p - 3) | 0]!;
      const size = h[(entry + TAG) | 0]! & 3;
      const frame = (h[(entry + FRAME) | 0]! + (vpn & ((1 << (9 * size)) - 1))) | 0;
      const stall = touchLines(core, frame, (word >>> 8) & 63, (word >>> 16) & 127);
      slow = (slow + stall) | 0;
      check = (check - Math.imul(stall, perCycle)) | 0;
    }
    if (instructions >= check) {
      const time = (slow + cyclesOf(instructions, carry, cpi)) | 0;
      const reached = p < end ? LIMIT : END;
      if (time >= most) {
        stop = reached;
        break;
      }
      check = (instructions + instructionsUntil((most - time) | 0, cpi)) | 0;
    }
    if (p >= end) break;
  }
  const visits = (p - begin) >> 2;
  const counters = core.counters;
  h[counters + K.visits] = h[counters + K.visits]! + visits;
  h[counters + K.references] = h[counters + K.references]! + references;
  h[counters + K.user_instructions] = h[counters + K.user_instructions]! + instructions;
  h[counters + K.instructions] = h[counters + K.instructions]! + instructions;
  h[counters + K.l1i_lookups] = h[counters + K.l1i_lookups]! + fetches;
  h[counters + K.l1d_lookups] = h[counters + K.l1d_lookups]! + visits - fetches;
  const user = core.pending + Leaf.GuestUser;
  const cycles = cyclesOf(instructions, carry, cpi);
  h[user] = h[user]! + cycles;
  core.cpiCarry = (carry + Math.imul(instructions & 255, cpi)) & 255;
  core.retired += instructions;
  core.item = p;
  core.ahead = 0;
  core.time += cycles + slow;
  return stop;
}

/**
 * Executes one visit of guest kernel code or data. The page must be mapped (the kernel's direct map is);
 * returns false if the walk still ends in a true fault, which is an error of the guest kernel model.
 * Time passes in `core.ahead`.
 */
export function visitKernel(
  core: Core,
  vpn: number,
  op: number,
  instructions: number,
  line: number,
  lines: number,
): boolean {
  const h = H;
  const side = op === FETCH ? SIDE_I : SIDE_D;
  const cfg = core.arrays + side * 3 * CFG;
  const tag = core.asid << 2;
  const hash = Math.imul(vpn ^ Math.imul(tag, 0x85ebca6b | 0), GOLDEN);
  let entry = h[h[cfg]! + (hash >>> h[cfg + 1]!)]!;
  while (entry !== 0 && (h[entry] !== vpn || h[entry + TAG] !== tag)) entry = h[entry + CHAIN]!;
  if (entry !== 0 && (op !== STORE || (h[entry + FLAGS]! & STORE_OK) === STORE_OK)) {
    const sentinel = h[entry + HOME]!;
    const newest = h[sentinel + NEXT]!;
    if (newest !== entry) {
      const next = h[entry + NEXT]!;
      const prev = h[entry + PREV]!;
      h[prev + NEXT] = next;
      h[next + PREV] = prev;
      h[entry + NEXT] = newest;
      h[entry + PREV] = sentinel;
      h[newest + PREV] = entry;
      h[sentinel + NEXT] = entry;
    }
  } else {
    entry = translate(core, vpn, side, op === STORE ? 1 : 0, entry);
    if (entry === 0) return false;
  }
  const counters = core.counters;
  h[counters + K.visits] = h[counters + K.visits]! + 1;
  h[counters + K.references] = h[counters + K.references]! + lines;
  h[counters + K.instructions] = h[counters + K.instructions]! + instructions;
  const lookups = counters + (side === SIDE_I ? K.l1i_lookups : K.l1d_lookups);
  h[lookups] = h[lookups]! + 1;
  core.cpiCarry += instructions * core.cpiQ8;
  const cycles = core.cpiCarry >>> 8;
  core.cpiCarry &= 255;
  const leaf = core.pending + Leaf.GuestKernel;
  h[leaf] = h[leaf]! + cycles;
  core.ahead += cycles;
  if (core.dataOn !== 0 && entry > 0) {
    const size = h[entry + TAG]! & 3;
    const frame = h[entry + FRAME]! + (vpn & ((1 << (9 * size)) - 1));
    core.ahead += touchLines(core, frame, line, lines);
  }
  return true;
}

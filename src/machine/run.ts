import { Leaf as Leaf_ } from '../stats/leaves.ts';
import { touchLines as touchLines_ } from './caches.ts';
import { type Core, SIDE_D as SIDE_D_, SIDE_I as SIDE_I_ } from './core.ts';
import { K as K_ } from './counters.ts';
import {
  CFG as CFG_,
  CHAIN as CHAIN_,
  FLAGS as FLAGS_,
  FRAME as FRAME_,
  NEXT as NEXT_,
  PREV as PREV_,
  TAG as TAG_,
  WORDS as WORDS_,
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
const NEXT = NEXT_;
const PREV = PREV_;
const TAG = TAG_;
const WORDS = WORDS_;
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

/**
 * Executes the items from `core.item` to `core.itemEnd` in user mode until `limit` cycles have passed (an
 * int32; the last visit may overshoot). Settles `core.time`.
 */
export function runBlock(core: Core, limit: number): Stop {
  const h = H;
  const cfgI = core.arrays + SIDE_I * 3 * CFG;
  const headsI = h[cfgI]!;
  const shiftI = h[cfgI + 1]!;
  const sentinelsI = h[cfgI + 2]!;
  const setsI = h[cfgI + 3]!;
  const cfgD = core.arrays + SIDE_D * 3 * CFG;
  const headsD = h[cfgD]!;
  const shiftD = h[cfgD + 1]!;
  const sentinelsD = h[cfgD + 2]!;
  const setsD = h[cfgD + 3]!;
  const cpi = core.cpiQ8;
  const dataOn = core.dataOn;
  const begin = core.item;
  const end = core.itemEnd;
  let tag = core.asid << 2;
  let mix = Math.imul(tag, 0x85ebca6b | 0);
  let carry = core.cpiCarry;
  let time = 0;
  let slow = 0;
  let references = 0;
  let instructions = 0;
  let fetches = 0;
  let stop: Stop = END;
  let p = begin;
  while (p < end) {
    const word = h[(p + 1) | 0]!;
    const op = word & 255;
    if (op > STORE) {
      stop = OPERATION;
      break;
    }
    const vpn = h[p]!;
    const hash = Math.imul(vpn ^ mix, GOLDEN);
    let entry: number;
    let sentinel: number;
    if (op === FETCH) {
      entry = h[(headsI + (hash >>> shiftI)) | 0]!;
      sentinel = (sentinelsI + Math.imul(vpn & setsI, WORDS)) | 0;
    } else {
      entry = h[(headsD + (hash >>> shiftD)) | 0]!;
      sentinel = (sentinelsD + Math.imul(vpn & setsD, WORDS)) | 0;
    }
    while (entry !== 0 && (h[entry] !== vpn || h[(entry + TAG) | 0] !== tag))
      entry = h[(entry + CHAIN) | 0]!;
    if (entry !== 0 && (op !== STORE || (h[(entry + FLAGS) | 0]! & STORE_OK) === STORE_OK)) {
      const newest = h[(sentinel + NEXT) | 0]!;
      if (newest !== entry) {
        const next = h[(entry + NEXT) | 0]!;
        const prev = h[(entry + PREV) | 0]!;
        h[(prev + NEXT) | 0] = next;
        h[(next + PREV) | 0] = prev;
        h[(entry + NEXT) | 0] = newest;
        h[(entry + PREV) | 0] = sentinel;
        h[(newest + PREV) | 0] = entry;
        h[(sentinel + NEXT) | 0] = entry;
      }
    } else {
      core.ahead = time;
      entry = translate(core, vpn, op === FETCH ? SIDE_I : SIDE_D, op === STORE ? 1 : 0, entry);
      slow += core.ahead - time;
      time = core.ahead;
      if (entry === 0) {
        stop = FAULT;
        break;
      }
      tag = core.asid << 2;
      mix = Math.imul(tag, 0x85ebca6b | 0);
    }
    if (op === FETCH) fetches = (fetches + 1) | 0;
    references = (references + h[(p + 2) | 0]!) | 0;
    const n = h[(p + 3) | 0]!;
    instructions = (instructions + n) | 0;
    carry = (carry + Math.imul(n, cpi)) | 0;
    time = (time + (carry >>> 8)) | 0;
    carry &= 255;
    if (dataOn !== 0 && entry > 0) {
      core.ahead = time;
      const size = h[(entry + TAG) | 0]! & 3;
      const frame = h[(entry + FRAME) | 0]! + (vpn & ((1 << (9 * size)) - 1));
      touchLines(core, frame, (word >>> 8) & 63, (word >>> 16) & 127);
      slow += core.ahead - time;
      time = core.ahead;
    }
    p = (p + 4) | 0;
    if (time >= limit) {
      stop = p < end ? LIMIT : END;
      break;
    }
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
  h[user] = h[user]! + time - slow;
  core.cpiCarry = carry;
  core.retired += instructions;
  core.item = p;
  core.ahead = 0;
  core.time += time;
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
    const sentinel = h[cfg + 2]! + (vpn & h[cfg + 3]!) * WORDS;
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
    touchLines(core, frame, line, lines);
  }
  return true;
}

import { Leaf } from '../stats/leaves.ts';
import { CLEAR_CYCLES, clearLines, touchLines } from './caches.ts';
import { type Core, SIDE_D, SIDE_I } from './core.ts';
import { K } from './counters.ts';
import {
  CHAIN,
  FLAGS,
  FRAME,
  firstArray,
  HEADS,
  HOME,
  IN_L1,
  KEY,
  LINES,
  NEXT,
  PREV,
  TAG,
} from './entries.ts';
import { promote, walkAndReplace } from './fast-misses.ts';
import { find } from './hash.ts';
import { heap } from './heap.ts';
import {
  ITEM_INSTRUCTIONS,
  ITEM_OP,
  ITEM_PAGE,
  ITEM_REFERENCES,
  PAST_CACHES,
  Visit,
} from './items.ts';
import { STORE_OK } from './page-tables.ts';
import { touch } from './tlb.ts';
import { translate } from './translate.ts';

/**
 * HOT. The loop that executes visits. Hits in the L1 TLB and in the two most recent lines of a set
 * of the L1 caches are handled here, in one pass over locals; everything else is a call.
 */
const GOLDEN = 0x9e3779b1 | 0;

/** Why `runBlock` returned. */
export const Stop = {
  /** The time limit was reached. */
  Limit: 0,
  /** The block is used up. */
  End: 1,
  /**
   * The guest kernel must handle a page fault of the item at `core.item`, which is to be repeated.
   */
  Fault: 2,
  /** The item at `core.item` is an operation for the guest kernel. */
  Operation: 3,
} as const;
export type Stop = (typeof Stop)[keyof typeof Stop];
const { Limit: LIMIT, End: END, Fault: FAULT, Operation: OPERATION } = Stop;

const { Fetch: FETCH, Store: STORE } = Visit;

/** Why the inner loop of `runBlock` was left. */
const NOTHING = 0;
const A_MISS = 1;
const A_LINE_MISS = 2;
const AN_OPERATION = 3;

/**
 * Whole cycles that `instructions` take: (carry + instructions * cpi) >> 8, where the product may
 * pass 2^31.
 */
const cyclesOf = (instructions: number, carry: number, cpi: number): number =>
  (Math.imul(instructions >>> 8, cpi) + ((carry + Math.imul(instructions & 255, cpi)) >>> 8)) | 0;

/**
 * How many instructions can be executed, at least, before `cycles` cycles have passed. Multiplies
 * by a little less than 256 / cpi: a division that was exact so far is compiled as an integer one.
 */
const instructionsUntil = (cycles: number, cpi: number): number =>
  Math.min((cycles - 1) * (255.5 / cpi), 2 ** 30) | 0;

/**
 * Executes the items from `core.item` to `core.itemEnd` in user mode until `limit` cycles have
 * passed (an int32; the last visit may overshoot). Settles `core.time`.
 *
 * Time is not added up visit by visit: it follows from the instructions of the block and from what
 * slow paths took, and only the number of instructions at which the limit can be reached at the
 * earliest is compared.
 */
export function runBlock(core: Core, limit: number): Stop {
  const keys = KEY;
  const tags = TAG;
  const chains = CHAIN;
  const flagsOf = FLAGS;
  const frames = FRAME;
  const linesOf = LINES;
  const nexts = NEXT;
  const prevs = PREV;
  const homes = HOME;
  const headsOf = HEADS;
  const h = heap;
  const most = limit | 0;
  const itemPages = ITEM_PAGE;
  const itemOps = ITEM_OP;
  const itemInstructions = ITEM_INSTRUCTIONS;
  // Both sides have as many hash heads, so that no branch depends on the side.
  const heads = headsOf[firstArray(core.arrays, SIDE_D)]!;
  const apart = (headsOf[firstArray(core.arrays, SIDE_I)]! - heads) | 0;
  const shift = core.tlbShift;
  const cpi = core.cpiQ8;
  const { caches } = core;
  const { dataOn } = caches;
  // From the most recent tag of a set of either L1 to the second.
  const { apart: toSecond } = caches.l1d;
  const begin = core.item;
  const end = core.itemEnd;
  const carry = core.cpiCarry;
  let tag = core.asid << 2;
  let mix = Math.imul(tag, 0x85ebca6b | 0);
  let slow = 0;
  // Instructions that fit into a cycle, rounded up.
  const perCycle = ((255 + cpi) / cpi) | 0;
  const before = itemInstructions[(begin - 1) | 0]!;
  // Checked after the first visit of each block, so that the compiler has seen this path before it
  // becomes rare.
  let check = before;
  let fetches = 0;
  let touched = 0;
  let stop: Stop = END;
  let p = begin;
  for (;;) {
    // Calls stand outside the inner loop, or the compiler would keep its locals in memory.
    let entry = 0;
    let found = NOTHING;
    // The next line of the visit, if one was missing.
    let line = 0;
    while (p < end) {
      const word = itemOps[p]!;
      const op = word & 255;
      if (op > STORE) {
        found = AN_OPERATION;
        break;
      }
      const vpn = itemPages[p]!;
      const fetch = (op - 1) >>> 31;
      const hash = Math.imul(vpn ^ mix, GOLDEN) >>> shift;
      let at = h[(((heads + Math.imul(fetch, apart)) | 0) + hash) | 0]!;
      while (((keys[at]! ^ vpn) | (tags[at]! ^ tag)) !== 0) {
        if (at === 0) break;
        at = chains[at]!;
      }
      // The flags of entry 0 grant nothing.
      const right = Math.imul(op >>> 1, STORE_OK) | IN_L1;
      if ((flagsOf[at]! & right) !== right) {
        found = A_MISS;
        entry = at;
        break;
      }
      const home = homes[at]!;
      const next = nexts[at]!;
      const prev = prevs[at]!;
      nexts[prev] = next;
      prevs[next] = prev;
      const newest = nexts[home]!;
      nexts[at] = newest;
      prevs[at] = home;
      prevs[newest] = at;
      nexts[home] = at;
      fetches = (fetches + fetch) | 0;
      const executed = itemInstructions[p]!;
      p = (p + 1) | 0;
      if (dataOn !== 0) {
        // An entry of the 4K look-up.
        const own = (frames[at]! + 1) << 1;
        const first = linesOf[at]!;
        const store = op >>> 1;
        line = (word >>> 8) & 63;
        const lines = (word >>> 16) & 127;
        const last = (line + lines) | 0;
        touched = (touched + lines) | 0;
        while (line < last) {
          const way = (first + (line & 63)) | 0;
          const next = (way + toSecond) | 0;
          const newest = h[way]!;
          const second = h[next]!;
          // Below 0: it is not this one.
          const notNewest = (0 - ((newest ^ own) >>> 1)) | 0;
          const notSecond = (0 - ((second ^ own) >>> 1)) | 0;
          if ((notNewest & notSecond) < 0) break;
          const swap = (newest ^ second) & (notNewest >> 31);
          h[way] = (newest ^ swap) | store;
          h[next] = second ^ swap;
          line = (line + 1) | 0;
        }
        if (line < last) {
          found = A_LINE_MISS;
          entry = at;
          break;
        }
      }
      if (executed >= check) break;
    }
    if (found === AN_OPERATION) {
      stop = OPERATION;
      break;
    }
    if (found === A_MISS) {
      const vpn = itemPages[p]!;
      const op = itemOps[p]! & 255;
      const side = op === FETCH ? SIDE_I : SIDE_D;
      const instructions = (itemInstructions[(p - 1) | 0]! - before) | 0;
      const time = (slow + cyclesOf(instructions, carry, cpi)) | 0;
      caches.ahead = time;
      // To the compiler, a call can return every type, and so could the variable that it is
      // assigned to.
      const fast =
        (entry !== 0
          ? promote(core, side, entry, op >>> 1)
          : walkAndReplace(core, vpn, side, op >>> 1)) | 0;
      let passed = entry !== 0 ? core.tlb.l2HitCycles : core.walker.totalCycles;
      if (fast !== 0) entry = fast;
      else {
        core.ahead = time;
        entry = translate(core, vpn, side, op >>> 1, entry) | 0;
        passed = (core.ahead - time) | 0;
        tag = core.asid << 2;
        mix = Math.imul(tag, 0x85ebca6b | 0);
      }
      slow = (slow + passed) | 0;
      if (entry === 0) {
        stop = FAULT;
        break;
      }
      check = (check - Math.imul(passed, perCycle)) | 0;
      fetches = (fetches + ((op - 1) >>> 31)) | 0;
      if (dataOn !== 0 && entry > 0) {
        const word = itemOps[p]!;
        line = (word >>> 8) & 63;
        touched = (touched + ((word >>> 16) & 127)) | 0;
        found = A_LINE_MISS;
      }
      p = (p + 1) | 0;
    }
    if (found === A_LINE_MISS) {
      const item = (p - 1) | 0;
      const vpn = itemPages[item]!;
      const word = itemOps[item]!;
      const last = (((word >>> 8) & 63) + ((word >>> 16) & 127)) | 0;
      const size = tags[entry]! & 3;
      const frame = (frames[entry]! + (vpn & ((1 << (9 * size)) - 1))) | 0;
      caches.ahead = (slow + cyclesOf((itemInstructions[item]! - before) | 0, carry, cpi)) | 0;
      const stall = touchLines(core, frame, word, line, last) | 0;
      if (stall !== 0) {
        slow = (slow + stall) | 0;
        check = (check - Math.imul(stall, perCycle)) | 0;
      }
    }
    const executed = itemInstructions[(p - 1) | 0]!;
    if (executed >= check) {
      const time = (slow + cyclesOf((executed - before) | 0, carry, cpi)) | 0;
      const reached = p < end ? LIMIT : END;
      if (time >= most) {
        stop = reached;
        break;
      }
      check = (executed + instructionsUntil((most - time) | 0, cpi)) | 0;
    }
    if (p >= end) break;
  }
  const visits = (p - begin) | 0;
  const instructions = (itemInstructions[(p - 1) | 0]! - before) | 0;
  const references = (ITEM_REFERENCES[(p - 1) | 0]! - ITEM_REFERENCES[(begin - 1) | 0]!) | 0;
  const counters = core.counters;
  h[counters + K.visits] = h[counters + K.visits]! + visits;
  h[counters + K.references] = h[counters + K.references]! + references;
  h[counters + K.user_instructions] = h[counters + K.user_instructions]! + instructions;
  h[counters + K.instructions] = h[counters + K.instructions]! + instructions;
  h[counters + K.l1i_lookups] = h[counters + K.l1i_lookups]! + fetches;
  h[counters + K.l1d_lookups] = h[counters + K.l1d_lookups]! + visits - fetches;
  h[counters + K.data_lines] = h[counters + K.data_lines]! + touched;
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
 * The same before the edge of a measured window, where accounts are cut. Close to the edge, visits
 * are executed one by one. May return `Limit` early.
 */
export function runToEdge(core: Core, limit: number): Stop {
  const { cut } = core;
  const end = core.itemEnd;
  cut.begin(core);
  let stop: Stop;
  if (core.time < cut.near) stop = runBlock(core, Math.min(limit, Math.ceil(cut.near - core.time)));
  else {
    core.itemEnd = core.item + 1;
    stop = runBlock(core, limit);
    core.itemEnd = end;
    if (stop === END && core.item < end) stop = LIMIT;
  }
  return stop;
}

/**
 * Executes one visit of guest kernel code or data; `op` may have the flags SEQUENTIAL and
 * PAST_CACHES: the time of such a store is that of `clearLines`, which its instructions are part
 * of. The page must be mapped (the kernel's direct map is). Returns false if the walk still ends in
 * a true fault, which is an error of the guest kernel model. Time passes in `core.ahead`.
 */
export function visitKernel(
  core: Core,
  vpn: number,
  op: number,
  instructions: number,
  line: number,
  lines: number,
): boolean {
  const tags = TAG;
  const flagsOf = FLAGS;
  const frames = FRAME;
  const headsOf = HEADS;
  const h = heap;
  const { cut } = core;
  const near = core.time + core.ahead >= cut.near;
  if (near) cut.begin(core);
  const kind = op & 255;
  const side = kind === FETCH ? SIDE_I : SIDE_D;
  const right = (kind === STORE ? STORE_OK : 0) | IN_L1;
  let entry = find(headsOf[firstArray(core.arrays, side)]!, core.tlbShift, vpn, core.asid << 2);
  if (entry !== 0 && (flagsOf[entry]! & right) === right) touch(entry);
  else {
    entry = translate(core, vpn, side, kind === STORE ? 1 : 0, entry);
    if (entry === 0) return false;
  }
  const counters = core.counters;
  h[counters + K.visits] = h[counters + K.visits]! + 1;
  h[counters + K.references] = h[counters + K.references]! + lines;
  h[counters + K.instructions] = h[counters + K.instructions]! + instructions;
  const lookups = counters + (side === SIDE_I ? K.l1i_lookups : K.l1d_lookups);
  h[lookups] = h[lookups]! + 1;
  const leaf = core.pending + Leaf.GuestKernel;
  let frame = 0;
  if (entry > 0) {
    const size = tags[entry]! & 3;
    frame = frames[entry]! + (vpn & ((1 << (9 * size)) - 1));
  }
  if ((op & PAST_CACHES) !== 0 && entry > 0) {
    const cycles = CLEAR_CYCLES * lines;
    const waiting = clearLines(core, frame, lines) - cycles;
    h[leaf] = h[leaf]! + cycles;
    core.ahead += cycles;
    if (core.accounts.freeLeaves[Leaf.StallQueue] === 0) {
      const queue = core.pending + Leaf.StallQueue;
      h[queue] = h[queue]! + waiting;
      core.ahead += waiting;
    }
  } else {
    core.cpiCarry += instructions * core.cpiQ8;
    const cycles = core.cpiCarry >>> 8;
    core.cpiCarry &= 255;
    h[leaf] = h[leaf]! + cycles;
    core.ahead += cycles;
    if (core.caches.dataOn !== 0 && entry > 0) {
      h[counters + K.data_lines] = h[counters + K.data_lines]! + lines;
      core.caches.ahead = core.ahead;
      core.ahead += touchLines(core, frame, op, line, line + lines);
    }
  }
  if (near && core.time + core.ahead > cut.edge) cut.inVisit(core);
  return true;
}

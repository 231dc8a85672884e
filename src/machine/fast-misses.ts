import { Cause, Leaf } from '../stats/leaves.ts';
import { readTableLine } from './caches.ts';
import { type Core, SIDE_I } from './core.ts';
import { K } from './counters.ts';
import {
  CHAIN,
  FLAGS,
  FRAME,
  firstArray,
  HEADS,
  HOME,
  IN_L1,
  IN_L2,
  KEY,
  LARGE,
  LINES,
  MEMO_FRAME,
  MEMO_NODE,
  NEXT,
  OWNER_SHIFT,
  PREV,
  ROW3,
  SECOND_LEVEL,
  SEQ,
  SET_MASK,
  SETS,
  SLOT,
  USED,
} from './entries.ts';
import { find, hash, unhash } from './hash.ts';
import { heap } from './heap.ts';
import { PTE_SHIFT, Pte, STORE_OK } from './page-tables.ts';
import { linesOf } from './private-caches.ts';
import { putInRow, toFront } from './tlb.ts';
import { replaceOldest } from './walk-cache.ts';
import { findMemo, replayMemo, replayMemo2d } from './walk-memo.ts';

/**
 * HOT. The two most frequent misses of the L1 TLB, each in one piece: a 4K page that the L2 has,
 * and one whose walk repeats a remembered one (walk-memo.ts) and which replaces a page of its own
 * vCPU. They look at everything first, and if anything is out of the ordinary, they do nothing and
 * return 0.
 *
 * What they do is what others do step by step, and a change there is made here too: `promote`
 * stands for `translate`, `touchInL2` and `admit` (translate.ts); `walkAndReplace` for `walk1d`,
 * `walk2d` and `nestedWalk` (walk.ts), then `walkAndFill`, `chargeWalk`, `admit` and
 * `recordEviction` (translate.ts).
 */
const { Global: GLOBAL } = Pte;
const READABLE = Pte.Present | Pte.Accessed;
const CAPACITY = Cause.Capacity;
const COLD = Cause.Cold;
const L2_HIT = Leaf.TlbL2Hit;
const WALK_GUEST = Leaf.WalkGuest;
const WALK_NESTED = Leaf.WalkNested;
const WALKS = K.walks_cold;
const L2_HITS = K.l2i_hits;
const L2_MISSES = K.l2i_misses;
const PWC_HITS = K.pwc_hits;
const READS = K.walk_reads_guest;
const NESTED_READS = K.walk_reads_nested;
const NESTED_TLB_HITS = K.nested_tlb_hits;
/** Distance between the counters of the two sides. */
const APART = K.l2d_hits - K.l2i_hits;

/** The L1 entry that is replaced when the set is full and the L2 holds it too; otherwise 0. */
const oldestOf = (home: number): number => {
  const oldest = PREV[home]!;
  return CHAIN[home] === 0 && (FLAGS[oldest]! & IN_L2) !== 0 ? oldest : 0;
};

/** Puts `entry` at the head of an L1 set, in the place of `oldest`. */
const replaceInList = (home: number, oldest: number, entry: number): void => {
  const flagsOf = FLAGS;
  const nexts = NEXT;
  const prevs = PREV;
  const homes = HOME;
  const before = prevs[oldest]!;
  nexts[before] = home;
  prevs[home] = before;
  const newest = nexts[home]!;
  nexts[entry] = newest;
  prevs[entry] = home;
  homes[entry] = home;
  prevs[newest] = entry;
  nexts[home] = entry;
  flagsOf[oldest] = flagsOf[oldest]! & ~IN_L1;
};

/**
 * A visit to the page of `entry`, which is not in the L1: takes it from the L2. The cycles of an L2
 * hit are to pass.
 */
export const promote = (core: Core, side: number, entry: number, write: number): number => {
  const keys = KEY;
  const flagsOf = FLAGS;
  const setsOf = SETS;
  const masks = SET_MASK;
  const larges = LARGE;
  const h = heap;
  const first = firstArray(core.arrays, side);
  const second = (first + SECOND_LEVEL) | 0;
  const flags = flagsOf[entry]!;
  const needed = Math.imul(write | 0, STORE_OK) | IN_L2;
  // Large pages among those of the side would have to be looked up first.
  if (core.fastMisses === 0 || larges[first] !== 0) return 0;
  if ((flags & (needed | IN_L1)) !== needed) return 0;
  const key = keys[entry]!;
  const home = (setsOf[first]! + (key & masks[first]!)) | 0;
  const oldest = oldestOf(home);
  if (oldest === 0) return 0;

  toFront((setsOf[second]! + (key & masks[second]!)) | 0, entry);
  replaceInList(home, oldest, entry);
  flagsOf[entry] = flags | IN_L1;
  const hits = (core.counters + L2_HITS + Math.imul(side | 0, APART)) | 0;
  h[hits] = h[hits]! + 1;
  const leaf = (core.pending + L2_HIT) | 0;
  h[leaf] = h[leaf]! + core.tlb.l2HitCycles;
  return entry;
};

/** Cycles to read a line of a table. */
const readLine = (core: Core, frame: number, line: number): number => {
  const { caches } = core;
  const h = heap;
  const number = (frame << 6) | line;
  const newest = h[(caches.walkNewest + (number & caches.walkSetMask)) | 0]!;
  return (newest ^ ((frame + 1) << 1)) >>> 1 === 0
    ? caches.l2Cycles
    : readTableLine(core, frame, line);
};

/**
 * Looks the last entry of a nested table up in the page-walk cache, which holds it from now on;
 * 0 = it did not.
 */
const hitLeaf = (core: Core, slot: number): number => {
  const { walker } = core;
  const uses = USED;
  const now = (walker.clock + 1) | 0;
  walker.clock = now;
  const held = find(walker.pwcHeads, walker.pwcShift, slot, core.asid);
  if (held !== 0) uses[held] = now;
  else {
    walker.version = (walker.version + 1) | 0;
    replaceOldest(walker.pwc, slot, core.asid, 0, now);
  }
  return held;
};

/**
 * A visit to a page that no level holds: walks, and fills both. `walker.totalCycles` cycles are to
 * pass. Returns the entry.
 */
export const walkAndReplace = (core: Core, page: number, side: number, write: number): number => {
  const { walker, loss } = core;
  const oldestOfRow = ROW3;
  const flagsOf = FLAGS;
  const frames = FRAME;
  const slots = SLOT;
  const seqs = SEQ;
  const setsOf = SETS;
  const masks = SET_MASK;
  const larges = LARGE;
  const headsOf = HEADS;
  const h = heap;
  const vpn = page | 0;
  const first = firstArray(core.arrays, side);
  const second = (first + SECOND_LEVEL) | 0;
  if (core.fastMisses !== 1 || larges[first] !== 0) return 0;
  const row = (setsOf[second]! + (vpn & masks[second]!)) | 0;
  const home = (setsOf[first]! + (vpn & masks[first]!)) | 0;
  const oldest = oldestOf(home);
  const victim = oldestOfRow[row]!;
  if (oldest === 0 || victim === 0) return 0;
  const own = core.vcpu << OWNER_SHIFT;
  const gone = flagsOf[victim]!;
  // A page of this vCPU that the L1 has not.
  if ((((gone ^ own) >>> OWNER_SHIFT) | (gone & IN_L1)) !== 0) return 0;

  const memo = findMemo(core, walker.memos, core.root, vpn);
  if (memo === 0) return 0;
  const { tables } = core;
  const { entries } = tables;
  const node = MEMO_NODE[memo]!;
  const slot = (node << 9) | (vpn & 511);
  const entry = entries[slot]!;
  const rights = READABLE | Math.imul(write | 0, STORE_OK);
  if ((entry & rights) !== rights) return 0;
  let frame = entry >>> PTE_SHIFT;
  let lost = slot;
  const nested = core.nestedOn;
  let under = 0;
  let underSlot = 0;
  let allowed = 0x7f;
  if (nested !== 0) {
    under = findMemo(core, walker.nestedMemos, core.nestedRoot, frame);
    if (under === 0) return 0;
    underSlot = (MEMO_NODE[under]! << 9) | (frame & 511);
    const below = entries[underSlot]!;
    if ((below & rights) !== rights) return 0;
    allowed &= below | ~STORE_OK;
    frame = below >>> PTE_SHIFT;
  } else {
    frame = (frame + core.frameBase) | 0;
    lost = (tables.mirror[node]! << 9) | (slot & 511);
  }
  const records = side === SIDE_I ? loss.instructions : loss.data;
  if (lost >= records.length) return 0;
  const record = records[lost]!;
  const sequences = (loss.sequences + (core.vcpu << 1)) | 0;
  const sequence = h[(sequences + ((entry & GLOBAL) >> 4)) | 0]!;
  if (sequence === 0 || (record > 0 && record !== sequence)) return 0;

  const counters = core.counters;
  const cause = record < 0 ? -record | 0 : COLD;
  const leaf = (core.pending + WALK_GUEST + cause) | 0;
  const now = walker.clock;
  let hits = 3;
  let table: number;
  if (nested === 0) {
    replayMemo(memo, now);
    walker.clock = (now + 3) | 0;
    table = (tables.frame[node]! + core.frameBase) | 0;
  } else {
    replayMemo2d(memo, now);
    replayMemo(under, (now + 7) | 0);
    walker.clock = (now + 10) | 0;
    table = MEMO_FRAME[memo]!;
    hits = 6;
  }
  const read = readLine(core, table, (slot & 511) >> 3);
  const guest = (walker.overhead + Math.imul(3, walker.pwcCycles) + read) | 0;
  h[leaf] = h[leaf]! + guest;
  walker.totalCycles = guest;
  if (nested !== 0) {
    let reads = 1;
    let last = walker.pwcCycles;
    if (walker.pwcNestedLeaves !== 0 && hitLeaf(core, underSlot) !== 0) {
      hits = 7;
      reads = 0;
    } else last = readLine(core, tables.frame[underSlot >> 9]!, (underSlot & 511) >> 3);
    const below = (Math.imul(4, walker.ntlbCycles) + Math.imul(3, walker.pwcCycles) + last) | 0;
    const nestedLeaf = (core.pending + WALK_NESTED + cause) | 0;
    h[nestedLeaf] = h[nestedLeaf]! + below;
    walker.totalCycles = (guest + below) | 0;
    h[(counters + NESTED_READS) | 0] = h[(counters + NESTED_READS) | 0]! + reads;
    h[(counters + NESTED_TLB_HITS) | 0] = h[(counters + NESTED_TLB_HITS) | 0]! + 4;
  }
  h[(counters + PWC_HITS) | 0] = h[(counters + PWC_HITS) | 0]! + hits;
  h[(counters + READS) | 0] = h[(counters + READS) | 0]! + 1;
  const misses = (counters + L2_MISSES + Math.imul(side | 0, APART)) | 0;
  h[misses] = h[misses]! + 1;
  const walks = (counters + WALKS + cause) | 0;
  h[walks] = h[walks]! + 1;
  records[lost] = sequence;
  // The replaced entry is lost, unless it was flushed already.
  if (h[(sequences + ((gone & GLOBAL) >> 4)) | 0] === seqs[victim]) {
    records[slots[victim]!] = -CAPACITY;
  }

  const heads = headsOf[first]!;
  unhash(heads, core.tlbShift, victim);
  hash(heads, core.tlbShift, victim, vpn, core.asid << 2);
  flagsOf[victim] = (entry & allowed) | own | IN_L1 | IN_L2;
  frames[victim] = frame;
  LINES[victim] = linesOf(core, side, frame);
  slots[victim] = lost;
  seqs[victim] = sequence;
  putInRow(row, victim);
  replaceInList(home, oldest, victim);
  return victim;
};

import { readTableLine } from './caches.ts';
import type { Core } from './core.ts';
import { K } from './counters.ts';
import { FRAME, MEMO_FRAME, MEMO_NODE, USED } from './entries.ts';
import { Fault } from './fault.ts';
import { find } from './hash.ts';
import { heap } from './heap.ts';
import { PTE_SHIFT, Pte, STORE_OK } from './page-tables.ts';
import { nestedTlbKey, replaceOldest } from './walk-cache.ts';
import { findMemo, rememberWalk, replayMemo, replayMemo2d } from './walk-memo.ts';

/**
 * HOT. Page walks: one-dimensional (native and shadow tables) and two-dimensional (guest tables
 * through nested ones). Tables are real, so a walk reads real entries of real cache lines.
 *
 * The page-walk cache holds entries of the upper levels, of guest and nested tables alike (and, on
 * request, the leaves of nested ones), tagged by address and ASID; a walk descends through it level
 * by level, since the address of an entry is only known from the one above (Barr et al. 2010 class
 * AMD's design as a unified page table cache). The nested TLB maps the frames of guest *tables* to
 * host frames, by nested page; the final guest address always takes the nested walk (Bhargava et
 * al. 2008). So a warm 4K walk is overhead + 3 hits + 1 read natively, and overhead + 4 nested-TLB
 * hits + 6 hits + 2 reads nested. Results are left in `core.walker`.
 */
const {
  Present: PRESENT,
  Writable: WRITABLE,
  Accessed: ACCESSED,
  Dirty: DIRTY,
  Large: LARGE,
} = Pte;

const { None: NO_FAULT, Table: TABLE_FAULT, Nested: NESTED_FAULT } = Fault;

/**
 * Reads an entry that the page-walk cache lacks, and puts it there at time `now`. Returns the
 * cycles.
 */
const cacheMiss = (
  core: Core,
  slot: number,
  frame: number,
  nested: number,
  entry: number,
  now: number,
): number => {
  const { walker } = core;
  const h = heap;
  if (walker.pwc.first !== 0 && (entry & PRESENT) !== 0) {
    walker.version = (walker.version + 1) | 0;
    replaceOldest(walker.pwc, slot, core.asid, 0, now);
  }
  const reads = core.counters + (nested !== 0 ? K.walk_reads_nested : K.walk_reads_guest);
  h[reads] = h[reads]! + 1;
  return readTableLine(core, frame, (slot & 511) >> 3);
};

/** Page size (0 = 4K) of a leaf whose index begins at bit `low` of the page number: `low / 9`. */
const sizeOf = (low: number): number => (low * 57) >> 9;

/** Books what a walk of the first table took and did in the walk caches; returns `fault`. */
const settle = (core: Core, cycles: number, hits: number, now: number, fault: Fault): Fault => {
  const { walker } = core;
  const h = heap;
  const at = core.counters + K.pwc_hits;
  h[at] = h[at]! + hits;
  const all = cycles + hits * walker.pwcCycles;
  walker.guestCycles += all;
  core.ahead += all;
  walker.clock = now;
  return fault;
};

/** Walks the table at `core.root`. */
export function walk1d(core: Core, page: number, write: number): Fault {
  const { walker, tables } = core;
  const uses = USED;
  const h = heap;
  const vpn = page | 0;
  const { entries } = tables;
  const heads = walker.pwcHeads;
  const shift = walker.pwcShift;
  const tag = core.asid;
  let now = walker.clock;
  let hits = 0;
  let cycles = walker.overhead;
  const { root } = core;
  let low = 27;
  let node = root;
  const memo = findMemo(core, walker.memos, root, vpn);
  if (memo !== 0) {
    node = MEMO_NODE[memo]!;
    replayMemo(memo, now);
    now = (now + 3) | 0;
    hits = 3;
    low = 0;
  }
  for (;;) {
    const slot = (node << 9) | ((vpn >>> low) & 511);
    const entry = entries[slot]!;
    if (low > 0 && (entry & LARGE) === 0) {
      const hit = find(heads, shift, slot, tag);
      now = (now + 1) | 0;
      if (hit !== 0) {
        uses[hit] = now;
        hits = (hits + 1) | 0;
      } else {
        cycles += cacheMiss(core, slot, tables.frame[node]! + core.frameBase, 0, entry, now);
      }
      if ((entry & PRESENT) === 0) return settle(core, cycles, hits, now, TABLE_FAULT);
      node = entry >>> PTE_SHIFT;
      low = (low - 9) | 0;
      continue;
    }
    const reads = core.counters + K.walk_reads_guest;
    h[reads] = h[reads]! + 1;
    cycles += readTableLine(core, tables.frame[node]! + core.frameBase, (slot & 511) >> 3);
    if ((entry & PRESENT) === 0 || (write !== 0 && (entry & WRITABLE) === 0)) {
      return settle(core, cycles, hits, now, TABLE_FAULT);
    }
    const marked = entry | ACCESSED | (write !== 0 ? DIRTY : 0);
    if (marked !== entry) entries[slot] = marked;
    settle(core, cycles, hits, now, NO_FAULT);
    if (hits === 3 && memo === 0) rememberWalk(core, walker.memos, root, vpn, false);
    walker.frame = (entry >>> PTE_SHIFT) + core.frameBase;
    walker.size = sizeOf(low);
    walker.flags = marked;
    walker.slot = (tables.mirror[node]! << 9) | (slot & 511);
    return NO_FAULT;
  }
}

/**
 * Walks the nested table for one guest frame; returns the host frame of its 4 KiB page, or -1 if it
 * is not there or not to be written. Leaves size, slot and flags of the nested leaf in the core.
 */
const nestedWalk = (core: Core, frame: number, write: number): number => {
  const { walker, tables } = core;
  const uses = USED;
  const h = heap;
  const gfn = frame | 0;
  const { entries } = tables;
  const heads = walker.pwcHeads;
  const shift = walker.pwcShift;
  const tag = core.asid;
  const leaves = walker.pwcNestedLeaves;
  let now = walker.clock;
  let hits = 0;
  let cycles = 0;
  const root = core.nestedRoot;
  let low = 27;
  let found = -1;
  let node = root;
  const memo = findMemo(core, walker.nestedMemos, root, gfn);
  if (memo !== 0) {
    node = MEMO_NODE[memo]!;
    replayMemo(memo, now);
    now = (now + 3) | 0;
    hits = 3;
    low = 0;
  }
  for (;;) {
    const slot = (node << 9) | ((gfn >>> low) & 511);
    const entry = entries[slot]!;
    const upper = low > 0 && (entry & LARGE) === 0;
    if (upper || leaves !== 0) {
      const hit = find(heads, shift, slot, tag);
      now = (now + 1) | 0;
      if (hit !== 0) {
        uses[hit] = now;
        hits = (hits + 1) | 0;
      } else {
        cycles += cacheMiss(core, slot, tables.frame[node]!, 1, entry, now);
      }
    } else {
      const reads = core.counters + K.walk_reads_nested;
      h[reads] = h[reads]! + 1;
      cycles += readTableLine(core, tables.frame[node]!, (slot & 511) >> 3);
    }
    if ((entry & PRESENT) === 0) break;
    if (upper) {
      node = entry >>> PTE_SHIFT;
      low = (low - 9) | 0;
      continue;
    }
    if (write !== 0 && (entry & WRITABLE) === 0) break;
    const marked = entry | ACCESSED | (write !== 0 ? DIRTY : 0);
    if (marked !== entry) entries[slot] = marked;
    walker.nestedFlags = marked;
    walker.nestedSize = sizeOf(low);
    walker.nestedSlot = slot;
    found = ((entry >>> PTE_SHIFT) + (gfn & ((1 << low) - 1))) | 0;
    break;
  }
  const at = core.counters + K.pwc_hits;
  h[at] = h[at]! + hits;
  cycles += hits * walker.pwcCycles;
  walker.nestedCycles += cycles;
  core.ahead += cycles;
  walker.clock = now;
  if (found < 0) walker.faultFrame = gfn;
  else if (low === 0 && hits === 3 && memo === 0)
    rememberWalk(core, walker.nestedMemos, root, gfn, false);
  return found;
};

/**
 * Host frame of a guest table frame that lies in a large nested page which the nested TLB holds, or
 * -1.
 */
const largeTableFrame = (core: Core, gfn: number): number => {
  const { walker } = core;
  const frames = FRAME;
  const uses = USED;
  const h = heap;
  for (let size = 1; size < 3; size++) {
    const held = find(walker.ntlbHeads, walker.ntlbShift, nestedTlbKey(gfn, size), core.asid);
    if (held === 0) continue;
    uses[held] = ++walker.clock;
    const hits = core.counters + K.nested_tlb_hits;
    h[hits] = h[hits]! + 1;
    walker.nestedCycles += walker.ntlbCycles;
    core.ahead += walker.ntlbCycles;
    return frames[held]! + (gfn & ((1 << (9 * size)) - 1));
  }
  return -1;
};

/**
 * Host frame of a guest table frame for which the nested TLB has no entry of 4 KiB; -1 if the
 * nested table has none either. An entry covers what one nested page does.
 */
const tableFrameMiss = (core: Core, gfn: number): number => {
  const { walker } = core;
  const h = heap;
  if (walker.ntlbLarge !== 0) {
    const frame = largeTableFrame(core, gfn);
    if (frame >= 0) return frame;
  }
  const misses = core.counters + K.nested_tlb_misses;
  h[misses] = h[misses]! + 1;
  // The walker may have to set bits in the table: to the nested tables it always writes there.
  const frame = nestedWalk(core, gfn, 1);
  if (frame >= 0 && walker.ntlb.first !== 0) {
    const size = walker.nestedSize;
    if (size > 0) walker.ntlbLarge = 1;
    const first = frame - (gfn & ((1 << (9 * size)) - 1));
    walker.version = (walker.version + 1) | 0;
    replaceOldest(walker.ntlb, nestedTlbKey(gfn, size), core.asid, first, ++walker.clock);
  }
  return frame;
};

/** Walks the guest table at `core.root` through the nested table at `core.nestedRoot`. */
export function walk2d(core: Core, page: number, write: number): Fault {
  const { walker, tables } = core;
  const frames = FRAME;
  const uses = USED;
  const h = heap;
  const vpn = page | 0;
  const { entries } = tables;
  const heads = walker.pwcHeads;
  const shift = walker.pwcShift;
  const frameHeads = walker.ntlbHeads;
  const frameShift = walker.ntlbShift;
  const tag = core.asid;
  let now = walker.clock;
  let hits = 0;
  let frameHits = 0;
  let cycles = walker.overhead;
  const { root } = core;
  let node = root;
  let low = 27;
  const memo = findMemo(core, walker.memos, root, vpn);
  if (memo !== 0) {
    node = MEMO_NODE[memo]!;
    replayMemo2d(memo, now);
    now = (now + 7) | 0;
    hits = 3;
    frameHits = 4;
    low = 0;
  }
  for (;;) {
    const table = tables.frame[node]!;
    const held = memo !== 0 ? 0 : find(frameHeads, frameShift, table, tag);
    let frame: number;
    if (memo !== 0) frame = MEMO_FRAME[memo]!;
    else if (held !== 0) {
      now = (now + 1) | 0;
      uses[held] = now;
      frameHits = (frameHits + 1) | 0;
      frame = frames[held]!;
    } else {
      walker.clock = now;
      frame = tableFrameMiss(core, table);
      now = walker.clock;
      if (frame < 0) return settle2d(core, cycles, hits, frameHits, now, NESTED_FAULT);
    }
    const slot = (node << 9) | ((vpn >>> low) & 511);
    const entry = entries[slot]!;
    if (low > 0 && (entry & LARGE) === 0) {
      const hit = find(heads, shift, slot, tag);
      now = (now + 1) | 0;
      if (hit !== 0) {
        uses[hit] = now;
        hits = (hits + 1) | 0;
      } else {
        cycles += cacheMiss(core, slot, frame, 0, entry, now);
      }
      if ((entry & PRESENT) === 0) {
        return settle2d(core, cycles, hits, frameHits, now, TABLE_FAULT);
      }
      node = entry >>> PTE_SHIFT;
      low = (low - 9) | 0;
      continue;
    }
    const reads = core.counters + K.walk_reads_guest;
    h[reads] = h[reads]! + 1;
    cycles += readTableLine(core, frame, (slot & 511) >> 3);
    if ((entry & PRESENT) === 0 || (write !== 0 && (entry & WRITABLE) === 0)) {
      return settle2d(core, cycles, hits, frameHits, now, TABLE_FAULT);
    }
    const marked = entry | ACCESSED | (write !== 0 ? DIRTY : 0);
    if (marked !== entry) entries[slot] = marked;
    settle2d(core, cycles, hits, frameHits, now, NO_FAULT);
    if (hits === 3 && frameHits === 4 && memo === 0)
      rememberWalk(core, walker.memos, root, vpn, true);
    const hfn = nestedWalk(core, (entry >>> PTE_SHIFT) + (vpn & ((1 << low) - 1)), write);
    if (hfn < 0) return NESTED_FAULT;
    // A store needs the right of both.
    walker.flags = marked & (walker.nestedFlags | ~STORE_OK);
    // The entry covers the smaller of the two pages (splintering).
    const level = sizeOf(low);
    const nestedSize = walker.nestedSize;
    if (level <= nestedSize) {
      walker.size = level;
      walker.slot = slot;
    } else {
      walker.size = nestedSize;
      walker.slot = walker.nestedSlot;
    }
    walker.frame = hfn - (vpn & ((1 << (9 * walker.size)) - 1));
    return NO_FAULT;
  }
}

/** The same for a guest table under nested ones, whose frames were looked up too. */
const settle2d = (
  core: Core,
  cycles: number,
  hits: number,
  frameHits: number,
  now: number,
  fault: Fault,
): Fault => {
  const { walker } = core;
  const h = heap;
  settle(core, cycles, hits, now, fault);
  const at = core.counters + K.nested_tlb_hits;
  h[at] = h[at]! + frameHits;
  const nested = frameHits * walker.ntlbCycles;
  walker.nestedCycles += nested;
  core.ahead += nested;
  return fault;
};

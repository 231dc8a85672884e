import { find as find_, replace as replace_, touch as touch_ } from './assoc.ts';
import { readTableLine as readTableLine_ } from './caches.ts';
import type { Core } from './core.ts';
import { K as K_ } from './counters.ts';
import { FRAME as FRAME_ } from './entry.ts';
import { heap } from './heap.ts';
import { PTE_SHIFT as PTE_SHIFT_, Pte as Pte_ } from './page-tables.ts';

/**
 * HOT. Page walks: one-dimensional (native and shadow tables) and two-dimensional (guest tables through
 * nested ones). Tables are real, so a walk reads real entries of real cache lines.
 *
 * The page-walk cache holds entries of the upper levels, of guest and nested tables alike, tagged by
 * address and ASID; a walk descends through it level by level, since the address of an entry is only
 * known from the one above (Barr et al. 2010 class AMD's design as a unified page table cache). The
 * nested TLB maps the frames of guest *tables* to host frames; the final guest address always takes the
 * nested walk (Bhargava et al. 2008). So a warm 4K walk is overhead + 3 hits + 1 read natively, and
 * overhead + 4 nested-TLB hits + 6 hits + 2 reads nested.
 *
 * Results are left in the core: `walkFrame`, `walkSize`, `walkFlags`, `walkSlot`; cycles are added to
 * `walkGuest` and `walkNested`.
 */
const H = heap;
// Imported constants are bound to module-level ones: the compiler folds those, but loads an imported
// binding at each use (docs/decisions/0003).
const FRAME = FRAME_;
const find = find_;
const replace = replace_;
const touch = touch_;
const readTableLine = readTableLine_;
const K = K_;
const PTE_SHIFT = PTE_SHIFT_;
const Pte = Pte_;

export const Fault = {
  None: 0,
  /** The table that the hardware walks first (native, shadow, guest) does not allow the access. */
  Table: 1,
  /** The nested table lacks the guest frame in `faultFrame`. */
  Nested: 2,
} as const;
export type Fault = (typeof Fault)[keyof typeof Fault];
const { None: NO_FAULT, Table: TABLE_FAULT, Nested: NESTED_FAULT } = Fault;

/** Reads an entry of an upper level that the page-walk cache lacks. Returns the cycles. */
function upperMiss(core: Core, slot: number, frame: number, nested: number, entry: number): number {
  const h = H;
  if (core.pwcSentinel !== 0 && (entry & Pte.Present) !== 0) {
    replace(core.pwcHeads, core.pwcShift, core.pwcSentinel, slot, core.asid);
  }
  const reads = core.counters + (nested !== 0 ? K.walk_reads_nested : K.walk_reads_guest);
  h[reads] = h[reads]! + 1;
  return readTableLine(core, frame, (slot & 511) >> 3);
}

function countHits(core: Core, hits: number): void {
  const h = H;
  const at = core.counters + K.pwc_hits;
  h[at] = h[at]! + hits;
}

/** Walks the table at `core.root`. */
export function walk1d(core: Core, vpn: number, write: number): Fault {
  const h = H;
  const tables = core.tables;
  const entries = tables.entries;
  const frames = tables.frame;
  const pwcHeads = core.pwcHeads;
  const pwcShift = core.pwcShift;
  const pwcSentinel = core.pwcSentinel;
  const tag = core.asid;
  let hits = 0;
  let cycles = core.walkOverhead;
  let node = core.root;
  let level = 3;
  for (;;) {
    const slot = (node << 9) | ((vpn >>> (9 * level)) & 511);
    const entry = entries[slot]!;
    const frame = frames[node]! + core.frameBase;
    if (level > 0 && (entry & Pte.Large) === 0) {
      const hit = pwcSentinel === 0 ? 0 : find(pwcHeads, pwcShift, slot, tag);
      if (hit !== 0) {
        touch(hit, pwcSentinel);
        hits = (hits + 1) | 0;
        cycles += core.pwcCycles;
      } else {
        cycles += upperMiss(core, slot, frame, 0, entry);
      }
      if ((entry & Pte.Present) === 0) return stop1d(core, cycles, hits, slot, level);
      node = entry >>> PTE_SHIFT;
      level--;
      continue;
    }
    const reads = core.counters + K.walk_reads_guest;
    h[reads] = h[reads]! + 1;
    cycles += readTableLine(core, frame, (slot & 511) >> 3);
    if ((entry & Pte.Present) === 0 || (write !== 0 && (entry & Pte.Writable) === 0)) {
      return stop1d(core, cycles, hits, slot, level);
    }
    const marked = entry | Pte.Accessed | (write !== 0 ? Pte.Dirty : 0);
    if (marked !== entry) entries[slot] = marked;
    countHits(core, hits);
    core.walkGuest += cycles;
    core.ahead += cycles;
    core.walkFrame = (entry >>> PTE_SHIFT) + core.frameBase;
    core.walkSize = level;
    core.walkFlags = marked;
    core.walkSlot = (tables.mirror[node]! << 9) | (slot & 511);
    return NO_FAULT;
  }
}

function stop1d(core: Core, cycles: number, hits: number, slot: number, level: number): Fault {
  countHits(core, hits);
  core.walkGuest += cycles;
  core.ahead += cycles;
  core.faultLevel = level + 1;
  core.walkSlot = slot;
  return TABLE_FAULT;
}

/**
 * Walks the nested table for one guest frame; returns the host frame of its 4 KiB page, or -1. Leaves the
 * size and slot of the nested leaf in `nestedSize` and `nestedSlot`.
 */
function nestedWalk(core: Core, gfn: number): number {
  const h = H;
  const tables = core.tables;
  const entries = tables.entries;
  const frames = tables.frame;
  const pwcHeads = core.pwcHeads;
  const pwcShift = core.pwcShift;
  const pwcSentinel = core.pwcSentinel;
  const tag = core.asid;
  let hits = 0;
  let cycles = 0;
  let node = core.nestedRoot;
  let level = 3;
  for (;;) {
    const slot = (node << 9) | ((gfn >>> (9 * level)) & 511);
    const entry = entries[slot]!;
    if (level > 0 && (entry & Pte.Large) === 0) {
      const hit = pwcSentinel === 0 ? 0 : find(pwcHeads, pwcShift, slot, tag);
      if (hit !== 0) {
        touch(hit, pwcSentinel);
        hits = (hits + 1) | 0;
        cycles += core.pwcCycles;
      } else {
        cycles += upperMiss(core, slot, frames[node]!, 1, entry);
      }
      if ((entry & Pte.Present) === 0) break;
      node = entry >>> PTE_SHIFT;
      level--;
      continue;
    }
    const reads = core.counters + K.walk_reads_nested;
    h[reads] = h[reads]! + 1;
    cycles += readTableLine(core, frames[node]!, (slot & 511) >> 3);
    if ((entry & Pte.Present) === 0) break;
    countHits(core, hits);
    core.walkNested += cycles;
    core.ahead += cycles;
    core.nestedSize = level;
    core.nestedSlot = slot;
    return (entry >>> PTE_SHIFT) + (gfn & ((1 << (9 * level)) - 1));
  }
  countHits(core, hits);
  core.walkNested += cycles;
  core.ahead += cycles;
  core.faultFrame = gfn;
  return -1;
}

/** Host frame of a guest table frame: nested TLB, else nested walk; -1 if the nested table lacks it. */
function tableFrame(core: Core, gfn: number): number {
  const h = H;
  const counters = core.counters;
  const tag = core.asid;
  if (core.ntlbSentinel !== 0) {
    const hit = find(core.ntlbHeads, core.ntlbShift, gfn, tag);
    if (hit !== 0) {
      touch(hit, core.ntlbSentinel);
      h[counters + K.nested_tlb_hits] = h[counters + K.nested_tlb_hits]! + 1;
      core.walkNested += core.ntlbCycles;
      core.ahead += core.ntlbCycles;
      return h[hit + FRAME]!;
    }
  }
  h[counters + K.nested_tlb_misses] = h[counters + K.nested_tlb_misses]! + 1;
  const frame = nestedWalk(core, gfn);
  if (frame >= 0 && core.ntlbSentinel !== 0) {
    const entry = replace(core.ntlbHeads, core.ntlbShift, core.ntlbSentinel, gfn, tag);
    h[entry + FRAME] = frame;
  }
  return frame;
}

/** Walks the guest table at `core.root` through the nested table at `core.nestedRoot`. */
export function walk2d(core: Core, vpn: number, write: number): Fault {
  const h = H;
  const tables = core.tables;
  const entries = tables.entries;
  const pwcHeads = core.pwcHeads;
  const pwcShift = core.pwcShift;
  const pwcSentinel = core.pwcSentinel;
  const tag = core.asid;
  let hits = 0;
  let cycles = core.walkOverhead;
  let node = core.root;
  let level = 3;
  for (;;) {
    const frame = tableFrame(core, tables.frame[node]!);
    if (frame < 0) return stop2d(core, cycles, hits, NESTED_FAULT);
    const slot = (node << 9) | ((vpn >>> (9 * level)) & 511);
    const entry = entries[slot]!;
    if (level > 0 && (entry & Pte.Large) === 0) {
      const hit = pwcSentinel === 0 ? 0 : find(pwcHeads, pwcShift, slot, tag);
      if (hit !== 0) {
        touch(hit, pwcSentinel);
        hits = (hits + 1) | 0;
        cycles += core.pwcCycles;
      } else {
        cycles += upperMiss(core, slot, frame, 0, entry);
      }
      if ((entry & Pte.Present) === 0) {
        core.faultLevel = level + 1;
        core.walkSlot = slot;
        return stop2d(core, cycles, hits, TABLE_FAULT);
      }
      node = entry >>> PTE_SHIFT;
      level--;
      continue;
    }
    const reads = core.counters + K.walk_reads_guest;
    h[reads] = h[reads]! + 1;
    cycles += readTableLine(core, frame, (slot & 511) >> 3);
    if ((entry & Pte.Present) === 0 || (write !== 0 && (entry & Pte.Writable) === 0)) {
      core.faultLevel = level + 1;
      core.walkSlot = slot;
      return stop2d(core, cycles, hits, TABLE_FAULT);
    }
    const marked = entry | Pte.Accessed | (write !== 0 ? Pte.Dirty : 0);
    if (marked !== entry) entries[slot] = marked;
    const gfn = (entry >>> PTE_SHIFT) + (vpn & ((1 << (9 * level)) - 1));
    const hfn = nestedWalk(core, gfn);
    if (hfn < 0) return stop2d(core, cycles, hits, NESTED_FAULT);
    countHits(core, hits);
    core.walkGuest += cycles;
    core.ahead += cycles;
    core.walkFlags = marked;
    // The entry is the smaller of the two pages (splintering).
    const nestedSize = core.nestedSize;
    if (level <= nestedSize) {
      core.walkSize = level;
      core.walkSlot = slot;
    } else {
      core.walkSize = nestedSize;
      core.walkSlot = core.nestedSlot;
    }
    core.walkFrame = hfn - (vpn & ((1 << (9 * core.walkSize)) - 1));
    return NO_FAULT;
  }
}

function stop2d(core: Core, cycles: number, hits: number, fault: Fault): Fault {
  countHits(core, hits);
  core.walkGuest += cycles;
  core.ahead += cycles;
  return fault;
}

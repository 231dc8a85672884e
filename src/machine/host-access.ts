import { readHostLine } from './caches.ts';
import { type Core, SIDE_D, SIDE_I } from './core.ts';
import {
  FLAGS,
  FRAME,
  firstArray,
  HEADS,
  IN_L1,
  IN_L2,
  OWNER_SHIFT,
  SECOND_LEVEL,
  SEQ,
  SETS,
  SLOT,
  TAG,
  USED,
} from './entries.ts';
import { find } from './hash.ts';
import {
  dramCycles,
  IN_L1 as LINE_IN_L1,
  IN_L2 as LINE_IN_L2,
  IN_L3 as LINE_IN_L3,
} from './last-level.ts';
import { PTE_SHIFT, Pte } from './page-tables.ts';
import { accessL1 } from './private-caches.ts';
import { create, drop, touch } from './tlb.ts';
import { admit, touchInL2 } from './translate.ts';
import { discard, replaceOldest } from './walk-cache.ts';

/**
 * HOT. What the hypervisor itself does to a core between an exit and the entry after it: it
 * translates its own pages under ASID 0, walks its own tables, and fetches, loads and stores lines.
 * Entries and lines compete with those of the guests, and what they evict counts as evicted by the
 * host. Each function returns cycles; letting them pass, and charging them, is up to the caller.
 * Counters of guests stay untouched.
 *
 * Between `beginHost` and `endHost` the core acts for the host.
 */

const { Large: LARGE } = Pte;

/** The core acts for the host: it evicts as such. Returns what `endHost` needs. */
export function beginHost(core: Core): number {
  const { vm } = core;
  core.vm = -1;
  core.caches.ahead = core.ahead;
  return vm;
}

export function endHost(core: Core, vm: number): void {
  core.vm = vm;
}

/**
 * Translates a page of the host, of `size` (0 = 4K, 1 = 2M), through its tables at `root`, which
 * must map it. `flags` (Pte.Global or 0) says whether a change of the host's CR3 leaves it alone.
 */
export function translateHost(
  core: Core,
  root: number,
  vpn: number,
  size: number,
  side: number,
  flags: number,
): number {
  const setsOf = SETS;
  const flagsOf = FLAGS;
  const first = firstArray(core.arrays, side);
  // A side without entries of this size holds a smaller piece of the page.
  let held = size;
  while (held > 0 && setsOf[(first + held) | 0] === 0) held--;
  const key = held === 0 ? vpn | 0 : vpn >>> 9;
  const { tlb } = core;
  const found = find(HEADS[first]!, core.tlbShift, key, held);
  if (found !== 0) {
    if ((flagsOf[found]! & IN_L1) !== 0) {
      touch(found);
      return 0;
    }
    touchInL2(core, first, found);
    admit(core, IN_L1, side, found);
    return tlb.l2HitCycles;
  }
  const cycles = walkHost(core, root, vpn);
  const entry = create(first, core.tlbShift, key, held);
  FRAME[entry] = 0;
  flagsOf[entry] = HOST_RIGHTS | flags | (core.loss.vcpuCount << OWNER_SHIFT);
  SLOT[entry] = 0;
  SEQ[entry] = -1;
  if (tlb.victimFill === 0 && setsOf[(first + SECOND_LEVEL + held) | 0] !== 0) {
    admit(core, IN_L2, side, entry);
  }
  admit(core, IN_L1, side, entry);
  return cycles;
}

const HOST_RIGHTS = Pte.Present | Pte.Writable | Pte.Dirty;

/** A walk of the host's own tables: upper entries from the page-walk cache, the rest is read. */
const walkHost = (core: Core, root: number, page: number): number => {
  const { walker, tables } = core;
  const uses = USED;
  const { entries, frame } = tables;
  let now = walker.clock;
  let cycles = walker.overhead;
  let node = root;
  for (let low = 27; ; low = (low - 9) | 0) {
    const slot = (node << 9) | ((page >>> low) & 511);
    const entry = entries[slot]!;
    const leaf = low === 0 || (entry & LARGE) !== 0;
    const hit = leaf ? 0 : find(walker.pwcHeads, walker.pwcShift, slot, HOST_ASID);
    if (hit !== 0) {
      now = (now + 1) | 0;
      uses[hit] = now;
      cycles += walker.pwcCycles;
    } else {
      if (!leaf && walker.pwc.first !== 0) {
        now = (now + 1) | 0;
        walker.version = (walker.version + 1) | 0;
        replaceOldest(walker.pwc, slot, HOST_ASID, 0, now);
      }
      cycles += readTable(core, frame[node]!, (slot & 511) >> 3);
    }
    if (leaf) break;
    node = entry >>> PTE_SHIFT;
  }
  walker.clock = now;
  return cycles;
};

const HOST_ASID = 0;

/**
 * A change of the host's CR3: translations of ASID 0 go, global ones only with `all` (CR4.PGE off
 * and on, as Xen does it), and what the page-walk cache holds of them.
 */
export function flushHost(core: Core, all: boolean): void {
  const keep = all ? 0 : Pte.Global;
  for (let side = SIDE_I; side <= SIDE_D; side++) {
    const place = core.tlb.sides[side]!;
    for (let e = place.first; e < place.end; e++) {
      const tag = TAG[e]!;
      if (tag === -1 || tag >> 2 !== HOST_ASID || (FLAGS[e]! & keep) !== 0) continue;
      drop(place, e);
    }
  }
  const { walker } = core;
  walker.version = (walker.version + 1) | 0;
  for (let e = walker.pwc.first; e < walker.pwc.end; e++) {
    if (TAG[e] === HOST_ASID) discard(walker.pwc, e);
  }
}

/**
 * Brings a line into an L1 for the host; returns what the core waits for it, of which `exposedQ8`
 * / 256 is not hidden, and the time in the queue of its node in full.
 */
const lineForHost = (
  core: Core,
  fetch: boolean,
  frame: number,
  line: number,
  write: number,
  exposedQ8: number,
): number => {
  const { caches } = core;
  const l1 = fetch ? caches.l1i : caches.l1d;
  const other = fetch ? caches.l1d : caches.l1i;
  const level = accessL1(core, l1, other, frame, line, write);
  if (level === LINE_IN_L1) return 0;
  let cycles: number;
  if (level === LINE_IN_L2) cycles = ((caches.l2Cycles - caches.l1dCycles) * exposedQ8) >> 8;
  else if (level === LINE_IN_L3) cycles = (caches.l3Cycles * exposedQ8) >> 8;
  else cycles = ((dramCycles(caches, frame) * exposedQ8) >> 8) + caches.waited;
  caches.ahead = (caches.ahead + cycles) | 0;
  return cycles;
};

/** Fetches `lines` of a page in a row: the first stalls in full, the others are prefetched. */
export function fetchHost(core: Core, frame: number, line: number, lines: number): number {
  const { caches } = core;
  if (caches.dataOn === 0) return 0;
  const inRowQ8 = Math.floor((256 * caches.sequentialPermille) / 1000);
  let cycles = lineForHost(core, true, frame, line & 63, 0, 256);
  const end = line + lines;
  for (let at = line + 1; at < end; at++) {
    cycles += lineForHost(core, true, frame, at & 63, 0, inRowQ8);
  }
  return cycles;
}

/**
 * Loads or stores (`write` = 1) `lines` of a page from `line` on, wrapping inside it; `exposedQ8`
 * is the share of a stall that nothing hides, in 1/256.
 */
export function touchHost(
  core: Core,
  frame: number,
  line: number,
  lines: number,
  write: number,
  exposedQ8: number,
): number {
  if (core.caches.dataOn === 0) return 0;
  let cycles = 0;
  const end = line + lines;
  for (let at = line; at < end; at++) {
    cycles += lineForHost(core, false, frame, at & 63, write, exposedQ8);
  }
  return cycles;
}

/** Reads a line of the host's tables for the walker. */
const readTable = (core: Core, frame: number, line: number): number => {
  const { caches } = core;
  const ahead = caches.ahead;
  const cycles = readHostLine(core, frame, line);
  caches.ahead = (ahead + cycles) | 0;
  return cycles;
};

import type { Cause } from '../stats/leaves.ts';
import { type Core, SIDE_I } from './core.ts';
import {
  ARRAYS,
  FLAGS,
  firstArray,
  KEY,
  LARGE,
  RESIDENT,
  SECOND_LEVEL,
  SLOT,
  TAG,
} from './entries.ts';
import { find } from './hash.ts';
import { Pte } from './page-tables.ts';
import { drop } from './tlb.ts';
import { reset } from './tlb-build.ts';
import { discard, emptyWalkCache, type WalkCache } from './walk-cache.ts';

/**
 * Flushes of a core's TLBs and walk caches. Each says why it happens, and which vCPUs' loss records
 * it ends (loss.ts).
 */
/** An ASID without the address-space number above it. */
const ASID_MASK = 0xffff;
/** The ASID in the tag of a TLB entry. */
const TAG_MASK = ASID_MASK << 2;

/**
 * How many entries of a page size the TLBs of a side hold; one held by both levels counts twice.
 */
function held(core: Core, side: number, size: number): number {
  const a = firstArray(core.arrays, side) + size;
  return RESIDENT[a]! + RESIDENT[a + SECOND_LEVEL]!;
}

const holdsAny = (core: Core, side: number): boolean =>
  held(core, side, 0) + held(core, side, 1) + held(core, side, 2) > 0;

/** What the TLBs of a side hold for a page under the current tag, or 0. */
function findPage(core: Core, side: number, vpn: number, size: number): number {
  if (held(core, side, size) === 0) return 0;
  const { heads, shift } = core.tlb.sides[side]!;
  return find(heads, shift, vpn >>> (9 * size), (core.asid << 2) | size);
}

/**
 * TLB_CONTROL 1: everything goes, all ASIDs, host and global entries included. `cause` is recorded
 * for all vCPUs but `vcpu`, which may have lost its translations for another reason.
 */
export function flushAll(core: Core, cause: Cause, vcpu: number, own: Cause): void {
  core.flushes++;
  core.loss.end(vcpu, 0, own);
  core.loss.end(vcpu, 1, own);
  for (let side = 0; side < 2; side++) if (holdsAny(core, side)) reset(core.tlb.sides[side]!);
  RESIDENT.fill(0, core.arrays, core.arrays + ARRAYS);
  LARGE.fill(0, core.arrays, core.arrays + ARRAYS);
  const { walker } = core;
  walker.version = (walker.version + 1) | 0;
  emptyWalkCache(walker.pwc);
  emptyWalkCache(walker.ntlb);
  for (let other = 0; other < core.loss.vcpuCount; other++) {
    core.loss.end(other, 0, cause);
    core.loss.end(other, 1, cause);
  }
}

/**
 * `vcpu` got a fresh tag: its old entries stay, unreachable, and compete until they are replaced.
 */
export function abandon(core: Core, vcpu: number, cause: Cause): void {
  core.flushes++;
  core.loss.end(vcpu, 0, cause);
  core.loss.end(vcpu, 1, cause);
}

/**
 * Drops the entries of one ASID, whatever their address space; with `keepGlobal` its global entries
 * stay (a guest CR3 write).
 */
export function flushAsid(
  core: Core,
  asid: number,
  vcpu: number,
  keepGlobal: boolean,
  cause: Cause,
): void {
  core.flushes++;
  const keep = keepGlobal ? Pte.Global : 0;
  const tag = (asid & ASID_MASK) << 2;
  for (let side = 0; side < 2; side++) {
    if (!holdsAny(core, side)) continue;
    const { first, end } = core.tlb.sides[side]!;
    for (let e = first; e < end; e++) {
      const own = TAG[e]!;
      if (own === -1 || (own & TAG_MASK) !== tag) continue;
      if ((FLAGS[e]! & keep) === 0) drop(core.tlb.sides[side]!, e);
    }
  }
  flushWalkCache(core, core.walker.pwc, asid);
  if (!keepGlobal) flushWalkCache(core, core.walker.ntlb, asid);
  core.loss.end(vcpu, 0, cause);
  if (!keepGlobal) core.loss.end(vcpu, 1, cause);
}

/**
 * The page-walk cache is emptied at every TLB flush of its ASID (Bhargava et al. 2008), the nested
 * TLB when the hypervisor has the ASID flushed: no guest can change what that holds.
 */
function flushWalkCache(core: Core, cache: WalkCache, asid: number): void {
  const { walker } = core;
  walker.version = (walker.version + 1) | 0;
  for (let e = cache.first; e < cache.end; e++) {
    const held = TAG[e]!;
    if (held !== -1 && ((held ^ asid) & ASID_MASK) === 0) discard(cache, e);
  }
}

/** INVLPG for the current ASID: the page goes from both sides and levels, global or not. */
export function invalidatePage(core: Core, vpn: number, cause: Cause): void {
  for (let side = 0; side < 2; side++) {
    for (let size = 0; size < 3; size++) {
      const e = findPage(core, side, vpn, size);
      if (e !== 0) invalidate(core, side, e, cause);
    }
  }
  flushWalkCache(core, core.walker.pwc, core.asid);
}

/** INVLPG of every page of a range, in one pass over the TLBs. */
export function invalidateRange(core: Core, start: number, pages: number, cause: Cause): void {
  const last = start + pages;
  for (let side = 0; side < 2; side++) {
    if (!holdsAny(core, side)) continue;
    const { first, end } = core.tlb.sides[side]!;
    for (let e = first; e < end; e++) {
      const tag = TAG[e]!;
      if (tag === -1 || (tag & ~3) !== core.asid << 2) continue;
      const span = 512 ** (tag & 3);
      const vpn = KEY[e]! * span;
      if (vpn < last && vpn + span > start) invalidate(core, side, e, cause);
    }
  }
  flushWalkCache(core, core.walker.pwc, core.asid);
}

/** Drops one entry and records why, unless a flush came first. */
function invalidate(core: Core, side: number, e: number, cause: Cause): void {
  const { loss } = core;
  if (loss.isLive(e)) (side === SIDE_I ? loss.instructions : loss.data)[SLOT[e]!] = -cause;
  drop(core.tlb.sides[side]!, e);
}

/**
 * Drops one translation wherever this ASID holds it: a fault discards it, and it is usually
 * replaced at once. Returns its leaf slot, 0 if it was not held. The caller records what became of
 * it.
 */
export function forget(core: Core, vpn: number): number {
  let slot = 0;
  for (let side = 0; side < 2; side++) {
    for (let size = 0; size < 3; size++) {
      const e = findPage(core, side, vpn, size);
      if (e === 0) continue;
      slot = SLOT[e]!;
      drop(core.tlb.sides[side]!, e);
    }
  }
  return slot;
}

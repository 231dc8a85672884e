import type { Cause } from '../stats/leaves.ts';
import { type Core, SIDE_I } from './core.ts';
import { ARRAYS, FLAGS, KEY, LARGE, RESIDENT, SLOT, TAG } from './entries.ts';
import { find } from './hash.ts';
import { endSequence, isLive } from './loss.ts';
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
  const first = core.arrays + side * 3 + size;
  return RESIDENT[first]! + RESIDENT[first + 6]!;
}

const holdsAny = (core: Core, side: number): boolean =>
  held(core, side, 0) + held(core, side, 1) + held(core, side, 2) > 0;

/** What the TLBs of a side hold for a page under the current tag, or 0. */
function findPage(core: Core, side: number, vpn: number, size: number): number {
  if (held(core, side, size) === 0) return 0;
  const { heads, shift } = core.tlbs[side]!;
  return find(heads, shift, vpn >>> (9 * size), (core.asid << 2) | size);
}

/**
 * TLB_CONTROL 1: everything goes, all ASIDs, host and global entries included. `cause` is recorded
 * for all vCPUs but `vcpu`, which may have lost its translations for another reason.
 */
export function flushAll(core: Core, cause: Cause, vcpu: number, own: Cause): void {
  core.flushes++;
  endSequence(core, vcpu, 0, own);
  endSequence(core, vcpu, 1, own);
  for (let side = 0; side < 2; side++) if (holdsAny(core, side)) reset(core.tlbs[side]!);
  RESIDENT.fill(0, core.arrays, core.arrays + ARRAYS);
  LARGE.fill(0, core.arrays, core.arrays + ARRAYS);
  core.walkVersion = (core.walkVersion + 1) | 0;
  emptyWalkCache(core.pwc);
  emptyWalkCache(core.ntlb);
  for (let other = 0; other < core.vcpuCount; other++) {
    endSequence(core, other, 0, cause);
    endSequence(core, other, 1, cause);
  }
}

/**
 * `vcpu` got a fresh tag: its old entries stay, unreachable, and compete until they are replaced.
 */
export function abandon(core: Core, vcpu: number, cause: Cause): void {
  core.flushes++;
  endSequence(core, vcpu, 0, cause);
  endSequence(core, vcpu, 1, cause);
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
    const { first, end } = core.tlbs[side]!;
    for (let e = first; e < end; e++) {
      const own = TAG[e]!;
      if (own === -1 || (own & TAG_MASK) !== tag) continue;
      if ((FLAGS[e]! & keep) === 0) drop(core.tlbs[side]!, e);
    }
  }
  flushWalkCache(core, core.pwc, asid);
  if (!keepGlobal) flushWalkCache(core, core.ntlb, asid);
  endSequence(core, vcpu, 0, cause);
  if (!keepGlobal) endSequence(core, vcpu, 1, cause);
}

/**
 * The page-walk cache is emptied at every TLB flush of its ASID (Bhargava et al. 2008), the nested
 * TLB when the hypervisor has the ASID flushed: no guest can change what that holds.
 */
function flushWalkCache(core: Core, cache: WalkCache, asid: number): void {
  core.walkVersion = (core.walkVersion + 1) | 0;
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
  flushWalkCache(core, core.pwc, core.asid);
}

/** INVLPG of every page of a range, in one pass over the TLBs. */
export function invalidateRange(core: Core, start: number, pages: number, cause: Cause): void {
  const last = start + pages;
  for (let side = 0; side < 2; side++) {
    if (!holdsAny(core, side)) continue;
    const { first, end } = core.tlbs[side]!;
    for (let e = first; e < end; e++) {
      const tag = TAG[e]!;
      if (tag === -1 || (tag & ~3) !== core.asid << 2) continue;
      const span = 512 ** (tag & 3);
      const vpn = KEY[e]! * span;
      if (vpn < last && vpn + span > start) invalidate(core, side, e, cause);
    }
  }
  flushWalkCache(core, core.pwc, core.asid);
}

/** Drops one entry and records why, unless a flush came first. */
function invalidate(core: Core, side: number, e: number, cause: Cause): void {
  if (isLive(core, e)) (side === SIDE_I ? core.lossI : core.lossD)[SLOT[e]!] = -cause;
  drop(core.tlbs[side]!, e);
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
      drop(core.tlbs[side]!, e);
    }
  }
  return slot;
}

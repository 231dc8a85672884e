import type { Cause } from '../stats/leaves.ts';
import { drop, find, reset } from './assoc.ts';
import type { Core } from './core.ts';
import { FLAGS, SEQ, SLOT, TAG, WORDS } from './entry.ts';
import { heap } from './heap.ts';
import { Pte } from './page-tables.ts';
import { discard, emptyWalkCache, WALK_WORDS } from './walk-cache.ts';

/** Flushes of a core's TLBs and walk caches. Each says why, and which vCPUs' loss records it ends (core.ts). */
const H = heap;

/** An ASID without the address-space number above it. */
const ASID_MASK = 0xffff;
/** The tag of a TLB entry without its address-space number: ASID and page size. */
const TAG_MASK = (ASID_MASK << 2) | 3;

/**
 * TLB_CONTROL 1: everything goes, all ASIDs, host and global entries included. `cause` holds for all vCPUs but
 * `vcpu`, which may have lost its translations for a reason of its own.
 */
export function flushAll(core: Core, cause: Cause, vcpu: number, own: Cause): void {
  core.flushes++;
  core.endSequence(vcpu, 0, own);
  core.endSequence(vcpu, 1, own);
  for (let a = 0; a < 12; a++) {
    if (H[core.resident + a] === 0) continue;
    const assoc = core.assoc[a]!;
    reset(assoc);
    for (let b = a; b < 12; b++) if (core.assoc[b] === assoc) H[core.resident + b] = 0;
  }
  emptyWalkCache(core.pwc);
  emptyWalkCache(core.ntlb);
  for (let other = 0; other < core.vcpuCount; other++) {
    core.endSequence(other, 0, cause);
    core.endSequence(other, 1, cause);
  }
}

/** `vcpu` got a fresh tag: its old entries stay, unreachable, and compete until they are replaced. */
export function abandon(core: Core, vcpu: number, cause: Cause): void {
  core.flushes++;
  core.endSequence(vcpu, 0, cause);
  core.endSequence(vcpu, 1, cause);
}

/** Drops the entries of one ASID, whatever their address space; with `keepGlobal` its global entries stay (a guest CR3 write). */
export function flushAsid(
  core: Core,
  asid: number,
  vcpu: number,
  keepGlobal: boolean,
  cause: Cause,
): void {
  core.flushes++;
  const keep = keepGlobal ? Pte.Global : 0;
  for (let a = 0; a < 12; a++) {
    if (H[core.resident + a] === 0) continue;
    const assoc = core.assoc[a]!;
    const size = a % 3;
    const tag = ((asid & ASID_MASK) << 2) | size;
    const end = assoc.first + assoc.entries * WORDS;
    for (let e = assoc.first; e < end; e += WORDS) {
      const held = H[e + TAG]!;
      if (held === -1 || (held & TAG_MASK) !== tag) continue;
      if ((H[e + FLAGS]! & keep) === 0) {
        drop(assoc, e);
        H[core.resident + a] = H[core.resident + a]! - 1;
      }
    }
  }
  flushWalkCache(core, asid);
  core.endSequence(vcpu, 0, cause);
  if (!keepGlobal) core.endSequence(vcpu, 1, cause);
}

/** The page-walk cache is emptied at every TLB flush of its ASID (Bhargava et al. 2008). */
function flushWalkCache(core: Core, asid: number): void {
  const { pwc } = core;
  for (let e = pwc.first; e < pwc.end; e += WALK_WORDS) {
    const held = H[e + TAG]!;
    if (held !== -1 && ((held ^ asid) & ASID_MASK) === 0) discard(pwc, e);
  }
}

/** INVLPG for the current ASID: the page goes from both sides and levels, global or not. */
export function invalidatePage(core: Core, vpn: number, cause: Cause): void {
  for (let a = 0; a < 12; a++) {
    if (H[core.resident + a] === 0) continue;
    const assoc = core.assoc[a]!;
    const size = a % 3;
    const e = find(assoc.heads, assoc.shift, vpn >>> (9 * size), (core.asid << 2) | size);
    if (e !== 0) invalidate(core, a, e, cause);
  }
  flushWalkCache(core, core.asid);
}

/** INVLPG of every page of a range, in one pass over the TLBs. */
export function invalidateRange(core: Core, start: number, pages: number, cause: Cause): void {
  const last = start + pages;
  for (let a = 0; a < 12; a++) {
    if (H[core.resident + a] === 0) continue;
    const assoc = core.assoc[a]!;
    const size = a % 3;
    const span = 512 ** size;
    const tag = (core.asid << 2) | size;
    const end = assoc.first + assoc.entries * WORDS;
    for (let e = assoc.first; e < end; e += WORDS) {
      if (H[e + TAG] !== tag) continue;
      const vpn = H[e]! * span;
      if (vpn < last && vpn + span > start) invalidate(core, a, e, cause);
    }
  }
  flushWalkCache(core, core.asid);
}

/** Drops one entry of the current vCPU and records why. */
function invalidate(core: Core, a: number, e: number, cause: Cause): void {
  const global = (H[e + FLAGS]! & Pte.Global) !== 0 ? 1 : 0;
  if (H[core.seqs + core.vcpu * 2 + global] === H[e + SEQ]) {
    (a % 6 < 3 ? core.lossI : core.lossD)[H[e + SLOT]!] = -cause;
  }
  core.remove(a, e);
}

/**
 * Drops one translation wherever this ASID holds it: a fault on it discards it, and usually it is replaced at
 * once. Returns its leaf slot, 0 if it was not held; what became of it is for the caller to record.
 */
export function forget(core: Core, vpn: number): number {
  let slot = 0;
  for (let a = 0; a < 12; a++) {
    if (H[core.resident + a] === 0) continue;
    const assoc = core.assoc[a]!;
    const size = a % 3;
    const e = find(assoc.heads, assoc.shift, vpn >>> (9 * size), (core.asid << 2) | size);
    if (e === 0) continue;
    slot = H[e + SLOT]!;
    drop(assoc, e);
    H[core.resident + a] = H[core.resident + a]! - 1;
  }
  return slot;
}

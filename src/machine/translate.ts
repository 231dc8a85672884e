import { Cause, Leaf } from '../stats/leaves.ts';
import { type Core, SIDE_I, Verdict } from './core.ts';
import { K } from './counters.ts';
import {
  arrayOf,
  FLAGS,
  FRAME,
  firstArray,
  HEADS,
  IN_L1,
  IN_L2,
  IN_ROWS,
  KEY,
  LARGE,
  LINES,
  LINK,
  OWNER_SHIFT,
  RESIDENT,
  SECOND_LEVEL,
  SEQ,
  SET_MASK,
  SETS,
  SLOT,
  TAG,
} from './entries.ts';
import { Fault } from './fault.ts';
import { forget } from './flush.ts';
import { find } from './hash.ts';
import { heap } from './heap.ts';
import { Pte, STORE_OK } from './page-tables.ts';
import { linesOf } from './private-caches.ts';
import { create, destroy, putInList, putInRow, removeFrom, toFront, touch } from './tlb.ts';
import { walk1d, walk2d } from './walk.ts';

/**
 * HOT. What happens after the 4K look-up in the L1 TLB failed or found an entry without the right
 * to store: larger sizes in the L1, the L2, the walk, the fill, and the record of why the
 * translation was missing.
 */
const { Global: GLOBAL } = Pte;

/** Distance between the counters of the two sides. */
const APART = K.l2d_hits - K.l2i_hits;

/** Of a page to be walked for: found without the right to store; misses; hits. */
const NEEDS_RIGHT = 1;
const L1_MISSED = 2;
const L2_HIT = 4;

/** Records that a translation was evicted, and by whom, if it was live. */
const recordEviction = (core: Core, side: number, entry: number): void => {
  const { loss } = core;
  const flagsOf = FLAGS;
  const slots = SLOT;
  const seqs = SEQ;
  const h = heap;
  const flags = flagsOf[entry]!;
  const owner = flags >>> OWNER_SHIFT;
  const open = (loss.sequences + (owner << 1) + ((flags & GLOBAL) >> 4)) | 0;
  if (h[open] !== seqs[entry]) return;
  const vm = loss.vmOf[owner]!;
  const { evictions } = core;
  if (evictions.tlb !== 0) {
    const at = evictions.tlb + (vm + 1) * evictions.rows + core.vm + 1;
    h[at] = h[at]! + 1;
  }
  const cause = vm === core.vm ? Cause.Capacity : Cause.Interference;
  (side === SIDE_I ? loss.instructions : loss.data)[slots[entry]!] = -cause;
};

/** Puts a translation into a level of a side, as the most recent of its set. */
export const admit = (core: Core, level: number, side: number, entry: number): void => {
  const keys = KEY;
  const tags = TAG;
  const flagsOf = FLAGS;
  const setsOf = SETS;
  const masks = SET_MASK;
  const inRows = IN_ROWS;
  const links = LINK;
  const residents = RESIDENT;
  const larges = LARGE;
  const first = firstArray(core.arrays, side);
  const size = tags[entry]! & 3;
  const a = arrayOf(first, level, size);
  const set = (setsOf[a]! + (keys[entry]! & masks[a]!)) | 0;
  flagsOf[entry] = flagsOf[entry]! | level;
  let victim: number;
  if (inRows[a] !== 0) victim = putInRow(set, entry);
  else {
    const link = links[a]!;
    victim = putInList(set, (entry + link) | 0);
    if (victim !== 0) victim = (victim - link) | 0;
  }
  if (victim === 0) {
    residents[a] = residents[a]! + 1;
    if (size !== 0) larges[first] = larges[first]! + 1;
    return;
  }
  const flags = flagsOf[victim]! & ~level;
  flagsOf[victim] = flags;
  // Usually the victim has the same page size, and the numbers of resident entries stay the same.
  const other = tags[victim]! & 3;
  if (other !== size) {
    const b = a - size + other;
    residents[a] = residents[a]! + 1;
    residents[b] = residents[b]! - 1;
    larges[first] = larges[first]! + (size !== 0 ? 1 : 0) - (other !== 0 ? 1 : 0);
  }
  // Lost when the L2 evicts it, even if the L1 keeps it, or when the L1 does and there is no L2.
  const last = level === IN_L2 || setsOf[(first + SECOND_LEVEL + other) | 0] === 0;
  if (last) recordEviction(core, side, victim);
  if ((flags & (IN_L1 | IN_L2)) !== 0) return;
  if (!last && core.tlb.victimFill !== 0) admit(core, IN_L2, side, victim);
  else destroy(first, core.tlbShift, victim);
};

/** The entry above 4K for this page in a level, or 0. */
const findLarge = (core: Core, level: number, first: number, vpn: number): number => {
  const flagsOf = FLAGS;
  const residents = RESIDENT;
  const headsOf = HEADS;
  const of = arrayOf(first, level, 0);
  for (let size = 1; size < 3; size++) {
    if (residents[of + size] === 0) continue;
    const tag = (core.asid << 2) | size;
    const entry = find(headsOf[first]!, core.tlbShift, vpn >>> (9 * size), tag);
    if (entry !== 0 && (flagsOf[entry]! & level) !== 0) return entry;
  }
  return 0;
};

/**
 * Translates one visit that the 4K look-up could not serve. `held` is the 4K entry of the page,
 * which lacks the right to store or is in the L2 only, or 0. Returns the entry, now in the L1, 0
 * when the guest kernel must handle a fault, or -1 when the hypervisor has emulated the access.
 * Time passes in `core.ahead`; leaves and counters are charged here.
 */
export function translate(
  core: Core,
  vpn: number,
  side: number,
  write: number,
  held: number,
): number {
  const flagsOf = FLAGS;
  const larges = LARGE;
  const h = heap;
  if (held !== 0 && (flagsOf[held]! & IN_L1) !== 0) {
    return walkAndFill(core, vpn, side, write, NEEDS_RIGHT);
  }
  const first = firstArray(core.arrays, side);
  const right = Math.imul(write | 0, STORE_OK);
  if (larges[first] !== 0) {
    const entry = findLarge(core, IN_L1, first, vpn);
    if (entry !== 0) {
      touch(entry);
      if ((flagsOf[entry]! & right) === right) return entry;
      return walkAndFill(core, vpn, side, write, NEEDS_RIGHT);
    }
  }
  let entry = held | 0;
  if (entry === 0) {
    if (larges[first] !== 0) entry = findLarge(core, IN_L2, first, vpn);
    if (entry === 0) return walkAndFill(core, vpn, side, write, L1_MISSED);
  }
  const leaf = core.pending + Leaf.TlbL2Hit;
  h[leaf] = h[leaf]! + core.tlb.l2HitCycles;
  core.ahead += core.tlb.l2HitCycles;
  if ((flagsOf[entry]! & right) !== right) {
    return walkAndFill(core, vpn, side, write, NEEDS_RIGHT | L1_MISSED | L2_HIT);
  }
  const hits = (core.counters + K.l2i_hits + Math.imul(side | 0, APART)) | 0;
  h[hits] = h[hits]! + 1;
  touchInL2(core, first, entry);
  admit(core, IN_L1, side, entry);
  return entry;
}

/** An L2 entry was hit: it becomes the most recent of its set, or moves up to the L1. */
export const touchInL2 = (core: Core, first: number, entry: number): void => {
  const keys = KEY;
  const tags = TAG;
  const setsOf = SETS;
  const masks = SET_MASK;
  const inRows = IN_ROWS;
  const links = LINK;
  const a = (first + SECOND_LEVEL + (tags[entry]! & 3)) | 0;
  if (core.tlb.victimFill !== 0) removeFrom(IN_L2, first, entry);
  else if (inRows[a] !== 0) toFront((setsOf[a]! + (keys[entry]! & masks[a]!)) | 0, entry);
  else touch((entry + links[a]!) | 0);
};

/** Walks until the page is mapped, and fills the TLBs. Returns what `translate` does. */
const walkAndFill = (
  core: Core,
  vpn: number,
  side: number,
  write: number,
  known: number,
): number => {
  const { walker, loss } = core;
  const flagsOf = FLAGS;
  const frames = FRAME;
  const slots = SLOT;
  const seqs = SEQ;
  const setsOf = SETS;
  const h = heap;
  const needsRight = (known & NEEDS_RIGHT) !== 0;
  const dropped = needsRight ? forget(core, vpn) : 0;
  const counters = core.counters;
  for (;;) {
    const guestReads = h[counters + K.walk_reads_guest]!;
    const nestedReads = h[counters + K.walk_reads_nested]!;
    core.caches.ahead = core.ahead;
    const fault = core.nestedOn !== 0 ? walk2d(core, vpn, write) : walk1d(core, vpn, write);
    if (fault === Fault.None) break;
    countFault(core, guestReads, nestedReads);
    // The walk of a page that is not mapped is charged where a miss of the guest itself would be.
    chargeWalk(core, needsRight ? Cause.Dirty : Cause.Cold);
    const verdict = core.port.onWalkFault(core, vpn, write !== 0, fault);
    if (verdict === Verdict.Retry) continue;
    if (dropped !== 0) {
      // The guest will change the entry and flush, or the hypervisor keeps the page protected.
      const cause = verdict === Verdict.GuestFault ? Cause.Invlpg : Cause.Shootdown;
      (side === SIDE_I ? loss.instructions : loss.data)[dropped] = -cause;
    }
    return verdict === Verdict.GuestFault ? 0 : -1;
  }

  const slot = walker.slot;
  if (slot >= loss.data.length) loss.grow();
  const records = side === SIDE_I ? loss.instructions : loss.data;
  const flags = (walker.flags & 0x7f) | (core.vcpu << OWNER_SHIFT);
  const open = (loss.sequences + (core.vcpu << 1) + ((flags & GLOBAL) >> 4)) | 0;
  let sequence = h[open]!;
  if (sequence === 0) sequence = loss.begin(open);
  const record = records[slot]!;
  records[slot] = sequence;

  if (needsRight) {
    chargeWalk(core, Cause.Dirty);
    h[counters + K.dirty_walks] = h[counters + K.dirty_walks]! + 1;
  } else {
    // Never held, held elsewhere still, or lost since.
    const cause = record < 0 ? -record : loss.causeOf[record]!;
    chargeWalk(core, cause);
    const tally = counters + K.walks_cold + cause;
    h[tally] = h[tally]! + 1;
  }
  if ((known & L1_MISSED) !== 0) {
    const hits = (counters + K.l2i_hits + Math.imul(side | 0, APART)) | 0;
    const at = (hits + ((known & L2_HIT) !== 0 ? 0 : 1)) | 0;
    h[at] = h[at]! + 1;
  }

  const first = firstArray(core.arrays, side);
  let size = walker.size;
  let frame = walker.frame;
  // A side without entries of this size holds a smaller piece of the page.
  while (size > 0 && setsOf[(first + size) | 0] === 0) {
    size--;
    frame += vpn & ((1 << (9 * (size + 1))) - 1) & ~((1 << (9 * size)) - 1);
  }
  const entry = create(first, core.tlbShift, vpn >>> Math.imul(9, size), (core.asid << 2) | size);
  frames[entry] = frame;
  LINES[entry] = linesOf(core, side, frame);
  flagsOf[entry] = flags;
  slots[entry] = slot;
  seqs[entry] = sequence;
  if (core.tlb.victimFill === 0 && setsOf[(first + SECOND_LEVEL + size) | 0] !== 0) {
    admit(core, IN_L2, side, entry);
  }
  admit(core, IN_L1, side, entry);
  return entry;
};

/** Books what a walk that faulted has read, beyond the given counts, as reads of such walks. */
const countFault = (core: Core, guestReads: number, nestedReads: number): void => {
  const h = heap;
  const counters = core.counters;
  const guest = counters + K.walk_reads_guest;
  const nested = counters + K.walk_reads_nested;
  const ofFaults = counters + K.fault_walk_reads_guest;
  const nestedOfFaults = counters + K.fault_walk_reads_nested;
  h[ofFaults] = h[ofFaults]! + h[guest]! - guestReads;
  h[nestedOfFaults] = h[nestedOfFaults]! + h[nested]! - nestedReads;
  h[guest] = guestReads;
  h[nested] = nestedReads;
  h[counters + K.fault_walks] = h[counters + K.fault_walks]! + 1;
};

const chargeWalk = (core: Core, cause: number): void => {
  const { walker } = core;
  const h = heap;
  if (core.accounts.anyFree !== 0) refundWalk(core, cause);
  const guest = core.pending + Leaf.WalkGuest + cause;
  h[guest] = h[guest]! + walker.guestCycles;
  const nested = core.pending + Leaf.WalkNested + cause;
  h[nested] = h[nested]! + walker.nestedCycles;
  walker.guestCycles = 0;
  walker.nestedCycles = 0;
};

/** Takes back the time of those parts of a walk that are free of charge in this run. */
const refundWalk = (core: Core, cause: number): void => {
  const { walker } = core;
  const free = core.accounts.freeLeaves;
  if (free[Leaf.WalkGuest + cause] === 1) {
    core.ahead -= walker.guestCycles;
    walker.guestCycles = 0;
  }
  if (free[Leaf.WalkNested + cause] === 1) {
    core.ahead -= walker.nestedCycles;
    walker.nestedCycles = 0;
  }
};

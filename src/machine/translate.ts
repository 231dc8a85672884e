import { Cause as Cause_, Leaf as Leaf_ } from '../stats/leaves.ts';
import { find as find_, replace as replace_, touch as touch_ } from './assoc.ts';
import { readHostLine } from './caches.ts';
import { type Core, SIDE_I as SIDE_I_, Verdict as Verdict_ } from './core.ts';
import { K as K_ } from './counters.ts';
import {
  BELOW as BELOW_,
  CFG as CFG_,
  FLAGS as FLAGS_,
  FRAME as FRAME_,
  PREV as PREV_,
  RESIDENT as RESIDENT_,
  SEQ as SEQ_,
  SIDE as SIDE_,
  SLOT as SLOT_,
  TAG as TAG_,
  WORDS as WORDS_,
} from './entry.ts';
import { forget } from './flush.ts';
import { heap } from './heap.ts';
import { Pte as Pte_, STORE_OK as STORE_OK_ } from './page-tables.ts';
import { Fault as Fault_, walk1d as walk1d_, walk2d as walk2d_ } from './walk.ts';

/**
 * HOT. What happens after the 4K look-up in the L1 TLB failed or found an entry without the right to
 * store: larger sizes in the L1, the L2, the walk, the fill, and the record of why the translation was
 * missing.
 */
const H = heap;
// Imported constants are bound to module-level ones: the compiler folds those, but loads an imported
// binding at each use (docs/decisions/0003).
const Cause = Cause_;
const Leaf = Leaf_;
const FLAGS = FLAGS_;
const FRAME = FRAME_;
const find = find_;
const PREV = PREV_;
const replace = replace_;
const SEQ = SEQ_;
const SLOT = SLOT_;
const TAG = TAG_;
const touch = touch_;
const WORDS = WORDS_;
const BELOW = BELOW_;
const CFG = CFG_;
const RESIDENT = RESIDENT_;
const SIDE = SIDE_;
const SIDE_I = SIDE_I_;
const Verdict = Verdict_;
const K = K_;
const { Global: GLOBAL } = Pte_;
const HOST_RIGHTS = Pte_.Present | Pte_.Writable | Pte_.Dirty | GLOBAL;
const STORE_OK = STORE_OK_;
const Fault = Fault_;
const walk1d = walk1d_;
const walk2d = walk2d_;

/** Counters of the two sides lie so far apart. */
const APART = K.l1d_misses - K.l1i_misses;

/** What is known of a page that must be walked for: some translation was found, but no right to store; misses, hits. */
const NEEDS_RIGHT = 1;
const L1_MISSED = 2;
const L2_HIT = 4;

/** Records that the last copy of a live translation was evicted, and by whom. */
const lose = (core: Core, side: number, entry: number): void => {
  const h = H;
  const flags = h[(entry + FLAGS) | 0]!;
  const owner = flags >>> 8;
  const sequence = (core.seqs + (owner << 1) + ((flags & GLOBAL) >> 4)) | 0;
  if (h[sequence] !== h[(entry + SEQ) | 0]) return;
  const vm = core.vmOf[owner]!;
  if (core.tlbEvictions !== 0) {
    const at = core.tlbEvictions + (vm + 1) * core.evictionRows + core.vm + 1;
    h[at] = h[at]! + 1;
  }
  const cause = vm === core.vm ? Cause.Capacity : Cause.Interference;
  (side === SIDE_I ? core.lossI : core.lossD)[h[(entry + SLOT) | 0]!] = -cause;
};

/** Copies the translation at `from` into array `a` (level * 6 + side * 3 + size); returns its entry there. */
const admit = (core: Core, a: number, from: number): number => {
  const h = H;
  const cfg = (core.arrays + Math.imul(a | 0, CFG)) | 0;
  const key = h[from]!;
  const tag = h[(from + TAG) | 0]!;
  const sentinel = (h[(cfg + 2) | 0]! + Math.imul(key & h[(cfg + 3) | 0]!, WORDS)) | 0;
  const victim = h[(sentinel + PREV) | 0]!;
  const victimTag = h[(victim + TAG) | 0]!;
  // Mostly a page of the same size goes, and the numbers of resident entries stay.
  if (((victimTag ^ tag) & 3) !== 0 || victimTag === -1) {
    const resident = (core.resident + a) | 0;
    h[resident] = h[resident]! + 1;
    if (victimTag !== -1) {
      const other = (h[(cfg + RESIDENT) | 0]! + (victimTag & 3)) | 0;
      h[other] = h[other]! - 1;
    }
  }
  if (victimTag !== -1) {
    if (((h[(cfg + BELOW) | 0]! >>> (victimTag & 3)) & 1) === 0) {
      lose(core, h[(cfg + SIDE) | 0]!, victim);
    } else if (core.victimFill !== 0) {
      admit(core, (a < 3 ? 6 : 9) + (victimTag & 3), victim);
    }
  }
  const entry = replace(h[cfg]!, h[(cfg + 1) | 0]!, sentinel, key, tag);
  h[(entry + FRAME) | 0] = h[(from + FRAME) | 0]!;
  h[(entry + FLAGS) | 0] = h[(from + FLAGS) | 0]!;
  h[(entry + SLOT) | 0] = h[(from + SLOT) | 0]!;
  h[(entry + SEQ) | 0] = h[(from + SEQ) | 0]!;
  return entry;
};

/** An entry above 4K for this page at a level and side whose first array is `a`, or 0. */
const findLarge = (core: Core, a: number, vpn: number): number => {
  const h = H;
  for (let size = 1; size < 3; size++) {
    if (h[core.resident + a + size] === 0) continue;
    const cfg = (core.arrays + Math.imul(a + size, CFG)) | 0;
    const entry = find(h[cfg]!, h[cfg + 1]!, vpn >>> (9 * size), (core.asid << 2) | size);
    if (entry !== 0) return entry;
  }
  return 0;
};

/**
 * Translates one visit that the 4K look-up could not serve. `held` is the entry found without the right
 * to store, or 0. Returns the L1 entry, 0 when the guest kernel must handle a fault, or -1 when the
 * hypervisor has emulated the access. Time passes in
 * `core.ahead`; leaves and counters are charged here.
 */
export function translate(
  core: Core,
  vpn: number,
  side: number,
  write: number,
  held: number,
): number {
  const h = H;
  if (held !== 0) return walkAndFill(core, vpn, side, write, NEEDS_RIGHT);
  const first = Math.imul(side | 0, 3);
  const resident = (core.resident + first) | 0;
  const right = Math.imul(write | 0, STORE_OK);
  if ((h[(resident + 1) | 0]! | h[(resident + 2) | 0]!) !== 0) {
    const entry = findLarge(core, first, vpn);
    if (entry !== 0) {
      touch(entry);
      if ((h[(entry + FLAGS) | 0]! & right) === right) return entry;
      return walkAndFill(core, vpn, side, write, NEEDS_RIGHT);
    }
  }
  let entry = 0;
  if (h[(resident + 6) | 0] !== 0) {
    const cfg = (core.arrays + Math.imul(first + 6, CFG)) | 0;
    entry = find(h[cfg]!, h[(cfg + 1) | 0]!, vpn, core.asid << 2);
  }
  if (entry === 0) {
    if ((h[(resident + 7) | 0]! | h[(resident + 8) | 0]!) !== 0) {
      entry = findLarge(core, first + 6, vpn);
    }
    if (entry === 0) return walkAndFill(core, vpn, side, write, L1_MISSED);
  }
  const leaf = core.pending + Leaf.TlbL2Hit;
  h[leaf] = h[leaf]! + core.l2HitCycles;
  core.ahead += core.l2HitCycles;
  if ((h[(entry + FLAGS) | 0]! & right) !== right) {
    return walkAndFill(core, vpn, side, write, NEEDS_RIGHT | L1_MISSED | L2_HIT);
  }
  const misses = (core.counters + K.l1i_misses + Math.imul(side | 0, APART)) | 0;
  h[misses] = h[misses]! + 1;
  h[(misses + 1) | 0] = h[(misses + 1) | 0]! + 1;
  const size = h[(entry + TAG) | 0]! & 3;
  if (core.victimFill === 0) {
    touch(entry);
    return admit(core, first + size, entry);
  }
  const { fresh } = core;
  for (let word = 0; word < WORDS; word++) h[fresh + word] = h[entry + word]!;
  core.remove(first + 6 + size, entry);
  return admit(core, first + size, fresh);
}

/** Walks until the page is mapped, and fills the TLBs from the walk's result. Returns what `translate` does. */
const walkAndFill = (
  core: Core,
  vpn: number,
  side: number,
  write: number,
  known: number,
): number => {
  const h = H;
  const needsRight = (known & NEEDS_RIGHT) !== 0;
  const dropped = needsRight ? forget(core, vpn) : 0;
  for (;;) {
    const fault = core.nestedOn !== 0 ? walk2d(core, vpn, write) : walk1d(core, vpn, write);
    if (fault === Fault.None) break;
    // The walk of a page that is not mapped is charged where the guest's own miss would be.
    chargeWalk(core, needsRight ? Cause.Dirty : Cause.Cold);
    const verdict = core.port.onWalkFault(core, vpn, write !== 0, fault);
    if (verdict === Verdict.Retry) continue;
    if (dropped !== 0) {
      // The guest will change the entry and flush the page; or the hypervisor keeps it write-protected.
      const cause = verdict === Verdict.GuestFault ? Cause.Invlpg : Cause.Shootdown;
      (side === SIDE_I ? core.lossI : core.lossD)[dropped] = -cause;
    }
    return verdict === Verdict.GuestFault ? 0 : -1;
  }

  const slot = core.walkSlot;
  if (slot >= core.lossD.length) core.growLoss();
  const loss = side === SIDE_I ? core.lossI : core.lossD;
  const record = loss[slot]!;
  const flags = (core.walkFlags & 0x7f) | (core.vcpu << 8);
  const sequence = ((core.vcpu << 1) + ((flags & GLOBAL) >> 4)) | 0;
  const seq = h[(core.seqs + sequence) | 0]!;
  loss[slot] = seq;
  h[(core.filled + sequence) | 0] = 1;

  const counters = core.counters;
  if (needsRight) {
    chargeWalk(core, Cause.Dirty);
    h[counters + K.dirty_walks] = h[counters + K.dirty_walks]! + 1;
  } else {
    // Why the walk was needed: not held since the run began, still held when it was filled elsewhere, or lost.
    let cause: number = Cause.Cold;
    if (record < 0) cause = -record;
    else if (record !== 0 && record !== seq) cause = core.causeOf(sequence, record);
    chargeWalk(core, cause);
    h[counters + K.walks] = h[counters + K.walks]! + 1;
    const tally = core.walkCauses + cause;
    h[tally] = h[tally]! + 1;
  }
  if ((known & L1_MISSED) !== 0) {
    const misses = (counters + K.l1i_misses + Math.imul(side | 0, APART)) | 0;
    h[misses] = h[misses]! + 1;
    const second = (misses + ((known & L2_HIT) !== 0 ? 1 : 2)) | 0;
    h[second] = h[second]! + 1;
  }

  const first = Math.imul(side | 0, 3);
  let size = core.walkSize;
  let frame = core.walkFrame;
  // A side without entries of this size holds a smaller fragment of the page.
  while (size > 0 && core.present[first + size] === 0) {
    size--;
    frame += vpn & ((1 << (9 * (size + 1))) - 1) & ~((1 << (9 * size)) - 1);
  }
  const { fresh } = core;
  h[fresh] = vpn >>> Math.imul(9, size);
  h[(fresh + TAG) | 0] = (core.asid << 2) | size;
  h[(fresh + FRAME) | 0] = frame;
  h[(fresh + FLAGS) | 0] = flags;
  h[(fresh + SLOT) | 0] = slot;
  h[(fresh + SEQ) | 0] = seq;
  const second = (first + 6 + size) | 0;
  if (core.victimFill === 0 && core.present[second] !== 0) admit(core, second, fresh);
  return admit(core, (first + size) | 0, fresh);
};

const chargeWalk = (core: Core, cause: number): void => {
  const h = H;
  if (core.anyFree !== 0) refundWalk(core, cause);
  const guest = core.pending + Leaf.WalkGuest + cause;
  h[guest] = h[guest]! + core.walkGuest;
  const nested = core.pending + Leaf.WalkNested + cause;
  h[nested] = h[nested]! + core.walkNested;
  core.walkGuest = 0;
  core.walkNested = 0;
};

/** Takes back the time of those parts of a walk that cost nothing in this run. */
const refundWalk = (core: Core, cause: number): void => {
  const free = core.freeLeaves;
  if (free[Leaf.WalkGuest + cause] === 1) {
    core.ahead -= core.walkGuest;
    core.walkGuest = 0;
  }
  if (free[Leaf.WalkNested + cause] === 1) {
    core.ahead -= core.walkNested;
    core.walkNested = 0;
  }
};

/**
 * The host touches one of its own 2 MB pages (`key`) in a handler, under ASID 0. Returns the cycles of
 * the miss, if any; they belong to the handler. Guest counters stay untouched.
 */
export function visitHost(core: Core, key: number, side: number, tableFrame: number): number {
  const h = H;
  const first = side * 3 + 1;
  const second = first + 6;
  const tag = 1;
  for (let a = first; a <= second; a += 6) {
    if (core.present[a] === 0) continue;
    const cfg = core.arrays + a * CFG;
    const entry = find(h[cfg]!, h[cfg + 1]!, key, tag);
    if (entry === 0) continue;
    touch(entry);
    return a === first ? 0 : core.l2HitCycles;
  }
  const { fresh } = core;
  h[fresh] = key;
  h[fresh + TAG] = tag;
  h[fresh + FRAME] = key << 9;
  h[fresh + FLAGS] = HOST_RIGHTS | (core.vcpuCount << 8);
  h[fresh + SLOT] = 0;
  h[fresh + SEQ] = -1;
  const vm = core.vm;
  core.vm = -1;
  if (core.present[first] !== 0) admit(core, first, fresh);
  if (core.victimFill === 0 && core.present[second] !== 0) admit(core, second, fresh);
  core.vm = vm;
  return core.walkOverhead + 2 * core.pwcCycles + readHostLine(core, tableFrame, (key & 511) >> 3);
}

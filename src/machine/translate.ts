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
const Pte = Pte_;
const STORE_OK = STORE_OK_;
const Fault = Fault_;
const walk1d = walk1d_;
const walk2d = walk2d_;

/** Records that the last copy of a live translation was evicted, and by whom. */
function lose(core: Core, side: number, slot: number, seq: number, flags: number): void {
  const h = H;
  const owner = flags >>> 8;
  if (h[core.seqs + owner * 2 + ((flags & Pte.Global) >> 4)] !== seq) return;
  const vm = core.vmOf[owner]!;
  if (core.tlbEvictions !== 0) {
    const at = core.tlbEvictions + (vm + 1) * core.evictionRows + core.vm + 1;
    h[at] = h[at]! + 1;
  }
  const cause = vm === core.vm ? Cause.Capacity : Cause.Interference;
  (side === SIDE_I ? core.lossI : core.lossD)[slot] = -cause;
}

/** Puts a translation into array `a` (level * 6 + side * 3 + size); returns its entry. */
function insert(
  core: Core,
  a: number,
  key: number,
  tag: number,
  frame: number,
  flags: number,
  slot: number,
  seq: number,
): number {
  const h = H;
  const cfg = (core.arrays + Math.imul(a, CFG)) | 0;
  const sentinel = (h[(cfg + 2) | 0]! + Math.imul(key & h[(cfg + 3) | 0]!, WORDS)) | 0;
  const victim = h[(sentinel + PREV) | 0]!;
  const victimTag = h[(victim + TAG) | 0]!;
  // Mostly a page of the same size goes, and the numbers of resident entries stay.
  if (((victimTag ^ tag) & 3) !== 0 || victimTag === -1) {
    const resident = core.resident + a;
    h[resident] = h[resident]! + 1;
    if (victimTag !== -1) {
      const other = h[cfg + RESIDENT]! + (victimTag & 3);
      h[other] = h[other]! - 1;
    }
  }
  if (victimTag !== -1) {
    if (((h[(cfg + BELOW) | 0]! >>> (victimTag & 3)) & 1) === 0) {
      lose(
        core,
        h[(cfg + SIDE) | 0]!,
        h[(victim + SLOT) | 0]!,
        h[(victim + SEQ) | 0]!,
        h[(victim + FLAGS) | 0]!,
      );
    } else if (core.victimFill !== 0) {
      moveDown(core, a, victim);
    }
  }
  const entry = replace(h[cfg]!, h[(cfg + 1) | 0]!, sentinel, key, tag);
  h[(entry + FRAME) | 0] = frame;
  h[(entry + FLAGS) | 0] = flags;
  h[(entry + SLOT) | 0] = slot;
  h[(entry + SEQ) | 0] = seq;
  return entry;
}

/** What the L1 array `a` evicts goes to the L2. */
function moveDown(core: Core, a: number, victim: number): void {
  const h = H;
  const tag = h[victim + TAG]!;
  insert(
    core,
    (a < 3 ? 6 : 9) + (tag & 3),
    h[victim]!,
    tag,
    h[victim + FRAME]!,
    h[victim + FLAGS]!,
    h[victim + SLOT]!,
    h[victim + SEQ]!,
  );
}

/** Fills from the walk's result; returns the L1 entry. */
function fill(core: Core, vpn: number, side: number): number {
  const h = H;
  let size = core.walkSize;
  let frame = core.walkFrame;
  const base = side * 3;
  // A side without entries of this size holds a smaller fragment of the page.
  while (size > 0 && core.present[base + size] === 0) {
    size--;
    frame += vpn & ((1 << (9 * (size + 1))) - 1) & ~((1 << (9 * size)) - 1);
  }
  const flags = (core.walkFlags & 0x7f) | (core.vcpu << 8);
  const global = (flags & Pte.Global) >> 4;
  const seq = h[core.seqs + core.vcpu * 2 + global]!;
  h[core.filled + core.vcpu * 2 + global] = 1;
  const slot = core.walkSlot;
  if (slot >= core.lossD.length) core.growLoss();
  (side === SIDE_I ? core.lossI : core.lossD)[slot] = seq;
  const key = vpn >>> (9 * size);
  const tag = (core.asid << 2) | size;
  const second = base + 6 + size;
  if (core.victimFill === 0 && core.present[second] !== 0) {
    insert(core, second, key, tag, frame, flags, slot, seq);
  }
  return insert(core, base + size, key, tag, frame, flags, slot, seq);
}

/** Why a walk for the leaf in `walkSlot` was needed. */
function causeOfMiss(core: Core, side: number): number {
  const h = H;
  const slot = core.walkSlot;
  const record = (side === SIDE_I ? core.lossI : core.lossD)[slot]! | 0;
  if (record === 0) return Cause.Cold;
  if (record < 0) return -record;
  const global = (core.walkFlags & Pte.Global) >> 4;
  if (record === h[core.seqs + core.vcpu * 2 + global]) return Cause.Cold;
  return core.causeOf(core.vcpu, global, record);
}

/** An L1 entry in array `a` for this page, or 0. */
function probe(core: Core, a: number, vpn: number, size: number): number {
  const h = H;
  const cfg = (core.arrays + Math.imul(a, CFG)) | 0;
  const key = vpn >>> Math.imul(9, size);
  return find(h[cfg]!, h[(cfg + 1) | 0]!, key, (core.asid << 2) | size);
}

function promote(core: Core, a: number, entry: number): void {
  const h = H;
  const cfg = (core.arrays + Math.imul(a, CFG)) | 0;
  touch(entry, (h[(cfg + 2) | 0]! + Math.imul(h[entry]! & h[(cfg + 3) | 0]!, WORDS)) | 0);
}

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
  const base = side * 3;
  const counters = core.counters;
  let needsRight = held !== 0;
  let l1Missed = 0;
  let l2Hit = 0;
  const resident = (core.resident + base) | 0;
  if (!needsRight && (h[(resident + 1) | 0]! | h[(resident + 2) | 0]!) !== 0) {
    for (let size = 1; size < 3; size++) {
      if (h[resident + size] === 0) continue;
      const entry = probe(core, base + size, vpn, size);
      if (entry === 0) continue;
      promote(core, base + size, entry);
      if (write === 0 || (h[entry + FLAGS]! & STORE_OK) === STORE_OK) return entry;
      needsRight = true;
      break;
    }
  }
  if (!needsRight) {
    l1Missed = 1;
    let size = 0;
    let entry = h[(resident + 6) | 0] === 0 ? 0 : probe(core, (base + 6) | 0, vpn, 0);
    if (entry === 0 && (h[(resident + 7) | 0]! | h[(resident + 8) | 0]!) !== 0) {
      for (size = 1; size < 3; size++) {
        if (h[resident + 6 + size] === 0) continue;
        entry = probe(core, base + 6 + size, vpn, size);
        if (entry !== 0) break;
      }
    }
    if (entry !== 0) {
      l2Hit = 1;
      const leaf = core.pending + Leaf.TlbL2Hit;
      h[leaf] = h[leaf]! + core.l2HitCycles;
      core.ahead += core.l2HitCycles;
      const flags = h[(entry + FLAGS) | 0]!;
      if (write !== 0 && (flags & STORE_OK) !== STORE_OK) {
        needsRight = true;
      } else {
        countMiss(counters, side, 1);
        const key = h[entry]!;
        const tag = h[(entry + TAG) | 0]!;
        const frame = h[(entry + FRAME) | 0]!;
        const slot = h[(entry + SLOT) | 0]!;
        const seq = h[(entry + SEQ) | 0]!;
        if (core.victimFill !== 0) {
          core.remove(base + 6 + size, entry);
        } else {
          promote(core, (base + 6 + size) | 0, entry);
        }
        return insert(core, (base + size) | 0, key, tag, frame, flags, slot, seq);
      }
    }
  }
  core.walkGuest = 0;
  core.walkNested = 0;
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
  const cause = needsRight ? Cause.Dirty : causeOfMiss(core, side);
  chargeWalk(core, cause);
  if (needsRight) {
    h[counters + K.dirty_walks] = h[counters + K.dirty_walks]! + 1;
  } else {
    h[counters + K.walks] = h[counters + K.walks]! + 1;
    const tally = core.walkCauses + cause;
    h[tally] = h[tally]! + 1;
  }
  if (l1Missed !== 0) countMiss(counters, side, l2Hit);
  return fill(core, vpn, side);
}

function countMiss(counters: number, side: number, l2Hit: number): void {
  const h = H;
  const miss = counters + (side === SIDE_I ? K.l1i_misses : K.l1d_misses);
  h[miss] = h[miss]! + 1;
  const second =
    counters +
    (side === SIDE_I
      ? l2Hit !== 0
        ? K.l2i_hits
        : K.l2i_misses
      : l2Hit !== 0
        ? K.l2d_hits
        : K.l2d_misses);
  h[second] = h[second]! + 1;
}

function chargeWalk(core: Core, cause: number): void {
  const h = H;
  if (core.anyFree !== 0) refundWalk(core, cause);
  const guest = core.pending + Leaf.WalkGuest + cause;
  h[guest] = h[guest]! + core.walkGuest;
  const nested = core.pending + Leaf.WalkNested + cause;
  h[nested] = h[nested]! + core.walkNested;
  core.walkGuest = 0;
  core.walkNested = 0;
}

/** Takes back the time of those parts of a walk that cost nothing in this run. */
function refundWalk(core: Core, cause: number): void {
  const free = core.freeLeaves;
  if (free[Leaf.WalkGuest + cause] === 1) {
    core.ahead -= core.walkGuest;
    core.walkGuest = 0;
  }
  if (free[Leaf.WalkNested + cause] === 1) {
    core.ahead -= core.walkNested;
    core.walkNested = 0;
  }
}

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
    touch(entry, h[cfg + 2]! + (key & h[cfg + 3]!) * WORDS);
    return a === first ? 0 : core.l2HitCycles;
  }
  const flags = Pte.Present | Pte.Writable | Pte.Dirty | Pte.Global | (core.vcpuCount << 8);
  const vm = core.vm;
  core.vm = -1;
  if (core.present[first] !== 0) insert(core, first, key, tag, key << 9, flags, 0, -1);
  if (core.victimFill === 0 && core.present[second] !== 0) {
    insert(core, second, key, tag, key << 9, flags, 0, -1);
  }
  core.vm = vm;
  return core.walkOverhead + 2 * core.pwcCycles + readHostLine(core, tableFrame, (key & 511) >> 3);
}

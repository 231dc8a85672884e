import type { Assoc } from './assoc.ts';
import type { Core } from './core.ts';
import { FLAGS, FRAME, SEQ, TAG, WORDS } from './entry.ts';
import { heap } from './heap.ts';
import { Pte } from './page-tables.ts';
import { firstFrameOf, occupied } from './walk-cache.ts';

/** Looking into a core without changing it: for checks and timelines. */

/** A 4 KiB page for which the TLBs of a core hold a translation. */
export interface HeldTranslation {
  /** First 4 KiB page of the entry. */
  readonly vpn: number;
  readonly frame: number;
  readonly writable: boolean;
  readonly dirty: boolean;
}

/** What a core has counted for the VM it runs since it was drained. */
export function undrained(core: Core, counter: number): number {
  return heap[core.counters + counter]!;
}

function* entriesOf(assoc: Assoc): Generator<number> {
  const end = assoc.first + assoc.entries * WORDS;
  for (let e = assoc.first; e < end; e += WORDS) if (heap[e + TAG] !== -1) yield e;
}

/** Offsets of the occupied entries of TLB arrays `from` to 11, each array once. */
function* tlbEntries(core: Core, from = 0): Generator<number> {
  const arrays = new Set(core.assoc.slice(from));
  for (const assoc of arrays) if (assoc) yield* entriesOf(assoc);
}

/** Not under a tag that its vCPU has given up. */
function isLive(core: Core, entry: number): boolean {
  const flags = heap[entry + FLAGS]!;
  const global = (flags & Pte.Global) >> 4;
  return heap[core.seqs + (flags >>> 8) * 2 + global] === heap[entry + SEQ];
}

/** What the TLBs hold for a vCPU under its present tag and address-space number (0 unless traces set one). */
export function* heldTranslations(
  core: Core,
  vcpu: number,
  space: number,
): Generator<HeldTranslation> {
  for (const e of tlbEntries(core)) {
    const flags = heap[e + FLAGS]!;
    const tag = heap[e + TAG]!;
    if (flags >>> 8 !== vcpu || tag >>> 18 !== space || !isLive(core, e)) continue;
    yield {
      vpn: heap[e]! << (9 * (tag & 3)),
      frame: heap[e + FRAME]!,
      writable: (flags & Pte.Writable) !== 0,
      dirty: (flags & Pte.Dirty) !== 0,
    };
  }
}

/** Slots that the page-walk cache holds under the core's present tag. */
export function* heldUpperEntries(core: Core): Generator<number> {
  for (const e of occupied(core.pwc)) if (heap[e + TAG] === core.asid) yield heap[e]!;
}

/** What the nested TLB holds under the core's present tag: the first frames of nested pages. */
export function* heldTableFrames(core: Core): Generator<{ gfn: number; frame: number }> {
  if (core.nestedOn === 0) return;
  for (const e of occupied(core.ntlb)) {
    if (heap[e + TAG] === core.asid) yield { gfn: firstFrameOf(heap[e]!), frame: heap[e + FRAME]! };
  }
}

/** Counts live entries of the last-level data TLB by VM, for the timeline. */
export function countHeld(core: Core, byVm: Int32Array): void {
  for (const e of tlbEntries(core, 9)) {
    if (!isLive(core, e)) continue;
    const vm = core.vmOf[heap[e + FLAGS]! >>> 8]!;
    if (vm >= 0) byVm[vm] = byVm[vm]! + 1;
  }
}

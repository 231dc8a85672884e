import { type Core, SIDE_D, SIDE_I } from './core.ts';
import { FLAGS, FRAME, IN_L2, KEY, OWNER_SHIFT, TAG } from './entries.ts';
import { heap } from './heap.ts';
import { Pte } from './page-tables.ts';
import { firstFrameOf, occupied } from './walk-cache.ts';

/** Inspects a core without changing it: for checks and timelines. */

/** A 4 KiB page for which the TLBs of a core hold a translation. */
export interface HeldTranslation {
  /** First 4 KiB page of the entry. */
  readonly vpn: number;
  readonly frame: number;
  readonly writable: boolean;
  readonly dirty: boolean;
}

/** What a core has counted for the VM that it runs since it was drained. */
export function undrained(core: Core, counter: number): number {
  core.accounts.derive();
  return heap[core.counters + counter]!;
}

/** The occupied entries of the TLBs of one side. */
function* tlbEntries(core: Core, side: number): Generator<number> {
  const { first, end } = core.tlb.sides[side]!;
  for (let e = first; e < end; e++) if (TAG[e] !== -1) yield e;
}

/**
 * What the TLBs hold for a vCPU under its present tag and address-space number (0 unless traces set
 * one).
 */
export function* heldTranslations(
  core: Core,
  vcpu: number,
  space: number,
): Generator<HeldTranslation> {
  for (const side of [SIDE_I, SIDE_D]) {
    for (const e of tlbEntries(core, side)) {
      const flags = FLAGS[e]!;
      const tag = TAG[e]!;
      if (flags >>> OWNER_SHIFT !== vcpu || tag >>> 18 !== space || !core.loss.isLive(e)) continue;
      yield {
        vpn: KEY[e]! << (9 * (tag & 3)),
        frame: FRAME[e]!,
        writable: (flags & Pte.Writable) !== 0,
        dirty: (flags & Pte.Dirty) !== 0,
      };
    }
  }
}

/** Slots that the page-walk cache holds under the core's present tag. */
export function* heldUpperEntries(core: Core): Generator<number> {
  for (const e of occupied(core.walker.pwc)) if (TAG[e] === core.asid) yield KEY[e]!;
}

/** What the nested TLB holds under the core's present tag: the first frames of nested pages. */
export function* heldTableFrames(core: Core): Generator<{ gfn: number; frame: number }> {
  if (core.nestedOn === 0) return;
  for (const e of occupied(core.walker.ntlb)) {
    if (TAG[e] === core.asid) yield { gfn: firstFrameOf(KEY[e]!), frame: FRAME[e]! };
  }
}

/** Counts live entries of the last-level data TLB by VM, for the timeline. */
export function countHeld(core: Core, byVm: Int32Array): void {
  for (const e of tlbEntries(core, SIDE_D)) {
    const flags = FLAGS[e]!;
    if ((flags & IN_L2) === 0 || !core.loss.isLive(e)) continue;
    const vm = core.loss.vmOf[flags >>> OWNER_SHIFT]!;
    if (vm >= 0) byVm[vm] = byVm[vm]! + 1;
  }
}

import { Cause } from '../stats/leaves.ts';
import type { Core } from './core.ts';
import { FLAGS, OWNER_SHIFT, SEQ, TAG } from './entries.ts';
import { heap } from './heap.ts';
import { Pte } from './page-tables.ts';

/**
 * Loss records: for every leaf slot and side the core remembers how its translation was lost. 0 =
 * never held, positive = held since that flush sequence, negative = minus the cause.
 *
 * A sequence begins when a vCPU of the core is filled with an entry for the first time after its
 * last flush; it has one for global entries and one for the others. It ends with the next flush
 * that reaches those, whose cause it is given. All sequences of a core are numbered in the order in
 * which they begin, so a record explains itself, whichever vCPU it is of: the cause of a miss is
 * that of the first flush after the fill, and `Cold` while there was none. vCPUs of one VM share
 * records: the last fill counts, and what one of them still holds, another has not lost.
 *
 * The core keeps a byte for each number, 256 KiB at most. When numbers run out, records of sequences
 * that have ended become plain causes, and the sequences still open are numbered anew.
 */
const H = heap;

/** No sequence: nothing was filled since the last flush. */
const NONE = 0;
/** Sequences of a core until their numbers begin anew. */
export const MOST_SEQUENCES = 2 ** 18;

/**
 * The vCPU of the slot `at` (`core.sequences + vcpu * 2`, plus 1 for global entries) is filled for
 * the first time since its last flush. Returns the number of the sequence that begins.
 */
export function beginSequence(core: Core, at: number): number {
  if (core.sequenceCount + 1 === core.causeOf.length) growCauses(core);
  core.sequenceCount++;
  H[at] = core.sequenceCount;
  return core.sequenceCount;
}

/**
 * Ends the sequence of a vCPU's entries, either the global ones or the others: what was filled in
 * it is lost by `cause`.
 */
export function endSequence(core: Core, vcpu: number, global: number, cause: Cause): void {
  const at = core.sequences + vcpu * 2 + global;
  const sequence = H[at]!;
  if (sequence === NONE) return;
  core.causeOf[sequence] = cause;
  H[at] = NONE;
}

/** Whether nothing has flushed the vCPU that an entry is of since it was filled. */
export function isLive(core: Core, e: number): boolean {
  const flags = FLAGS[e]!;
  const global = (flags & Pte.Global) >> 4;
  return H[core.sequences + (flags >>> OWNER_SHIFT) * 2 + global] === SEQ[e];
}

function growCauses(core: Core): void {
  if (core.causeOf.length < MOST_SEQUENCES) {
    const grown = new Uint8Array(core.causeOf.length * 2);
    grown.set(core.causeOf);
    core.causeOf = grown;
  } else numberAnew(core);
}

/** Numbers the open sequences from 1, and turns what was held in others into its cause. */
function numberAnew(core: Core): void {
  const { causeOf, sequences, tlbs } = core;
  const fresh = new Map<number, number>();
  for (let at = sequences; at < sequences + core.vcpuCount * 2; at++) {
    if (H[at] === NONE) continue;
    fresh.set(H[at]!, fresh.size + 1);
    H[at] = fresh.size;
  }
  for (const records of [core.lossI, core.lossD]) {
    for (let slot = 0; slot < records.length; slot++) {
      const record = records[slot]!;
      if (record > 0) records[slot] = fresh.get(record) ?? -causeOf[record]!;
    }
  }
  for (const { first, end } of tlbs) {
    // An entry of a vCPU that has lost it belongs to none of the new ones either.
    for (let e = first; e < end; e++) if (TAG[e] !== -1) SEQ[e] = fresh.get(SEQ[e]!) ?? -1;
  }
  causeOf.fill(Cause.Cold);
  core.sequenceCount = fresh.size;
}

/** A table node got a new meaning: what a core remembers about its slots is void. */
export function wipe(core: Core, node: number): void {
  const begin = node << 9;
  if (begin < core.lossD.length) core.lossD.fill(0, begin, begin + 512);
  if (begin < core.lossI.length) core.lossI.fill(0, begin, begin + 512);
}

/** The loss records grow with the page-table pool. */
export function growLoss(core: Core): void {
  const length = core.tables.entries.length;
  const grown = (from: Int32Array): Int32Array => {
    const to = new Int32Array(length);
    to.set(from);
    return to;
  };
  core.lossI = grown(core.lossI);
  core.lossD = grown(core.lossD);
}

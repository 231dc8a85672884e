import { Cause } from '../stats/leaves.ts';
import type { Core } from './core.ts';
import { heap } from './heap.ts';

/**
 * Loss records: for every leaf slot and side the core remembers how its translation was lost. 0 =
 * never held, positive = held since that flush sequence (twice its number, plus 1 if it is that of
 * global entries), negative = minus the cause. Each flush that reaches a vCPU's entries ends a
 * sequence and logs its cause, so the cause of a miss is the first flush after the fill.
 */
const H = heap;

/**
 * Ends the sequence of a vCPU's entries, either the global ones or the others: what was filled in
 * it is lost by `cause`.
 */
export function endSequence(core: Core, vcpu: number, global: number, cause: Cause): void {
  const at = vcpu * 2 + global;
  if (H[core.filled + at] === 0) return;
  H[core.filled + at] = 0;
  const seq = H[core.seqs + at]!;
  let log = core.causeLog[at]!;
  if (seq >= log.length) {
    const grown = new Uint8Array(log.length * 2);
    grown.set(log);
    core.causeLog[at] = grown;
    log = grown;
  }
  log[seq] = cause;
  H[core.seqs + at] = seq + 1;
}

/** Why what the current vCPU was filled with is not held: the first flush since, cold if none. */
export function causeSince(core: Core, record: number): number {
  const of = core.vcpu * 2 + (record & 1);
  const seq = record >> 1;
  return seq === H[core.seqs + of] ? Cause.Cold : core.causeLog[of]![seq]!;
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

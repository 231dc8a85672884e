import { LEAVES } from '../stats/leaves.ts';
import { DRAIN_AFTER, HOT_COUNTERS, K } from './counters.ts';
import { heap } from './heap.ts';

/** What a core has charged and counted since its accounts were drained last. */

export class Accounts {
  /** First of the counters (counters.ts), and of the cycles by leaf. */
  readonly counters: number;
  readonly pending: number;
  /** 1 = some leaves are free: see `freeLeaves`. */
  readonly anyFree: number;
  /** By leaf: 1 = its cycles are neither charged nor passed. */
  readonly freeLeaves: Uint8Array;
  /** The clock at the last drain, and time that passed uncharged since. */
  #settledAt = 0;

  constructor(counters: number, pending: number, freeLeaves: Uint8Array | undefined) {
    this.counters = counters;
    this.pending = pending;
    this.anyFree = freeLeaves ? 1 : 0;
    this.freeLeaves = freeLeaves ?? new Uint8Array(LEAVES);
  }

  /** Cycles that have passed up to `now` since the last drain. */
  since(now: number): number {
    return now - this.#settledAt;
  }

  /** Lets time pass without charging it. */
  skip(cycles: number): void {
    this.#settledAt += cycles;
  }

  /**
   * Adds what was charged and counted since the last call to `ledger` and `counts`, and resets it.
   * Returns the cycles charged.
   */
  drain(
    now: number,
    ledger: Float64Array,
    ledgerAt: number,
    counts: Float64Array,
    countsAt: number,
  ): number {
    let sum = 0;
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      const cycles = heap[this.pending + leaf]!;
      if (cycles === 0) continue;
      sum += cycles;
      ledger[ledgerAt + leaf] = ledger[ledgerAt + leaf]! + cycles;
      heap[this.pending + leaf] = 0;
    }
    this.derive();
    for (let k = 0; k < HOT_COUNTERS; k++) {
      const n = heap[this.counters + k]!;
      if (n === 0) continue;
      counts[countsAt + k] = counts[countsAt + k]! + n;
      heap[this.counters + k] = 0;
    }
    this.#settledAt = now;
    return sum;
  }

  /** Computes the counters that follow from others, which HOT code does not keep. */
  derive(): void {
    const at = this.counters;
    const n = (counter: number) => heap[at + counter]!;
    heap[at + K.l1i_misses] = n(K.l2i_hits) + n(K.l2i_misses);
    heap[at + K.l1d_misses] = n(K.l2d_hits) + n(K.l2d_misses);
    let walks = 0;
    for (let cause = K.walks_cold; cause < HOT_COUNTERS; cause++) walks += n(cause);
    heap[at + K.walks] = walks;
    let reads = 0;
    for (let k = K.walk_reads_guest; k <= K.fault_walk_reads_nested; k++) reads += n(k);
    heap[at + K.walk_l2_hits] = reads - n(K.walk_l1_hits) - n(K.walk_l3_hits) - n(K.walk_dram);
  }

  /** Whether they must be drained before they outgrow an int32. */
  isFull(now: number): boolean {
    return this.since(now) > DRAIN_AFTER || heap[this.counters + K.references]! > DRAIN_AFTER;
  }
}

import { type Arena, heap } from './heap.ts';

/** Totals at `victim * rows + evictor`; empty when evictions are not counted. */
export interface Evicted {
  readonly tlb: Float64Array;
  readonly l2: Float64Array;
}

/** Who evicted whose live entries. The row of a VM is its number + 1; the host is row 0. */
export class Evictions {
  readonly rows: number;
  /**
   * Offset of the count of (victim, evictor) is `tlb + victim * rows + evictor`: last copies of
   * translations. 0 = not counted.
   */
  readonly tlb: number;
  /** The same for lines of the L2 caches. */
  readonly l2: number;
  readonly #pairs: number;
  readonly #totals: Evicted;

  constructor(rows: number, counted: boolean, arena: Arena) {
    this.rows = rows;
    this.#pairs = counted ? rows * rows : 0;
    this.tlb = counted ? arena.take(this.#pairs) : 0;
    this.l2 = counted ? arena.take(this.#pairs) : 0;
    this.#totals = { tlb: new Float64Array(this.#pairs), l2: new Float64Array(this.#pairs) };
  }

  /** Words of hot state that it needs. */
  static words(rows: number, counted: boolean): number {
    return counted ? 2 * (rows * rows + 16) : 0;
  }

  /**
   * The totals so far. Called at least once per second of simulated time, so that no int32 count
   * overflows.
   */
  fold(): Evicted {
    for (const kind of ['tlb', 'l2'] as const) {
      const at = this[kind];
      const totals = this.#totals[kind];
      for (let i = 0; i < this.#pairs; i++) totals[i] = totals[i]! + heap[at + i]!;
      heap.fill(0, at, at + this.#pairs);
    }
    return this.#totals;
  }
}

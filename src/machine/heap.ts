/**
 * Where HOT code keeps what it reads per visit: flat arrays of fixed length, bound to constants of
 * their modules, so that the compiler knows address and length. A typed array per object would have
 * to be loaded and checked at each access, and gets twice as slow as soon as a second machine
 * exists in the process (docs/decisions/0003).
 *
 * What has a number, like the entries of a TLB (entries.ts), keeps each of its words in an array of
 * its own, all of them of one length: the compiler checks the number once and knows it for the
 * others (docs/decisions/0011). What is a run of words, like counters and cache tags, is a piece of
 * `heap`.
 *
 * A machine takes regions when it is built and gives them back when the run is over. Zero pages are
 * not resident until they are touched, so the lengths cost address space only.
 */

interface Region {
  readonly at: number;
  readonly end: number;
}

/**
 * Hands out regions of arrays that all have the same length. 0 is never handed out: it means
 * "none".
 */
export class Space {
  readonly #length: number;
  readonly #arrays: readonly Int32Array[];
  readonly #what: string;
  #taken: readonly Region[] = [{ at: 0, end: 16 }];

  /** `what` names the contents of the arrays, in the plural. */
  constructor(what: string, arrays: readonly Int32Array[]) {
    this.#what = what;
    this.#arrays = arrays;
    this.#length = arrays[0]!.length;
  }

  /**
   * Reserves `count` zeroed elements; returns the first. Throws when there are too few free ones.
   */
  acquire(count: number): number {
    const taken = this.#taken;
    for (let i = 0; i < taken.length; i++) {
      const at = (taken[i]!.end + 15) & ~15;
      const limit = taken[i + 1]?.at ?? this.#length;
      if (limit - at >= count) {
        this.#taken = [...taken.slice(0, i + 1), { at, end: at + count }, ...taken.slice(i + 1)];
        for (const array of this.#arrays) array.fill(0, at, at + count);
        return at;
      }
    }
    throw new Error(
      `the machine needs ${count} ${this.#what} and they are not free: too many cores`,
    );
  }

  /** Gives back a region from `acquire`. */
  release(at: number): void {
    this.#taken = this.#taken.filter((region) => region.at !== at || at === 0);
  }
}

export const heap = new Int32Array(1 << 24);
export const heapSpace = new Space('words of hot state', [heap]);

/** Takes `count` elements; returns the first. */
export type Take = (count: number) => number;

/** Hands out pieces of one acquired region, in order. */
export class Arena {
  #next: number;
  readonly #end: number;

  constructor(at: number, count: number) {
    this.#next = at;
    this.#end = at + count;
  }

  /** `count` elements, the first a multiple of 16 (64 bytes). */
  take(count: number): number {
    const at = (this.#next + 15) & ~15;
    this.#next = at + count;
    if (this.#next > this.#end) throw new Error('hot-state region too small');
    return at;
  }
}

/**
 * One flat array for everything that HOT code reads per visit: TLB entries, walk caches, cache tags,
 * visit blocks, counters. HOT modules bind it to a module-level constant, so that the compiler knows its
 * address and length; a typed array per object would have to be loaded and checked at each access, and
 * gets twice as slow as soon as a second machine exists in the process (docs/decisions/0003).
 *
 * A machine takes one region when it is built and gives it back when the run is over. Offset 0 is never
 * handed out: it serves as "none".
 */
const WORDS = 1 << 24;

/** Zero pages are not resident until they are touched, so the size costs address space only. */
export const heap = new Int32Array(WORDS);

interface Region {
  readonly at: number;
  readonly end: number;
}

let taken: readonly Region[] = [{ at: 0, end: 16 }];

/** Reserves `words` zeroed words; returns the offset of the first. Throws when the heap is full. */
export function acquire(words: number): number {
  let at = 0;
  for (let i = 0; i < taken.length; i++) {
    at = (taken[i]!.end + 15) & ~15;
    const limit = taken[i + 1]?.at ?? WORDS;
    if (limit - at >= words) {
      taken = [...taken.slice(0, i + 1), { at, end: at + words }, ...taken.slice(i + 1)];
      heap.fill(0, at, at + words);
      return at;
    }
  }
  throw new Error(
    `the machine needs ${words} words of hot state and they are not free: too many cores`,
  );
}

/** Gives back a region from `acquire`. */
export function release(at: number): void {
  taken = taken.filter((region) => region.at !== at || at === 0);
}

/** Takes so many words of hot state; returns the offset of the first. */
export type Take = (words: number) => number;

/** Hands out pieces of one acquired region, in order. */
export class Arena {
  #next: number;
  readonly #end: number;

  constructor(at: number, words: number) {
    this.#next = at;
    this.#end = at + words;
  }

  /** `words` words, 16-word (64-byte) aligned. */
  take(words: number): number {
    const at = (this.#next + 15) & ~15;
    this.#next = at + words;
    if (this.#next > this.#end) throw new Error('hot-state region too small');
    return at;
  }
}

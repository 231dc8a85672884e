/**
 * More pages than this (128 GiB touched) are refused: it bounds the memory of an import or an
 * analysis.
 */
export const MAX_PAGES = 2 ** 25;

const FREE = -1;

/**
 * HOT. Numbers pages 0, 1, 2, … in order of their first appearance: an open-addressed hash table
 * with linear probing. Keys are whole numbers from 0 to 2^53; a JavaScript `Map` would box each of
 * them.
 */
export class PageIndex {
  /** How many different pages there are. */
  size = 0;
  #keys = new Float64Array(1024).fill(FREE);
  #numbers = new Int32Array(1024);
  #shift = 22;

  /**
   * The number of a page. A new page gets a new number, which equals the `size` before the call.
   */
  numberOf(key: number): number {
    let slot = this.#home(key);
    const mask = this.#keys.length - 1;
    for (;;) {
      const found = this.#keys[slot]!;
      if (found === key) return this.#numbers[slot]!;
      if (found === FREE) break;
      slot = (slot + 1) & mask;
    }
    if (this.size === MAX_PAGES) throw new RangeError('too many pages');
    this.#keys[slot] = key;
    this.#numbers[slot] = this.size;
    if (++this.size * 2 > this.#keys.length) this.#grow();
    return this.size - 1;
  }

  /** Calls back for every page and its number, in no particular order. */
  forEach(visit: (key: number, number: number) => void): void {
    for (let slot = 0; slot < this.#keys.length; slot++) {
      if (this.#keys[slot] !== FREE) visit(this.#keys[slot]!, this.#numbers[slot]!);
    }
  }

  #home(key: number): number {
    const high = (key / 2 ** 32) | 0;
    // Fibonacci hashing: the high bits of the product are the well-mixed ones.
    return Math.imul((key | 0) ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> this.#shift;
  }

  #grow(): void {
    const keys = this.#keys;
    const numbers = this.#numbers;
    this.#keys = new Float64Array(keys.length * 2).fill(FREE);
    this.#numbers = new Int32Array(keys.length * 2);
    this.#shift--;
    const mask = this.#keys.length - 1;
    for (let from = 0; from < keys.length; from++) {
      const key = keys[from]!;
      if (key === FREE) continue;
      let slot = this.#home(key);
      while (this.#keys[slot] !== FREE) slot = (slot + 1) & mask;
      this.#keys[slot] = key;
      this.#numbers[slot] = numbers[from]!;
    }
  }
}

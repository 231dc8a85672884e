/** Pages in use over time: how many different pages were touched in each stretch of a trace. */
export interface FootprintWindow {
  /** References before the window. */
  readonly from: number;
  /** Different pages touched in the window. */
  readonly touched: number;
  /** Different pages touched from the beginning of the trace to the end of the window. */
  readonly total: number;
}

const WINDOWS = 32;
/** Levels at which two windows of a row of `WINDOWS` can be joined. */
const LEVELS = 6;
const FIRST_WIDTH = 1024;

/**
 * HOT. Counts in one pass over a trace of unknown length, in fixed memory per page. Whenever the
 * row of windows is full, windows are joined in pairs and become twice as wide. Pages in both
 * windows of a pair must then count once, so a page that enters a window is also counted under the
 * number of joins after which this window and the page's previous one are the same.
 */
export class Footprint {
  /** References per window. */
  width = FIRST_WIDTH;
  /** Touches that opened a window for their page, by window and by level. */
  readonly #entered = new Float64Array(WINDOWS);
  readonly #again = new Float64Array(WINDOWS * (LEVELS + 1));
  readonly #fresh = new Float64Array(WINDOWS);
  /**
   * For each page: the window it was touched in last, as of `epoch` joins; and that number of
   * joins.
   */
  #last = new Int32Array(1024).fill(-1);
  #epochs = new Uint8Array(1024);
  #epoch = 0;

  /** References `from` to `from + count - 1` of the trace touch page number `page`. */
  touch(page: number, from: number, count: number): void {
    const end = from + count - 1;
    while (end >= this.width * WINDOWS) this.#join();
    const lastWindow = Math.floor(end / this.width);
    if (page >= this.#last.length) this.#grow(page);
    const known = this.#last[page]!;
    const before = known < 0 ? -1 : known >> (this.#epoch - this.#epochs[page]!);
    if (before === lastWindow) return;
    let previous = before;
    for (let window = Math.max(previous + 1, Math.floor(from / this.width)); ; window++) {
      this.#entered[window]!++;
      if (previous < 0) this.#fresh[window]!++;
      else this.#again[window * (LEVELS + 1) + 32 - Math.clz32(window ^ previous)]!++;
      previous = window;
      if (window === lastWindow) break;
    }
    this.#last[page] = lastWindow;
    this.#epochs[page] = this.#epoch;
  }

  /** The windows of a trace of this many references; the last windows may have no touches. */
  windows(references: number): FootprintWindow[] {
    while (references > this.width * WINDOWS) this.#join();
    const count = Math.ceil(references / this.width);
    let total = 0;
    return Array.from({ length: count }, (_, i) => {
      total += this.#fresh[i]!;
      return { from: i * this.width, touched: this.#entered[i]!, total };
    });
  }

  #join(): void {
    const entered = this.#entered;
    const fresh = this.#fresh;
    const again = this.#again;
    for (let to = 0; to < WINDOWS; to++) {
      const a = 2 * to;
      const b = a + 1;
      const inside = b < WINDOWS;
      const row = LEVELS + 1;
      entered[to] = inside ? entered[a]! + entered[b]! - again[b * row + 1]! : 0;
      fresh[to] = inside ? fresh[a]! + fresh[b]! : 0;
      for (let level = 1; level <= LEVELS; level++) {
        const from = level + 1;
        const some = inside && from <= LEVELS;
        again[to * row + level] = some ? again[a * row + from]! + again[b * row + from]! : 0;
      }
    }
    this.width *= 2;
    this.#epoch++;
  }

  #grow(page: number): void {
    const length = Math.max(2 * this.#last.length, page + 1);
    const last = new Int32Array(length).fill(-1);
    last.set(this.#last);
    this.#last = last;
    const epochs = new Uint8Array(length);
    epochs.set(this.#epochs);
    this.#epochs = epochs;
  }
}

/**
 * Cycles to read and clear one line of the bitmap. assumed (4-20): 8 bytes a cycle, in the cache
 */
export const BITMAP_LINE = 8;

/**
 * Which frames of a VM have been stored to since the log was last taken: a bit for each, as in
 * KVM's dirty bitmap. The paging mode keeps a frame from stores until its bit is set.
 */
export class DirtyLog {
  readonly #bits: Int32Array;

  constructor(memoryPages: number) {
    this.#bits = new Int32Array(Math.ceil(memoryPages / 32));
  }

  /** The frame has been stored to. */
  mark(gfn: number): void {
    this.#bits[gfn >> 5]! |= 1 << (gfn & 31);
  }

  has(gfn: number): boolean {
    return ((this.#bits[gfn >> 5]! >>> (gfn & 31)) & 1) !== 0;
  }

  /**
   * Writes the frames to `out`, in rising order, and clears the log. Returns how many they are;
   * `out` must have room for all frames of the VM.
   */
  take(out: Int32Array): number {
    let count = 0;
    for (const [word, bits] of this.#bits.entries()) {
      for (let left = bits; left !== 0; left &= left - 1) {
        out[count++] = (word << 5) | (31 - Math.clz32(left & -left));
      }
    }
    this.#bits.fill(0);
    return count;
  }

  /** Cache lines of the bitmap, which whoever takes it reads and clears. */
  get lines(): number {
    return Math.ceil(this.#bits.length / 16);
  }
}

/** A set of guest frames: what is still to be sent, or is missing. */
export class PageSet {
  readonly #in: Uint8Array;
  #size = 0;

  constructor(pages: number) {
    this.#in = new Uint8Array(pages);
  }

  get size(): number {
    return this.#size;
  }

  has(gfn: number): boolean {
    return this.#in[gfn] === 1;
  }

  fill(): void {
    this.#in.fill(1);
    this.#size = this.#in.length;
  }

  add(gfn: number): void {
    if (this.#in[gfn] === 1) return;
    this.#in[gfn] = 1;
    this.#size++;
  }

  remove(gfn: number): void {
    if (this.#in[gfn] !== 1) return;
    this.#in[gfn] = 0;
    this.#size--;
  }

  /** The first one from `gfn` on, or after the last frame from 0; -1 = none. */
  next(gfn: number): number {
    if (this.#size === 0) return -1;
    const found = this.#in.indexOf(1, gfn);
    return found >= 0 ? found : this.#in.indexOf(1);
  }

  /** The last one up to `gfn`, or the last one of all; -1 = none. */
  previous(gfn: number): number {
    if (this.#size === 0) return -1;
    const found = gfn < 0 ? -1 : this.#in.lastIndexOf(1, gfn);
    return found >= 0 ? found : this.#in.lastIndexOf(1);
  }
}

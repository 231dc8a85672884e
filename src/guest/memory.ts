import { MemoryError } from '../base/errors.ts';

/**
 * Guest frames as the guest kernel sees them. Layout: frame 3 is the shared zero page, 256..511 kernel text,
 * 512..1023 kernel data; the rest is handed out: tables and data from the same pool, freed frames first,
 * so that yesterday's page table is today's heap page.
 */
export const ZERO_PAGE = 3;
export const KERNEL_TEXT = 256;
export const KERNEL_TEXT_PAGES = 256;
export const KERNEL_DATA = 512;
export const KERNEL_DATA_PAGES = 512;
const FIRST_FREE = 1024;

export class GuestMemory {
  readonly pages: number;
  /** How many table entries map each frame. */
  readonly references: Uint16Array;
  readonly #free: number[] = [];
  readonly #freeBlocks: number[] = [];
  readonly #name: string;
  #next = FIRST_FREE;
  used = FIRST_FREE;

  constructor(pages: number, name: string) {
    this.pages = pages;
    this.#name = name;
    this.references = new Uint16Array(pages);
  }

  /** One frame. Throws ModelError when the guest is out of memory. */
  take(): number {
    this.used++;
    const frame = this.#free.pop();
    if (frame !== undefined) return frame;
    if (this.#next >= this.pages) {
      const block = this.#freeBlocks.pop();
      if (block === undefined) {
        throw new MemoryError(
          `VM ${this.#name} is out of memory (${this.pages / 256} MiB)`,
          this.#name,
        );
      }
      for (let i = 511; i > 0; i--) this.#free.push(block + i);
      return block;
    }
    return this.#next++;
  }

  /** First frame that was never handed out. */
  get highest(): number {
    return this.#next;
  }

  /** 512 consecutive aligned frames, or -1 if there are none. */
  takeBlock(): number {
    const block = this.#freeBlocks.pop() ?? this.#bumpBlock();
    if (block >= 0) this.used += 512;
    return block;
  }

  #bumpBlock(): number {
    const at = (this.#next + 511) & ~511;
    if (at + 512 > this.pages) return -1;
    for (let frame = this.#next; frame < at; frame++) this.#free.push(frame);
    this.#next = at + 512;
    return at;
  }

  give(frame: number): void {
    this.used--;
    this.#free.push(frame);
  }

  giveBlock(frame: number): void {
    this.used -= 512;
    this.#freeBlocks.push(frame);
  }
}

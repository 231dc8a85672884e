import { MemoryError } from '../base/errors.ts';

/**
 * Guest frames as the guest kernel sees them. Layout: frame 3 is the shared zero page, 256..511
 * kernel text, 512..1023 kernel data; the rest is handed out: tables and data from the same pool,
 * freed frames first, so that yesterday's page table is today's heap page. Pages of 1 GiB come from
 * the upper end.
 */
export const ZERO_PAGE = 3;
export const KERNEL_TEXT = 256;
export const KERNEL_TEXT_PAGES = 256;
export const KERNEL_DATA = 512;
export const KERNEL_DATA_PAGES = 512;
const FIRST_FREE = 1024;

/** Pages of 4 KiB that one entry at `level` of a table maps: 1, 512 or 262 144. */
export function pagesAt(level: number): number {
  return 512 ** (level - 1);
}

/** Consecutive frames of which [start, next) have been handed out at some time. */
interface Segment {
  readonly start: number;
  next: number;
  end: number;
}

export class GuestMemory {
  readonly pages: number;
  /** How many table entries map each frame. */
  readonly references: Uint16Array;
  readonly #free: number[] = [];
  readonly #freeBlocks: number[] = [];
  /** Frames that were never handed out come from the first segment with free ones. */
  readonly #segments: Segment[];
  /** Pages of 1 GiB that are reserved and free, and those that have ever been handed out. */
  readonly #freeHuge: number[] = [];
  readonly #usedHuge = new Set<number>();
  readonly #name: string;
  used = FIRST_FREE;

  constructor(pages: number, name: string) {
    this.pages = pages;
    this.#name = name;
    this.references = new Uint16Array(pages);
    this.#segments = [{ start: 0, next: FIRST_FREE, end: pages }];
  }

  /** One frame. Throws MemoryError when the guest is out of memory. */
  take(): number {
    this.used++;
    const frame = this.#free.pop();
    if (frame !== undefined) return frame;
    for (const segment of this.#segments) if (segment.next < segment.end) return segment.next++;
    const block = this.#freeBlocks.pop();
    if (block === undefined) {
      throw new MemoryError(`VM ${this.#name} is out of memory (${this.pages / 256} MiB)`, {
        vm: this.#name,
      });
    }
    for (let i = 511; i > 0; i--) this.#free.push(block + i);
    return block;
  }

  give(frame: number): void {
    this.used--;
    this.#free.push(frame);
  }

  /** Calls `visit` for every frame that has been handed out, and for the kernel's own. */
  eachUsed(visit: (frame: number) => void): void {
    const huge = [...this.#usedHuge].map((frame) => ({ start: frame, next: frame + pagesAt(3) }));
    for (const { start, next } of [...this.#segments, ...huge]) {
      for (let frame = start; frame < next; frame++) visit(frame);
    }
  }

  /**
   * First of the consecutive, aligned frames of a page that an entry at `level` maps; -1 if there
   * are none.
   */
  takeLarge(level: number): number {
    const frame = level === 3 ? this.#takeHuge() : (this.#freeBlocks.pop() ?? this.#newBlock());
    if (frame >= 0) this.used += pagesAt(level);
    return frame;
  }

  giveLarge(frame: number, level: number): void {
    this.used -= pagesAt(level);
    (level === 3 ? this.#freeHuge : this.#freeBlocks).push(frame);
  }

  /** Reserves up to `count` pages of 1 GiB. */
  reserveHuge(count: number): void {
    for (let i = 0; i < count; i++) {
      const frame = this.#newHuge();
      if (frame < 0) return;
      this.#freeHuge.unshift(frame);
    }
  }

  #newBlock(): number {
    for (const segment of this.#segments) {
      const at = (segment.next + 511) & ~511;
      if (at + 512 > segment.end) continue;
      for (let frame = segment.next; frame < at; frame++) this.#free.push(frame);
      segment.next = at + 512;
      return at;
    }
    return -1;
  }

  #takeHuge(): number {
    const frame = this.#freeHuge.pop() ?? this.#newHuge();
    if (frame >= 0) this.#usedHuge.add(frame);
    return frame;
  }

  /** Cuts the uppermost aligned, untouched GiB out of the segments. */
  #newHuge(): number {
    const pages = pagesAt(3);
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i]!;
      const at = Math.floor(segment.end / pages) * pages - pages;
      if (at < segment.next) continue;
      const after = at + pages;
      const rest = { start: after, next: after, end: segment.end };
      if (after < segment.end) this.#segments.splice(i + 1, 0, rest);
      segment.end = at;
      return at;
    }
    return -1;
  }
}

import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import { type Calls, callClassNames } from '../system-call-classes.ts';
import { type Item, operation, visit } from './item.ts';
import { Op } from './workload.ts';

/**
 * What a program asks of its kernel at a given rate per million instructions: system calls,
 * blocking I/O, mappings that come and go, heap growth, changes of protection. Gaps are
 * exponential. Pages that become available are stored to one after the other, spread over the time
 * until the next ones arrive.
 */
export interface BackgroundRates {
  /** Events per million instructions of the program. */
  readonly syscalls: Calls;
  readonly blockingIo: number;
  readonly mmap: { readonly calls: number; readonly pages: number; readonly live: number };
  readonly munmap: number;
  readonly mprotect: number;
  readonly heapGrowth: { readonly calls: number; readonly pages: number; readonly limit: number };
  readonly yields: number;
}

/** Arguments of the operations, and where in the address space they act. Areas are page numbers. */
export interface BackgroundPlan extends BackgroundRates {
  readonly io: Item;
  readonly mmapArea: number;
  readonly heapArea: number;
  /** Index of the template for new mappings in the regions of every image. */
  readonly template: number;
  /** Pages whose protection `mprotect` turns off and on. */
  readonly protectArea: number;
  readonly protectPages: number;
}

/** From `Syscall` on: system calls, by class. */
const Event = {
  Io: 0,
  Mmap: 1,
  Munmap: 2,
  Mprotect: 3,
  Heap: 4,
  Yield: 5,
  Touch: 6,
  Syscall: 7,
} as const;

/**
 * Quantiles of the exponential distribution with mean 65536, as whole numbers: `Math.log` is not
 * the same to the last bit on every machine.
 */
const EXPONENTIAL = Int32Array.from({ length: 1024 }, (_, i) =>
  Math.round(-Math.log(1 - (i + 0.5) / 1024) * 65_536),
);

/** A draw with the given mean, at least 1. */
export function exponential(mean: number, bits: number): number {
  return Math.max(1, Math.round((mean * EXPONENTIAL[bits >>> 22]!) / 65_536));
}

interface Range {
  next: number;
  readonly end: number;
}

export class Background {
  /** Instructions until the next event; at most 0 = one is due. */
  distance = 0;
  readonly #plan: BackgroundPlan;
  readonly #random: Int32Array;
  readonly #mean: Float64Array;
  readonly #due: Float64Array;
  readonly #queue: Item[] = [];
  /** Mappings made and not unmapped, oldest first, as slots of the mmap area. */
  readonly #live: number[] = [];
  #slot = 0;
  #heapPages = 0;
  #writable = true;
  /** Pages nobody has touched yet. */
  #fresh: Range[] = [];

  constructor(plan: BackgroundPlan, seed: string, path: string) {
    this.#plan = plan;
    this.#random = xoshiroState(seed, path);
    const { mmap, heapGrowth } = plan;
    const rates = [
      plan.blockingIo,
      mmap.calls,
      plan.munmap,
      plan.mprotect,
      heapGrowth.calls,
      plan.yields,
      mmap.calls * mmap.pages + heapGrowth.calls * heapGrowth.pages,
      ...callClassNames.map((name) => plan.syscalls[name]),
    ];
    this.#mean = Float64Array.from(rates, (rate) => 1e6 / rate);
    this.#due = this.#mean.map((mean) => (mean === Infinity ? Infinity : this.#gap(mean)));
    this.distance = Math.min(...this.#due);
  }

  #gap(mean: number): number {
    return exponential(mean, xoshiroNext(this.#random));
  }

  /** `instructions` more have been executed. */
  advance(instructions: number): void {
    for (let i = 0; i < this.#due.length; i++) this.#due[i] = this.#due[i]! - instructions;
    this.distance -= instructions;
  }

  /** The next item that is due, if any. */
  take(): Item | undefined {
    while (this.#queue.length === 0 && this.distance <= 0) {
      const kind = this.#due.findIndex((due) => due <= 0);
      this.#due[kind] = this.#due[kind]! + this.#gap(this.#mean[kind]!);
      this.distance = Math.min(...this.#due);
      this.#happen(kind);
    }
    return this.#queue.shift();
  }

  #happen(kind: number): void {
    const plan = this.#plan;
    const queue = this.#queue;
    switch (kind) {
      case Event.Io:
        queue.push(plan.io);
        break;
      case Event.Mmap:
        if (this.#live.length >= plan.mmap.live) this.#unmapOldest();
        this.#map();
        break;
      case Event.Munmap:
        this.#unmapOldest();
        break;
      case Event.Mprotect:
        this.#protect();
        break;
      case Event.Heap:
        this.#growHeap();
        break;
      case Event.Yield:
        queue.push(operation(Op.Yield));
        break;
      case Event.Touch:
        this.#touch();
        break;
      default:
        queue.push(operation(Op.Syscall, kind - Event.Syscall));
    }
  }

  #map(): void {
    const { pages, live } = this.#plan.mmap;
    const start = this.#plan.mmapArea + this.#slot * pages;
    this.#live.push(start);
    // One slot more than mappings, so that the next one is always free.
    this.#slot = (this.#slot + 1) % (live + 1);
    this.#add(start, pages);
  }

  #add(start: number, pages: number): void {
    this.#queue.push(operation(Op.Mmap, start, pages, this.#plan.template));
    this.#fresh.push({ next: start, end: start + pages });
  }

  #unmapOldest(): void {
    const start = this.#live.shift();
    if (start !== undefined) this.#remove(start, this.#plan.mmap.pages);
  }

  #remove(start: number, pages: number): void {
    this.#queue.push(operation(Op.Munmap, start, pages));
    this.#fresh = this.#fresh.filter((range) => range.next < start || range.end > start + pages);
  }

  #growHeap(): void {
    const { pages, limit } = this.#plan.heapGrowth;
    if (this.#heapPages + pages > limit) {
      if (this.#heapPages > 0) this.#remove(this.#plan.heapArea, this.#heapPages);
      this.#heapPages = 0;
    }
    this.#add(this.#plan.heapArea + this.#heapPages, pages);
    this.#heapPages += pages;
  }

  #touch(): void {
    const range = this.#fresh[0];
    if (!range) return;
    // A new page is usually filled: all its lines. assumed
    this.#queue.push(visit(Op.Store, range.next++, 64, 64, 0, 64));
    if (range.next === range.end) this.#fresh.shift();
  }

  #protect(): void {
    const { protectArea, protectPages } = this.#plan;
    this.#writable = !this.#writable;
    if (!this.#writable) this.#queue.push(visit(Op.Store, protectArea, 4, 8));
    const rights = this.#writable ? 1 : 0;
    this.#queue.push(operation(Op.Mprotect, protectArea, protectPages, rights));
    if (this.#writable) this.#queue.push(visit(Op.Store, protectArea, 4, 8));
  }
}

import type { z } from 'zod';
import { Background, type BackgroundPlan } from './background.ts';
import { type Item, operation } from './item.ts';
import { HIGH, TOP } from './layout.ts';
import { type per1M, ratesOf } from './synthetic-params.ts';
import { Op, type Region, type WorkloadDeps } from './workload.ts';

/**
 * Kernel events at given rates among the visits of a trace in which none were recorded. They act in
 * the last top-level entry of the address space, which the trace must leave free. Each address
 * space has events of its own, at intervals counted in the instructions that the trace executes
 * there.
 */

/** First page of what the events act on; the trace's pages lie below. */
export const RATES_START = HIGH;

/** Pages whose protection changes. assumed (1-16 pages): relro of a small program */
export const PROTECTED: Region = {
  name: 'protected',
  start: RATES_START,
  pages: 4,
  kind: 'anon',
  writable: true,
  pageShift: 12,
  populated: true,
};

/** New mappings begin on tables of their own. */
const HEAP_AREA = RATES_START + 512;

type Rates = z.output<typeof per1M>;

export interface RatesOptions {
  readonly per1M: Rates;
  /** Picoseconds. */
  readonly ioLatency: number;
  readonly ioBytes: number;
  /** Index of the region that new mappings are like. */
  readonly template: number;
}

/** First page after the heap, and after all mappings there can be. */
function areasOf(given: Rates): { mmapArea: number; end: number } {
  const { heapGrowth, mmap } = ratesOf(given);
  const heap = Math.max(heapGrowth.limit, heapGrowth.pages);
  const mmapArea = HEAP_AREA + Math.ceil(heap / 512) * 512;
  return { mmapArea, end: mmapArea + (mmap.live + 1) * mmap.pages };
}

/** Refuses rates that contradict other settings. */
export function checkRates(
  given: Rates,
  { events, kernel }: { readonly events: string; readonly kernel?: boolean | undefined },
): void {
  if (events === 'replay') {
    throw new Error(
      'events: replay takes the events from the trace, per1M makes them up: leave one out',
    );
  }
  if (kernel === false) {
    throw new Error('events at the rates of per1M take kernel time: leave kernel: false out');
  }
  if (areasOf(given).end > TOP) {
    throw new Error('heapGrowth.limit and mmap.live x mmap.pages exceed 512 GiB together');
  }
}

/**
 * The events of one address space; `given - left` instructions have passed since it was last asked.
 */
interface Space {
  readonly background: Background;
  given: number;
  left: number;
}

export class TraceRates {
  readonly #plan: BackgroundPlan;
  readonly #seed: string;
  readonly #path: string;
  readonly #spaces: Space[] = [];
  #current: Space;

  constructor(options: RatesOptions, { seed, vm }: WorkloadDeps) {
    this.#seed = seed;
    this.#path = `vm/${vm}/trace`;
    this.#plan = {
      ...ratesOf(options.per1M),
      io: operation(Op.BlockingIo, options.ioBytes, Math.round(options.ioLatency / 1e6)),
      mmapArea: areasOf(options.per1M).mmapArea,
      heapArea: HEAP_AREA,
      template: options.template,
      protectArea: PROTECTED.start,
      protectPages: PROTECTED.pages,
    };
    this.#current = this.enter(0);
  }

  /** The guest kernel's address space `number` continues. */
  enter(number: number): Space {
    this.#spaces[number] ??= {
      background: new Background(this.#plan, this.#seed, `${this.#path}/${number}/events`),
      given: 0,
      left: 0,
    };
    return (this.#current = this.#spaces[number]);
  }

  /** The item that is due before the next visit, if any. HOT. */
  take(): Item | undefined {
    const space = this.#current;
    if (space.left > 0) return undefined;
    space.background.advance(space.given - space.left);
    const item = space.background.take();
    space.given = space.left = item ? 0 : space.background.distance;
    return item;
  }

  /** How many of these instructions pass before the next event; they do. HOT. */
  cut(instructions: number): number {
    const count = Math.min(instructions, this.#current.left);
    this.#current.left -= count;
    return count;
  }
}

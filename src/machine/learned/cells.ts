import { AGES, CIRCUMSTANCES, FLUSHES, PER_ENTRY } from './circumstances.ts';
import { fade, lineSlots, walkSlots } from './fading.ts';
import { LEAF_SLOTS, SLOTS } from './slots.ts';

/**
 * What pieces of work have cost in detail, by kind of work and by circumstances: sums over all
 * pieces, whose ratio is the mean price of a unit of work, whatever the pieces were cut into. A
 * unit is an instruction of a program, a visit of a kernel, or a step of the host.
 */

/** Words of a cell: a sum by slot, and the units. */
export const STRIDE = 64;
export const UNITS = SLOTS;
/** In place of the units, of prices: cycles of a unit. */
export const CYCLES = SLOTS;

/** Weight of a window after the next one. */
const KEPT = 0.93;

/** What a core's accounts were before a piece, and where they lie. */
export interface Accounts {
  readonly heap: Int32Array;
  readonly places: Int32Array;
  readonly before: Int32Array;
}

/** Of what is seen first in detail, how much is first still: see fading.ts. */
export interface Faded {
  readonly walks: number;
  readonly lines: number;
}

/** Sums over circumstances that are alike. */
interface Neighbours {
  readonly byAge: Float64Array;
  readonly byEntryAndAge: Float64Array;
}

export class Cells {
  /** By cell and slot, and cycles: what a unit costs. See `priceOf`. */
  prices = new Float64Array(256 * STRIDE);
  #sums = new Float64Array(256 * STRIDE);
  /** By kind: the cell of each circumstance, or 0. */
  readonly #tables: (Int32Array | undefined)[] = [];
  /** By kind: of all circumstances together. */
  readonly #whole: (Float64Array | undefined)[] = [];
  readonly #neighbours: (Neighbours | undefined)[] = [];
  /** By cell: kind * CIRCUMSTANCES + circumstances; the edition of its prices. */
  readonly #keys: number[] = [0];
  readonly #editions: number[] = [0];
  #edition = 1;
  /** By cell: units in the present window. */
  #window: number[] = [0];
  /** By kind: cycles at the last `takeCycles`. */
  readonly #taken: number[] = [];
  /**
   * Units at which the mean of a cell counts as much as that of its neighbours: those that have
   * seen little are drawn towards them.
   */
  readonly #prior: (kind: number, circumstances: number) => number;

  readonly #faded: (kind: number) => Faded;

  constructor(
    prior: (kind: number, circumstances: number) => number,
    faded: (kind: number) => Faded,
  ) {
    this.#prior = prior;
    this.#faded = faded;
  }

  get count(): number {
    return this.#keys.length;
  }

  kindOf(cell: number): number {
    return Math.floor(this.#keys[cell]! / CIRCUMSTANCES);
  }

  /** Whether more than so many units of that kind have been seen. */
  knows(kind: number, units = 0): boolean {
    return (this.#whole[kind]?.[UNITS] ?? 0) > units;
  }

  /** The cell of a kind of work under these circumstances. */
  cellOf(kind: number, circumstances: number): number {
    const table = (this.#tables[kind] ??= new Int32Array(CIRCUMSTANCES));
    let cell = table[circumstances]!;
    if (cell !== 0) return cell;
    cell = this.#keys.length;
    table[circumstances] = cell;
    this.#keys.push(kind * CIRCUMSTANCES + circumstances);
    this.#editions.push(0);
    this.#window.push(0);
    if ((cell + 1) * STRIDE > this.#sums.length) {
      this.#sums = twice(this.#sums);
      this.prices = twice(this.prices);
    }
    return cell;
  }

  /** A piece of `units` has cost what the accounts have grown by. */
  add(cell: number, units: number, { heap, places, before }: Accounts): void {
    const sums = this.#sums;
    const whole = this.#wholeOf(cell);
    const at = cell * STRIDE;
    for (let slot = 0; slot < SLOTS; slot++) {
      const grown = heap[places[slot]!]! - before[slot]!;
      if (grown === 0) continue;
      sums[at + slot] = sums[at + slot]! + grown;
      whole[slot] = whole[slot]! + grown;
    }
    this.#count(cell, units, whole);
  }

  /** The same of a step that has nothing but cycles. */
  addCycles(cell: number, cycles: number): void {
    const sums = this.#sums;
    const whole = this.#wholeOf(cell);
    const at = cell * STRIDE;
    sums[at] = sums[at]! + cycles;
    whole[0] = whole[0]! + cycles;
    this.#count(cell, 1, whole);
  }

  #wholeOf(cell: number): Float64Array {
    return (this.#whole[this.kindOf(cell)] ??= new Float64Array(STRIDE));
  }

  #count(cell: number, units: number, whole: Float64Array): void {
    const at = cell * STRIDE + UNITS;
    this.#sums[at] = this.#sums[at]! + units;
    whole[UNITS] = whole[UNITS]! + units;
    this.#window[cell] = this.#window[cell]! + units;
  }

  /**
   * A window is over. Returns the units that each cell has seen in it. What it has told counts less
   * from now on: windows lie further and further apart, and caches have been filling.
   */
  endWindow(): readonly number[] {
    const units = this.#window;
    for (const sums of [this.#sums, ...this.#whole]) {
      for (let i = 0; i < (sums?.length ?? 0); i++) sums![i] = sums![i]! * KEPT;
    }
    for (const [kind, cycles] of this.#taken.entries()) this.#taken[kind] = (cycles ?? 0) * KEPT;
    this.#window = new Array<number>(this.count).fill(0);
    this.#neighbours.length = 0;
    this.renew();
    return units;
  }

  /** Prices are to be computed anew. */
  renew(): void {
    this.#edition++;
  }

  /** What has been seen of a kind in all: by slot, and the units. */
  sumsOf(kind: number): Float64Array | undefined {
    return this.#whole[kind];
  }

  /** Cycles by kind since the last call. */
  takeCycles(): (number | undefined)[] {
    return this.#whole.map((sums, kind) => {
      if (!sums) return undefined;
      let cycles = 0;
      for (let slot = 0; slot < LEAF_SLOTS; slot++) cycles += sums[slot]!;
      const before = this.#taken[kind] ?? 0;
      this.#taken[kind] = cycles;
      return cycles - before;
    });
  }

  /** First word of what a unit costs, in `prices`. */
  priceOf(cell: number): number {
    const at = cell * STRIDE;
    if (this.#editions[cell] !== this.#edition) this.#price(cell, at);
    return at;
  }

  #price(cell: number, at: number): void {
    this.#editions[cell] = this.#edition;
    const kind = this.kindOf(cell);
    const circumstances = this.#keys[cell]! % CIRCUMSTANCES;
    const whole = this.#wholeOf(cell);
    const { byAge, byEntryAndAge } = (this.#neighbours[kind] ??= this.#gather(kind));
    const likeIt = Math.floor(circumstances / FLUSHES);
    const prior = this.#prior(kind, circumstances);
    const sums = this.#sums;
    const { prices } = this;
    const levels = [
      { from: byAge, first: (likeIt % AGES) * STRIDE },
      { from: byEntryAndAge, first: likeIt * STRIDE },
      { from: sums, first: at },
    ];
    for (let slot = 0; slot < SLOTS; slot++) {
      let price = whole[UNITS] === 0 ? 0 : whole[slot]! / whole[UNITS]!;
      for (const { from, first } of levels) {
        price = (from[first + slot]! + prior * price) / (from[first + UNITS]! + prior);
      }
      prices[at + slot] = price;
    }
    const { walks, lines } = this.#faded(kind);
    fade(prices, at, walkSlots, walks);
    fade(prices, at, lineSlots, lines);
    let cycles = 0;
    for (let slot = 0; slot < LEAF_SLOTS; slot++) cycles += prices[at + slot]!;
    prices[at + CYCLES] = cycles;
  }

  #gather(kind: number): Neighbours {
    const byAge = new Float64Array(AGES * STRIDE);
    const byEntryAndAge = new Float64Array((CIRCUMSTANCES / FLUSHES) * STRIDE);
    const table = this.#tables[kind]!;
    for (const [circumstances, cell] of table.entries()) {
      if (cell === 0) continue;
      const age = Math.floor((circumstances % PER_ENTRY) / FLUSHES) * STRIDE;
      const like = Math.floor(circumstances / FLUSHES) * STRIDE;
      for (let slot = 0; slot <= UNITS; slot++) {
        const sum = this.#sums[cell * STRIDE + slot]!;
        byAge[age + slot] = byAge[age + slot]! + sum;
        byEntryAndAge[like + slot] = byEntryAndAge[like + slot]! + sum;
      }
    }
    return { byAge, byEntryAndAge };
  }
}

function twice(old: Float64Array): Float64Array<ArrayBuffer> {
  const more = new Float64Array(old.length * 2);
  more.set(old);
  return more;
}

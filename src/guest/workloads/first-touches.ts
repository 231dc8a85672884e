import { xoshiroNext } from '../../base/random.ts';
import { exponential } from './background.ts';
import { REGION } from './mix.ts';
import { type PageRights, Right } from './page-rights.ts';
import { Kind, type Sampler } from './patterns.ts';
import { COLUMN } from './zipf.ts';

/**
 * When visits that are not drawn would have come to a page that is not there yet, or that cannot be
 * stored to: the kernel has to see those. A visit to a region finds such a page with the
 * probability that all of them have together, so the number of visits before the first one is
 * geometric; patterns that go on by themselves say when they come to the next one.
 */

/** Pages that a fault may map at once, aligned. */
const AROUND = 16;

/** A region of a process. */
interface Watched {
  readonly sampler: Sampler;
  readonly start: number;
  /** Share of its visits that each page gets. */
  readonly weights: Float64Array;
  readonly rights: Uint8Array;
  /** Share of the pages with rights below those to load, and to store, by `rights`. */
  readonly lacking: [none: number, load: number];
  /** Hazard left until the next visit that finds nothing there, and the next store denied. */
  readonly left: [number, number];
  stale: boolean;
}

const known = new WeakMap<Sampler, Float64Array>();

function weightsOf(sampler: Sampler): Float64Array {
  let weights = known.get(sampler);
  if (weights) return weights;
  const { kind, pages, table } = sampler;
  weights = new Float64Array(pages);
  if (kind !== Kind.Zipf) weights.fill(1 / pages);
  else {
    for (let at = 0; at < table.length; at += 3) {
      const below = table[at]! / COLUMN / pages;
      weights[table[at + 1]!] = weights[table[at + 1]!]! + below;
      weights[table[at + 2]!] = weights[table[at + 2]!]! + 1 / pages - below;
    }
  }
  known.set(sampler, weights);
  return weights;
}

const isInOrder = ({ kind }: Sampler) => kind === Kind.Stride || kind === Kind.Stream;

/** Of an event of that probability. Rounded: logarithms differ in their last bit. */
const hazardOf = (probability: number): number =>
  probability >= 1 ? Infinity : Math.round(-Math.log1p(-probability) * 2 ** 40) / 2 ** 40;

export class FirstTouches {
  readonly #rights: PageRights;
  readonly #regions: readonly Watched[];
  readonly #words: Int32Array;
  readonly #random: Int32Array;

  /** Of a mixer with these words and random numbers. */
  constructor(
    rights: PageRights,
    samplers: readonly Sampler[],
    words: Int32Array,
    random: Int32Array,
  ) {
    this.#rights = rights;
    this.#words = words;
    this.#random = random;
    this.#regions = samplers.map((sampler, i) => ({
      sampler,
      start: words[i * REGION + 1]!,
      weights: weightsOf(sampler),
      rights: new Uint8Array(sampler.pages),
      lacking: [0, 0],
      left: [this.#draw(), this.#draw()],
      stale: true,
    }));
    rights.watch((start, end) => {
      for (const region of this.#regions) {
        if (start < region.start + region.sampler.pages && end > region.start) region.stale = true;
      }
    });
  }

  #draw(): number {
    return exponential(65_536, xoshiroNext(this.#random)) / 65_536;
  }

  /** Whether visits to a region may fault. */
  isOpen(region: number): boolean {
    const one = this.#regions[region]!;
    if (one.stale) this.#look(one);
    return one.lacking[0] > 0 || one.lacking[1] > 0;
  }

  #look(one: Watched): void {
    one.stale = false;
    one.lacking.fill(0);
    for (let i = 0; i < one.rights.length; i++) {
      const rights = this.#rights.rightsOf(one.start + i);
      one.rights[i] = rights;
      if (rights < Right.Store) one.lacking[rights]! += one.weights[i]!;
    }
  }

  /**
   * Visits to a region before the next that lacks what is not there (`rights` None), or stores
   * before the next that is denied (Load).
   */
  before(region: number, rights: 0 | 1): number {
    const one = this.#regions[region]!;
    if (one.lacking[rights] <= 0) return Infinity;
    if (!isInOrder(one.sampler)) {
      const hazard = hazardOf(one.lacking[rights]);
      return hazard === Infinity ? 0 : Math.floor(one.left[rights] / hazard);
    }
    return this.#inOrder(region, one);
  }

  /** Its pattern goes from page to page in a known order. */
  isInOrder(region: number): boolean {
    return isInOrder(this.#regions[region]!.sampler);
  }

  /**
   * Pages of a pattern in order that can only be read, among those of the next `most` visits: which
   * visit is the first there, and which the first behind.
   */
  *readOnlyAhead(region: number, most: number): Generator<readonly [number, number]> {
    const { lacking, rights, sampler } = this.#regions[region]!;
    if (lacking[1] <= 0) return;
    const perPage = sampler.kind === Kind.Stream ? Math.ceil(4096 / sampler.step) : 1;
    const cursor = this.#words[region * REGION + 6]!;
    const stream = sampler.kind === Kind.Stream;
    let end = perPage - (stream ? Math.floor((cursor & 4095) / sampler.step) : 0);
    for (let first = 0; first < most; first = end, end += perPage) {
      if (rights[this.pageAfter(region, first)] === Right.Load) yield [first, end];
    }
  }

  /** Visits before a pattern in order comes to a page that is not there. */
  #inOrder(region: number, { rights, sampler: { kind, pages, step } }: Watched): number {
    const cursor = this.#words[region * REGION + 6]!;
    const stream = kind === Kind.Stream;
    const perPage = stream ? Math.ceil(4096 / step) : 1;
    let page = stream ? cursor >>> 12 : cursor;
    let visits = stream ? -Math.floor((cursor & 4095) / step) : 0;
    for (let i = 0; i < pages; i++) {
      if (rights[page] === Right.None) return Math.max(0, visits);
      visits += perPage;
      page = (page + (stream ? 1 : step)) % pages;
    }
    return Infinity;
  }

  /** The page of a pattern in order after so many visits. */
  pageAfter(region: number, visits: number): number {
    const { kind, pages, step } = this.#regions[region]!.sampler;
    const cursor = this.#words[region * REGION + 6]!;
    if (kind !== Kind.Stream) return (cursor + visits * step) % pages;
    const within = Math.floor((cursor & 4095) / step) + visits;
    return ((cursor >>> 12) + Math.floor(within / Math.ceil(4096 / step))) % pages;
  }

  /** So many visits are over, of which so many were stores. */
  pass(region: number, visits: number, stores: number): void {
    const one = this.#regions[region]!;
    if (isInOrder(one.sampler)) return;
    for (const [rights, count] of [visits, stores].entries()) {
      const lacking = one.lacking[rights]!;
      if (lacking > 0 && lacking < 1) one.left[rights]! -= count * hazardOf(lacking);
    }
  }

  /**
   * The page of the visit that comes after `before` of its kind, which is a store or not. -1: it
   * does not fault after all.
   */
  take(region: number, rights: 0 | 1, before: number, store: boolean): number {
    const one = this.#regions[region]!;
    let page: number;
    if (isInOrder(one.sampler)) page = this.pageAfter(region, before);
    else {
      const hazard = hazardOf(one.lacking[rights]);
      one.left[rights] = this.#draw() + (hazard === Infinity ? 0 : (before + 1) * hazard);
      page = this.#pick(one, rights);
    }
    if (page < 0) return page;
    this.#renew(one, page);
    return one.rights[page]! < (store ? Right.Store : Right.Load) ? page : -1;
  }

  /** Draws a page with such rights, in proportion to its share of the visits. */
  #pick(one: Watched, rights: 0 | 1): number {
    let left = (xoshiroNext(this.#random) >>> 0) * 2 ** -32 * one.lacking[rights];
    let last = -1;
    for (let i = 0; i < one.rights.length && left >= 0; i++) {
      if (one.rights[i] !== rights) continue;
      last = i;
      left -= one.weights[i]!;
    }
    if (last < 0) one.lacking[rights] = 0;
    return last;
  }

  /** The visit to a page is over: what may be done with it, and those around it, has changed. */
  touched(region: number, page: number): void {
    const one = this.#regions[region]!;
    const first = Math.max(0, page - ((one.start + page) & (AROUND - 1)));
    for (let i = first; i < Math.min(first + AROUND, one.rights.length); i++) this.#renew(one, i);
  }

  #renew(one: Watched, page: number): void {
    const before = one.rights[page]!;
    const now = this.#rights.rightsOf(one.start + page);
    if (now === before) return;
    const weight = one.weights[page]!;
    if (before < Right.Store) one.lacking[before] = Math.max(0, one.lacking[before]! - weight);
    if (now < Right.Store) one.lacking[now]! += weight;
    one.rights[page] = now;
  }
}

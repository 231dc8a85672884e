import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import { acquire, heap, release } from '../../machine/heap.ts';
import { below, Kind, permutation, type Sampler } from './patterns.ts';
import { ITEM_WORDS, Op } from './workload.ts';

/**
 * HOT. Mixes visits to the regions of one process. Which region, load or store, how many references and
 * instructions: a shuffled schedule that is made once, holds every share exactly and is gone through again and
 * again. Which page of the region: drawn afresh each time.
 */

/** One region as the mixer sees it. */
export interface MixRegion {
  readonly start: number;
  readonly sampler: Sampler;
  /** Relative frequency of visits. */
  readonly share: number;
  readonly fetch: boolean;
  /** Share of stores among its visits. */
  readonly stores: number;
  /** Lines touched by a visit, and lines of a page that are ever touched. */
  readonly lines: number;
  readonly hotLines: number;
}

/** Means of all visits. */
export interface MeanVisit {
  readonly references: number;
  readonly instructions: number;
}

/** What the processes that run the same program share. */
export interface Mix {
  /** Where its schedule lies in `schedules`, while it does. */
  readonly slot: number;
  readonly words: Int32Array;
  readonly schedule: Int32Array;
  readonly tables: readonly Int32Array[];
}

/** Schedule entries: a power of two; a share is exact to 1/2048. */
const ENTRIES = 2048;
/** Words per region: kind, start, pages, step, phase, hot lines, then the state: cursor, count. */
const REGION = 8;
const CURSOR = 6;
const COUNT = 7;
// The compiler folds constants of this module, but loads imported ones at each use.
const UNIFORM = Kind.Uniform;
const ZIPF = Kind.Zipf;
const STRIDE = Kind.Stride;
const WORKING_SET = Kind.WorkingSet;
const GOLDEN = 0x9e3779b1 | 0;
const UNIT = 2 ** -32;
const MASK = 2 * ENTRIES - 1;

/**
 * What `fill` reads at every visit lies in arrays of the module, whose address and length the compiler knows
 * (as in machine/heap.ts): the blocks, the schedules of the last mixes made, the regions of the mixer at work.
 */
const H = heap;
const SLOTS = 64;
const SLOT_WORDS = 2 * ENTRIES;
const schedules = new Int32Array(SLOTS * SLOT_WORDS);
/** Whose schedule lies in each slot. */
const held: (Int32Array | undefined)[] = new Array(SLOTS).fill(undefined);
let nextSlot = 0;
/** A region's number has 8 bits. */
const state = new Int32Array(256 * REGION);

let primed = false;

/**
 * Goes every way through the loop that draws visits before it is compiled. A way that is taken for the first time
 * later, such as the second phase of a working set, throws the compiled loop away, and at times only its slow form
 * comes back: the same run then takes twice as long (docs/decisions/0011).
 */
function prime(): void {
  primed = true;
  const table = new Int32Array(3 * 16);
  const region = (kind: number, pages: number): MixRegion => ({
    start: 0,
    sampler: { kind, pages, step: 1, phase: 1, table },
    share: 1,
    fetch: false,
    stores: 0,
    lines: 1,
    hotLines: 1,
  });
  const kinds = Object.values(Kind).map((kind) => region(kind, 16));
  const large = region(Kind.Uniform, 2 ** 20);
  const mean = { references: 1, instructions: 1 };
  const mixer = new Mixer(makeMix([...kinds, large], mean, '', 'prime'), '', 'prime');
  const block = acquire(256 * ITEM_WORDS);
  for (let i = 0; i < 8; i++) mixer.fill(H, block, 256, 1000);
  release(block);
}

export function makeMix(
  regions: readonly MixRegion[],
  mean: MeanVisit,
  seed: string,
  path: string,
): Mix {
  if (!primed) prime();
  const words = new Int32Array(regions.length * REGION);
  for (const [i, { start, sampler, hotLines }] of regions.entries()) {
    const { kind, pages, step, phase } = sampler;
    // The count of a working set starts used up: its window is placed by the first visit.
    words.set([kind, start, pages, step, phase, hotLines, 0, 0], i * REGION);
  }
  const slot = nextSlot++ % SLOTS;
  return {
    slot,
    words,
    schedule: makeSchedule(regions, mean, xoshiroState(seed, path)),
    tables: regions.map((region) => region.sampler.table),
  };
}

/**
 * Two words per visit: `op | region << 8 | lines << 16` and `references | instructions << 16`. References
 * and instructions are spread evenly over half to one and a half times their means. assumed (real runs of
 * references in a page are more skewed)
 */
function makeSchedule(
  regions: readonly MixRegion[],
  mean: MeanVisit,
  random: Int32Array,
): Int32Array {
  const schedule = new Int32Array(2 * ENTRIES);
  const heads: number[] = [];
  const counts = apportion(regions.map((region) => region.share));
  for (const [i, { fetch, stores, lines }] of regions.entries()) {
    const storeVisits = Math.round(counts[i]! * stores);
    for (let k = 0; k < counts[i]!; k++) {
      const op = fetch ? Op.Fetch : k < storeVisits ? Op.Store : Op.Load;
      heads.push(op | (i << 8) | (lines << 16));
    }
  }
  const order = permutation(ENTRIES, random);
  const spread = permutation(ENTRIES, random);
  let references = 0;
  let instructions = 0;
  for (let i = 0; i < ENTRIES; i++) {
    // Rounding down a running sum keeps the mean exact.
    const factor = 0.5 + (spread[i]! + 0.5) / ENTRIES;
    const r = references + mean.references * factor;
    const n = instructions + mean.instructions * factor;
    schedule[2 * i] = heads[order[i]!]!;
    schedule[2 * i + 1] = Math.max(1, Math.floor(r)) | (Math.max(1, Math.floor(n)) << 16);
    references = r - Math.max(1, Math.floor(r));
    instructions = n - Math.max(1, Math.floor(n));
  }
  return schedule;
}

/** Divides the schedule by shares (largest remainders); whoever has a share gets at least one entry. */
function apportion(shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const exact = shares.map((share) => (share / total) * ENTRIES);
  const counts = exact.map((x) => (x > 0 ? Math.max(1, Math.floor(x)) : 0));
  const byRemainder = exact
    .map((x, i) => ({ i, rest: x - counts[i]! }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  let left = ENTRIES - counts.reduce((sum, count) => sum + count, 0);
  for (let k = 0; left > 0; k++, left--) counts[byRemainder[k % shares.length]!.i]!++;
  while (left++ < 0) counts[counts.indexOf(Math.max(...counts))]!--;
  return counts;
}

/** `below` of patterns.ts. Up to 65 536 pages it takes whole numbers only, twice as fast. */
const belowHot = (n: number, bits: number): number => {
  if (n <= 65_536) {
    return (Math.imul(bits >>> 16, n) + (Math.imul(bits & 65_535, n) >>> 16)) >>> 16;
  }
  return ((bits >>> 0) * (n * UNIT)) | 0;
};

/** `index`, below twice `pages`, less `pages` if it is not below that; without a branch. */
const wrap = (index: number, pages: number): number => {
  const over = (index - pages) | 0;
  return (over + (pages & (over >> 31))) | 0;
};

/** The visits of one process: a mix, where it stands in each pattern, and its own random numbers. */
export class Mixer {
  /** Instructions of the visits of the last fill. */
  spent = 0;
  private readonly words: Int32Array;
  private readonly slot: number;
  private readonly schedule: Int32Array;
  private readonly tables: readonly Int32Array[];
  private readonly random: Int32Array;
  private position: number;

  constructor(mix: Mix, seed: string, path: string) {
    this.words = mix.words.slice();
    this.slot = mix.slot;
    this.schedule = mix.schedule;
    this.tables = mix.tables;
    this.random = xoshiroState(seed, path);
    // Copies of a program start at different places of schedule and patterns.
    this.position = 2 * below(ENTRIES, xoshiroNext(this.random));
    for (let at = 0; at < this.words.length; at += REGION) {
      this.words[at + CURSOR] = below(this.words[at + 2]!, xoshiroNext(this.random));
    }
  }

  /** Writes visits until there is no room or `budget` instructions are spent; returns how many. HOT. */
  fill(out: Int32Array, at: number, room: number, budget: number): number {
    const { words, slot, schedule } = this;
    if (out !== H) return this.fillElsewhere(out, at, room, budget);
    if (held[slot] !== schedule) {
      schedules.set(schedule, slot * SLOT_WORDS);
      held[slot] = schedule;
    }
    const regions = words.length;
    state.set(words);
    const n = this.mix(at | 0, room | 0, budget | 0);
    for (let region = 0; region < regions; region += REGION) {
      words[region + CURSOR] = state[region + CURSOR]!;
      words[region + COUNT] = state[region + COUNT]!;
    }
    return n;
  }

  private fillElsewhere(out: Int32Array, at: number, room: number, budget: number): number {
    const block = acquire(room * ITEM_WORDS);
    const n = this.fill(H, block, room, budget);
    out.set(H.subarray(block, block + n * ITEM_WORDS), at);
    release(block);
    return n;
  }

  private mix(begin: number, room: number, budget: number): number {
    // Parameters are of any type to the compiler, and so is what starts from them.
    const at = begin | 0;
    const most = budget | 0;
    const h = H;
    const regions = state;
    const plan = schedules;
    const { random, tables } = this;
    const first = Math.imul(this.slot, SLOT_WORDS);
    let s0 = random[0]!;
    let s1 = random[1]!;
    let s2 = random[2]!;
    let s3 = random[3]!;
    let position = this.position;
    let spent = 0;
    let to = at;
    const end = (at + Math.imul(room | 0, ITEM_WORDS)) | 0;
    while (to < end && spent < most) {
      const head = plan[(first + position) | 0]!;
      const sizes = plan[(first + position + 1) | 0]!;
      position = (position + 2) & MASK;
      const region = (head >>> 5) & 0x7f8;
      // xoshiro128** (Blackman and Vigna 2018), as in base/random.ts.
      let x = Math.imul(s1, 5);
      const bits = Math.imul((x << 7) | (x >>> 25), 9);
      let t = s1 << 9;
      s2 ^= s0;
      s3 ^= s1;
      s1 ^= s2;
      s0 ^= s3;
      s2 ^= t;
      s3 = (s3 << 11) | (s3 >>> 21);
      const pages = regions[region + 2]!;
      const kind = regions[region]!;
      let index: number;
      if (kind === UNIFORM) {
        index = belowHot(pages, bits);
      } else if (kind === WORKING_SET) {
        let left = regions[region + COUNT]!;
        if (left === 0) {
          // A new phase: this visit's number places the window.
          regions[region + CURSOR] = belowHot(pages, bits);
          left = regions[region + 4]!;
        }
        regions[region + COUNT] = (left - 1) | 0;
        const within = belowHot(regions[region + 3]!, Math.imul(bits, GOLDEN));
        index = wrap((regions[region + CURSOR]! + within) | 0, pages);
      } else if (kind === ZIPF) {
        x = Math.imul(s1, 5);
        const coin = Math.imul((x << 7) | (x >>> 25), 9) >>> 16;
        t = s1 << 9;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = (s3 << 11) | (s3 >>> 21);
        const table = tables[(head >>> 8) & 255]!;
        const column = Math.imul(belowHot(pages, bits), 3);
        // Without a branch, which would be mispredicted half the time: 1 more when coin >= threshold.
        index = table[(column + 1 + ((table[column]! - 1 - coin) >>> 31)) | 0]!;
      } else {
        index = regions[region + CURSOR]!;
        regions[region + CURSOR] =
          kind === STRIDE
            ? wrap((index + regions[region + 3]!) | 0, pages)
            : tables[(head >>> 8) & 255]![index]!;
      }
      const line =
        (Math.imul(index, GOLDEN) >>> 26) + (Math.imul(bits & 63, regions[region + 5]!) >> 6);
      h[to] = (regions[region + 1]! + index) | 0;
      h[(to + 1) | 0] = (head & 0xff00ff) | ((line & 63) << 8);
      h[(to + 2) | 0] = sizes & 65_535;
      h[(to + 3) | 0] = sizes >>> 16;
      spent = (spent + (sizes >>> 16)) | 0;
      to = (to + 4) | 0;
    }
    random[0] = s0;
    random[1] = s1;
    random[2] = s2;
    random[3] = s3;
    this.position = position;
    this.spent = spent;
    return ((to - at) | 0) >> 2;
  }
}

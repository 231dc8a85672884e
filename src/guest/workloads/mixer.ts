import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import {
  ITEM_INSTRUCTIONS as ITEM_INSTRUCTIONS_,
  ITEM_OP as ITEM_OP_,
  ITEM_PAGE as ITEM_PAGE_,
  ITEM_REFERENCES as ITEM_REFERENCES_,
  itemSpace,
} from '../../machine/items.ts';
import { below, Kind, permutation, type Sampler } from './patterns.ts';
import { Op } from './workload.ts';

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

/** By visit: `op | region << 8 | lines << 16`, and `references | instructions << 16`. */
interface Schedule {
  readonly heads: Int32Array;
  readonly sizes: Int32Array;
}

/** What the processes that run the same program share. */
export interface Mix {
  /** Where its schedule lies in `schedules`, while it does. */
  readonly slot: number;
  readonly words: Int32Array;
  readonly schedule: Schedule;
  /** Whether anybody looks at the lines of visits. */
  readonly lines: boolean;
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
const ITEM_INSTRUCTIONS = ITEM_INSTRUCTIONS_;
const ITEM_OP = ITEM_OP_;
const ITEM_PAGE = ITEM_PAGE_;
const ITEM_REFERENCES = ITEM_REFERENCES_;
const GOLDEN = 0x9e3779b1 | 0;
const UNIT = 2 ** -32;
const MASK = ENTRIES - 1;

/**
 * What `fill` reads at every visit lies in arrays of the module, whose address and length the compiler knows
 * (see machine/heap.ts): the schedules of the last mixes made, and the regions of the mixer at work, whose number has 8 bits.
 */
const SLOTS = 64;
const heads = new Int32Array(SLOTS * ENTRIES);
const sizesOf = new Int32Array(SLOTS * ENTRIES);
/** Whose schedule lies in each slot. */
const held: (Schedule | undefined)[] = new Array(SLOTS).fill(undefined);
let nextSlot = 0;
const kinds = new Int32Array(256);
const starts = new Int32Array(256);
const pagesOf = new Int32Array(256);
const steps = new Int32Array(256);
const phases = new Int32Array(256);
const hotLinesOf = new Int32Array(256);
const cursors = new Int32Array(256);
const counts = new Int32Array(256);

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
  const small = Object.values(Kind).map((kind) => region(kind, 16));
  const large = region(Kind.Uniform, 2 ** 20);
  const mean = { references: 1, instructions: 1 };
  const mixer = new Mixer(makeMix([...small, large], mean, '', 'prime'), '', 'prime');
  const block = itemSpace.acquire(256);
  for (let i = 0; i < 8; i++) mixer.fill(block, 256, 1000);
  itemSpace.release(block);
}

export function makeMix(
  regions: readonly MixRegion[],
  mean: MeanVisit,
  seed: string,
  path: string,
  lines = true,
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
    lines,
    schedule: makeSchedule(regions, mean, xoshiroState(seed, path)),
    tables: regions.map((region) => region.sampler.table),
  };
}

/**
 * References and instructions are spread evenly over half to one and a half times their means. assumed (real runs of
 * references in a page are more skewed)
 */
function makeSchedule(
  regions: readonly MixRegion[],
  mean: MeanVisit,
  random: Int32Array,
): Schedule {
  const schedule = { heads: new Int32Array(ENTRIES), sizes: new Int32Array(ENTRIES) };
  const inOrder: number[] = [];
  const counts = apportion(regions.map((region) => region.share));
  for (const [i, { fetch, stores, lines }] of regions.entries()) {
    const storeVisits = Math.round(counts[i]! * stores);
    for (let k = 0; k < counts[i]!; k++) {
      const op = fetch ? Op.Fetch : k < storeVisits ? Op.Store : Op.Load;
      inOrder.push(op | (i << 8) | (lines << 16));
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
    schedule.heads[i] = inOrder[order[i]!]!;
    schedule.sizes[i] = Math.max(1, Math.floor(r)) | (Math.max(1, Math.floor(n)) << 16);
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
  private readonly mix: Mix;
  private readonly random: Int32Array;
  private position: number;

  constructor(mix: Mix, seed: string, path: string) {
    this.words = mix.words.slice();
    this.mix = mix;
    this.random = xoshiroState(seed, path);
    // Copies of a program start at different places of schedule and patterns.
    this.position = below(ENTRIES, xoshiroNext(this.random));
    for (let at = 0; at < this.words.length; at += REGION) {
      this.words[at + CURSOR] = below(this.words[at + 2]!, xoshiroNext(this.random));
    }
  }

  /** Writes visits from item `at` on until there is no room or `budget` instructions are spent; returns how many. HOT. */
  fill(at: number, room: number, budget: number): number {
    const { words } = this;
    const { slot, schedule } = this.mix;
    if (held[slot] !== schedule) {
      heads.set(schedule.heads, slot * ENTRIES);
      sizesOf.set(schedule.sizes, slot * ENTRIES);
      held[slot] = schedule;
    }
    const regions = words.length / REGION;
    for (let region = 0, word = 0; region < regions; region++) {
      kinds[region] = words[word++]!;
      starts[region] = words[word++]!;
      pagesOf[region] = words[word++]!;
      steps[region] = words[word++]!;
      phases[region] = words[word++]!;
      hotLinesOf[region] = words[word++]!;
      cursors[region] = words[word++]!;
      counts[region] = words[word++]!;
    }
    const n = this.draw(at | 0, room | 0, budget | 0);
    for (let region = 0; region < regions; region++) {
      words[region * REGION + CURSOR] = cursors[region]!;
      words[region * REGION + COUNT] = counts[region]!;
    }
    return n;
  }

  private draw(begin: number, room: number, budget: number): number {
    // Parameters are of any type to the compiler, and so is what starts from them.
    const at = begin | 0;
    const most = budget | 0;
    const { random, mix } = this;
    const { tables, lines } = mix;
    // Constants that a loop reads are known to the compiler if they are locals before it.
    const planHeads = heads;
    const planSizes = sizesOf;
    const regionKinds = kinds;
    const regionStarts = starts;
    const regionPages = pagesOf;
    const regionSteps = steps;
    const regionLines = hotLinesOf;
    const cursor = cursors;
    const visitsLeft = counts;
    const itemPages = ITEM_PAGE;
    const itemOps = ITEM_OP;
    const itemReferences = ITEM_REFERENCES;
    const itemInstructions = ITEM_INSTRUCTIONS;
    const first = Math.imul(mix.slot, ENTRIES);
    let s0 = random[0]!;
    let s1 = random[1]!;
    let s2 = random[2]!;
    let s3 = random[3]!;
    let position = this.position;
    let spent = 0;
    let to = at;
    const end = (at + room) | 0;
    while (to < end && spent < most) {
      const visit = (first + position) | 0;
      const head = planHeads[visit]!;
      const sizes = planSizes[visit]!;
      position = (position + 1) & MASK;
      const region = (head >>> 8) & 255;
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
      const pages = regionPages[region]!;
      const kind = regionKinds[region]!;
      let index: number;
      if (kind === UNIFORM) {
        index = belowHot(pages, bits);
      } else if (kind === WORKING_SET) {
        let left = visitsLeft[region]!;
        if (left === 0) {
          // A new phase: this visit's number places the window.
          cursor[region] = belowHot(pages, bits);
          left = phases[region]!;
        }
        visitsLeft[region] = (left - 1) | 0;
        const within = belowHot(regionSteps[region]!, Math.imul(bits, GOLDEN));
        index = wrap((cursor[region]! + within) | 0, pages);
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
        const table = tables[region]!;
        const column = Math.imul(belowHot(pages, bits), 3);
        // Without a branch, which would be mispredicted half the time: 1 more when coin >= threshold.
        index = table[(column + 1 + ((table[column]! - 1 - coin) >>> 31)) | 0]!;
      } else {
        index = cursor[region]!;
        cursor[region] =
          kind === STRIDE
            ? wrap((index + regionSteps[region]!) | 0, pages)
            : tables[region]![index]!;
      }
      let op = head & 0xff00ff;
      if (lines) {
        const line =
          (Math.imul(index, GOLDEN) >>> 26) + (Math.imul(bits & 63, regionLines[region]!) >> 6);
        op |= (line & 63) << 8;
      }
      itemPages[to] = (regionStarts[region]! + index) | 0;
      itemOps[to] = op;
      itemReferences[to] = sizes & 65_535;
      itemInstructions[to] = sizes >>> 16;
      spent = (spent + (sizes >>> 16)) | 0;
      to = (to + 1) | 0;
    }
    random[0] = s0;
    random[1] = s1;
    random[2] = s2;
    random[3] = s3;
    this.position = position;
    this.spent = spent;
    return (to - at) | 0;
  }
}

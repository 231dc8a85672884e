import { xoshiroState } from '../../base/random.ts';
import { LINE_BITS, type LineLaw, lineBits, lineLaw, SEQUENTIAL } from './lines.ts';
import { Kind, permutation, type Sampler } from './patterns.ts';
import { Op } from './workload.ts';

/**
 * What a process does at each visit, except which page it goes to: a shuffled schedule that is made
 * once for all processes that run the same program, holds every share exactly and is repeated
 * endlessly (see mixer.ts).
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
  /** Mean number of lines that a visit touches. */
  readonly lines: number;
  /** Lines of a page that visits begin at, and Zipf's exponent of how often at each. */
  readonly hotLines: number;
  readonly lineSkew: number;
}

/** Means of all visits. */
export interface MeanVisit {
  readonly references: number;
  readonly instructions: number;
}

/**
 * By visit: `op | region << 8 | lines << 16 | sequential << 24 | kind << 25`, and
 * `references | instructions << 16`.
 */
export interface Schedule {
  readonly heads: Int32Array;
  readonly sizes: Int32Array;
}

/** What processes that run the same program share. */
export interface Mix {
  /** Among the mixes of its VM. */
  readonly number: number;
  /** Which of `SLOTS` places for schedules its own takes. */
  readonly slot: number;
  readonly words: Int32Array;
  readonly schedule: Schedule;
  /** Whether anybody looks at the lines of visits. */
  readonly lines: boolean;
  readonly tables: readonly Int32Array[];
  readonly laws: readonly LineLaw[];
  /** By region. */
  readonly samplers: readonly Sampler[];
  /** Whether no region has a table or more than `SMALL` pages. */
  readonly plain: boolean;
}

/** Schedule entries: a power of two; a share is exact to 1/2048. */
export const ENTRIES = 2048;
/**
 * Words per region: kind, start, pages, step, phase, place of the table of its lines, then the
 * state: cursor, count.
 */
export const REGION = 8;
/** How many mixes have their schedules at hand at a time. */
export const SLOTS = 64;
let nextSlot = 0;

/** Pages of a region up to which drawing one takes two multiplications. */
export const SMALL = 65_536;

const isPlain = ({ kind, pages }: Sampler): boolean =>
  kind !== Kind.Zipf && kind !== Kind.Chase && kind !== Kind.Stream && pages <= SMALL;

/**
 * Makes the schedule for a program with these regions; `path` names the random stream that shuffles
 * it.
 */
export function makeMix(
  regions: readonly MixRegion[],
  mean: MeanVisit,
  seed: string,
  path: string,
  lines = true,
  number = 0,
): Mix {
  const words = new Int32Array(regions.length * REGION);
  const laws = regions.map(({ hotLines, lineSkew }) => lineLaw(hotLines, lineSkew));
  for (const [i, { start, sampler }] of regions.entries()) {
    const { kind, pages, step, phase } = sampler;
    const law = laws[i]!.slot << LINE_BITS;
    // The count of a working set starts used up: its window is placed by the first visit.
    words.set([kind, start, pages, step, phase, law, 0, 0], i * REGION);
  }
  return {
    number,
    slot: nextSlot++ % SLOTS,
    words,
    lines,
    schedule: makeSchedule(regions, mean, xoshiroState(seed, path)),
    tables: regions.map((region) => region.sampler.table),
    laws,
    samplers: regions.map(({ sampler }) => sampler),
    plain: regions.every(({ sampler }) => isPlain(sampler)),
  };
}

/**
 * References and instructions are spread evenly over half to one and a half times their means.
 * assumed (real runs of references in a page are more skewed)
 */
function makeSchedule(
  regions: readonly MixRegion[],
  mean: MeanVisit,
  random: Int32Array,
): Schedule {
  const schedule = { heads: new Int32Array(ENTRIES), sizes: new Int32Array(ENTRIES) };
  const inOrder: number[] = [];
  const counts = apportion(regions.map((region) => region.share));
  for (const [i, { fetch, stores, lines, sampler }] of regions.entries()) {
    const storeVisits = Math.round(counts[i]! * stores);
    const stream = sampler.kind === Kind.Stream ? SEQUENTIAL : 0;
    for (let k = 0; k < counts[i]!; k++) {
      const op = fetch ? Op.Fetch : k < storeVisits ? Op.Store : Op.Load;
      // Of loads and of stores alike, a share touches one line more.
      const touched = stream ? 1 : Math.round((k + 1) * lines) - Math.round(k * lines);
      inOrder.push(op | (i << 8) | lineBits(0, touched) | stream | (sampler.kind << 25));
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

/**
 * Divides the schedule by shares (largest remainders); whoever has a share gets at least one entry.
 */
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

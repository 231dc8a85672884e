import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import {
  acquireBlock,
  ITEM_INSTRUCTIONS,
  ITEM_OP,
  ITEM_PAGE,
  ITEM_REFERENCES,
  releaseBlock,
} from '../../machine/items.ts';
import type { Stretch } from '../../machine/learned/stretch.ts';
import type { Item } from './item.ts';
import { LAWS, LINE_BITS, type LineLaw } from './lines.ts';
import { ENTRIES, type Mix, makeMix, REGION, type Schedule, SLOTS } from './mix.ts';
import type { PageRights } from './page-rights.ts';
import { below, Kind } from './patterns.ts';
import { Skipper } from './skipping.ts';

/**
 * HOT. Mixes visits to the regions of one process. Which region, load or store, how many references
 * and instructions: a shuffled schedule that is made once, holds every share exactly and is gone
 * through again and again (mix.ts). Which page of the region: drawn afresh each time.
 */

const CURSOR = 6;
const COUNT = 7;
const UNIFORM = Kind.Uniform;
const ZIPF = Kind.Zipf;
const STRIDE = Kind.Stride;
const WORKING_SET = Kind.WorkingSet;
const STREAM = Kind.Stream;
const GOLDEN = 0x9e3779b1 | 0;
const MASK = ENTRIES - 1;
const LINE_MASK = (1 << LINE_BITS) - 1;
/** Of the head of a visit: operation, number of lines, sequential. */
const OP_MASK = 0x17f00ff;
const UNIT = 2 ** -32;

/**
 * What `fill` reads at every visit lies in arrays of the module, whose address and length the
 * compiler knows (see machine/heap.ts): the schedules of the last mixes made, and the regions of
 * the mixer at work, whose number has 8 bits.
 */
const heads = new Int32Array(SLOTS * ENTRIES);
const sizesOf = new Int32Array(SLOTS * ENTRIES);
/** Whose schedule lies in each slot. */
const held: (Schedule | undefined)[] = new Array(SLOTS).fill(undefined);
const starts = new Int32Array(256);
const pagesOf = new Int32Array(256);
const steps = new Int32Array(256);
const phases = new Int32Array(256);
/** Pages and steps / 2^32. */
const scales = new Float64Array(256);
const stepScales = new Float64Array(256);
/** Where the table of lines of each region begins in `lineTables`. */
const lawsOf = new Int32Array(256);
const lineTables = new Uint8Array(LAWS << LINE_BITS);
const heldLaws: (LineLaw | undefined)[] = new Array(LAWS).fill(undefined);
const cursors = new Int32Array(256);
const counts = new Int32Array(256);

const PLAIN = [Kind.Uniform, Kind.Stride, Kind.WorkingSet];
const primed = { plain: false, mixed: false };

/**
 * Takes every branch of a loop that draws visits before the loop is compiled. A branch that is
 * first taken later, such as the second phase of a working set, discards the compiled loop, and
 * sometimes only its slow form returns: the same run then takes twice as long
 * (docs/decisions/0011).
 */
function prime(plain: boolean): void {
  primed[plain ? 'plain' : 'mixed'] = true;
  const table = new Int32Array(3 * 16);
  const regions = (plain ? PLAIN : Object.values(Kind)).map((kind) => ({
    start: 0,
    sampler: { kind, pages: 16, step: 1, phase: 2, table },
    share: 1,
    fetch: false,
    stores: 0,
    lines: 1,
    hotLines: 1,
    lineSkew: 0,
  }));
  const mean = { references: 1, instructions: 1 };
  const block = acquireBlock(256);
  for (const lines of [false, true]) {
    const mixer = new Mixer(makeMix(regions, mean, '', 'prime', lines), '', 'prime');
    for (let i = 0; i < 8; i++) mixer.fill(block, 256, 1000);
  }
  releaseBlock(block);
}

/**
 * `below` of patterns.ts for n up to `SMALL`, in whole numbers: twice as fast as with doubles, but
 * for larger n it needs them.
 */
const belowSmall = (n: number, bits: number): number =>
  (Math.imul(bits >>> 16, n) + (Math.imul(bits & 65_535, n) >>> 16)) >>> 16;

/** `index`, below twice `pages`, less `pages` if it is not below that; without a branch. */
const wrap = (index: number, pages: number): number => {
  const over = (index - pages) | 0;
  return (over + (pages & (over >> 31))) | 0;
};

/** The visits of one process: a mix, its position in each pattern, and its own random numbers. */
export class Mixer {
  /** Instructions of the visits of the last fill. */
  spent = 0;
  readonly words: Int32Array;
  readonly mix: Mix;
  readonly number: number;
  readonly random: Int32Array;
  position: number;
  #skipper: Skipper | undefined;

  /** `starts`: first pages of the regions in this process, if not those of the mix. */
  constructor(mix: Mix, seed: string, path: string, starts?: readonly number[]) {
    if (!primed[mix.plain ? 'plain' : 'mixed']) prime(mix.plain);
    this.words = mix.words.slice();
    for (const [i, start] of (starts ?? []).entries()) this.words[i * REGION + 1] = start;
    this.mix = mix;
    this.number = mix.number;
    this.random = xoshiroState(seed, path);
    // Copies of a program start at different places of schedule and patterns.
    this.position = below(ENTRIES, xoshiroNext(this.random));
    for (let at = 0; at < this.words.length; at += REGION) {
      const page = below(this.words[at + 2]!, xoshiroNext(this.random));
      this.words[at + CURSOR] = this.words[at] === STREAM ? page << 12 : page;
    }
  }

  /**
   * Writes visits from item `at` on until there is no room or `budget` instructions are spent;
   * returns how many. HOT.
   */
  fill(at: number, room: number, budget: number): number {
    const { words } = this;
    const { slot, schedule } = this.mix;
    if (held[slot] !== schedule) {
      heads.set(schedule.heads, slot * ENTRIES);
      sizesOf.set(schedule.sizes, slot * ENTRIES);
      held[slot] = schedule;
    }
    for (const law of this.mix.laws) {
      if (heldLaws[law.slot] === law) continue;
      lineTables.set(law.table, law.slot << LINE_BITS);
      heldLaws[law.slot] = law;
    }
    const regions = words.length / REGION;
    for (let region = 0, word = 0; region < regions; region++) {
      word++;
      starts[region] = words[word++]!;
      pagesOf[region] = words[word++]!;
      steps[region] = words[word++]!;
      scales[region] = pagesOf[region]! * UNIT;
      stepScales[region] = steps[region]! * UNIT;
      phases[region] = words[word++]!;
      lawsOf[region] = words[word++]!;
      cursors[region] = words[word++]!;
      counts[region] = words[word++]!;
    }
    const { mix, random, position } = this;
    const draw = mix.plain ? drawPlain : drawMixed;
    const n = room > 0 && budget > 0 ? draw(mix, random, position, at, at + room, budget) - at : 0;
    this.position = (position + n) & MASK;
    this.spent = ITEM_INSTRUCTIONS[at + n - 1]! - ITEM_INSTRUCTIONS[at - 1]!;
    for (let region = 0; region < regions; region++) {
      words[region * REGION + CURSOR] = cursors[region]!;
      words[region * REGION + COUNT] = counts[region]!;
    }
    return n;
  }

  skip(budget: number, stretch: Stretch, rights?: PageRights): Item | undefined {
    this.#skipper ??= new Skipper(this);
    return this.#skipper.skip(budget, stretch, rights);
  }
}

/**
 * Draws visits into the items from `begin` on, at least one, until `stop` or until `budget`
 * instructions are spent; returns the next item. `position` is that in the schedule.
 *
 * Of a mix whose regions have at most `SMALL` pages and no tables: then the state of the generator
 * stays in registers, since what else is needed has room beside it. It goes on at the end of the
 * loop, or the compiler would spill it.
 */
function drawPlain(
  mix: Mix,
  random: Int32Array,
  position: number,
  begin: number,
  stop: number,
  budget: number,
): number {
  // Constants that a loop reads are known to the compiler if they are locals before it; parameters
  // are of any type to it, and so is what starts from them.
  const planHeads = heads;
  const planSizes = sizesOf;
  const regionStarts = starts;
  const regionPages = pagesOf;
  const regionSteps = steps;
  const regionLaws = lawsOf;
  const linesBehind = lineTables;
  const cursor = cursors;
  const visitsLeft = counts;
  const itemPages = ITEM_PAGE;
  const itemOps = ITEM_OP;
  const itemReferences = ITEM_REFERENCES;
  const itemInstructions = ITEM_INSTRUCTIONS;
  const lines = mix.lines ? 1 : 0;
  const first = Math.imul(mix.slot, ENTRIES);
  const ahead = (position - begin) | 0;
  const end = stop | 0;
  let references = itemReferences[(begin - 1) | 0]!;
  let instructions = itemInstructions[(begin - 1) | 0]!;
  const limit = (instructions + budget) | 0;
  let s0 = random[0]!;
  let s1 = random[1]!;
  let s2 = random[2]!;
  let s3 = random[3]!;
  let to = begin | 0;
  do {
    const visit = (first + ((to + ahead) & MASK)) | 0;
    const head = planHeads[visit]!;
    const sizes = planSizes[visit]!;
    references = (references + (sizes & 65_535)) | 0;
    instructions = (instructions + (sizes >>> 16)) | 0;
    itemReferences[to] = references;
    itemInstructions[to] = instructions;
    // xoshiro128** (Blackman and Vigna 2018), as in base/random.ts.
    const x = Math.imul(s1, 5);
    const bits = Math.imul((x << 7) | (x >>> 25), 9);
    const kind = head >>> 25;
    const region = (head >>> 8) & 255;
    const pages = regionPages[region]!;
    let index: number;
    if (kind === UNIFORM) {
      index = belowSmall(pages, bits);
    } else if (kind === WORKING_SET) {
      let left = visitsLeft[region]!;
      if (left === 0) {
        // A new phase: the number of this visit places the window. `belowSmall`, which is not
        // inlined where it is rare.
        cursor[region] =
          (Math.imul(bits >>> 16, pages) + (Math.imul(bits & 65_535, pages) >>> 16)) >>> 16;
        left = phases[region]!;
      }
      visitsLeft[region] = (left - 1) | 0;
      const within = belowSmall(regionSteps[region]!, Math.imul(bits, GOLDEN));
      index = wrap((cursor[region]! + within) | 0, pages);
    } else {
      index = cursor[region]!;
      cursor[region] = wrap((index + regionSteps[region]!) | 0, pages);
    }
    let op = head & OP_MASK;
    if (lines !== 0) {
      const behind = linesBehind[(regionLaws[region]! + (bits & LINE_MASK)) | 0]!;
      op |= (((Math.imul(index, GOLDEN) >>> 26) + behind) & 63) << 8;
    }
    itemPages[to] = (regionStarts[region]! + index) | 0;
    itemOps[to] = op;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
    to = (to + 1) | 0;
  } while (to < end && instructions < limit);
  random[0] = s0;
  random[1] = s1;
  random[2] = s2;
  random[3] = s3;
  return to;
}

/**
 * The same for any mix. What a table takes beside the state of the generator has no room in
 * registers.
 */
function drawMixed(
  mix: Mix,
  random: Int32Array,
  position: number,
  begin: number,
  stop: number,
  budget: number,
): number {
  const { tables } = mix;
  const planHeads = heads;
  const planSizes = sizesOf;
  const regionStarts = starts;
  const regionPages = pagesOf;
  const regionSteps = steps;
  const scale = scales;
  const stepScale = stepScales;
  const regionLaws = lawsOf;
  const linesBehind = lineTables;
  const cursor = cursors;
  const visitsLeft = counts;
  const itemPages = ITEM_PAGE;
  const itemOps = ITEM_OP;
  const itemReferences = ITEM_REFERENCES;
  const itemInstructions = ITEM_INSTRUCTIONS;
  const lines = mix.lines ? 1 : 0;
  const first = Math.imul(mix.slot, ENTRIES);
  const ahead = (position - begin) | 0;
  const end = stop | 0;
  let references = itemReferences[(begin - 1) | 0]!;
  let instructions = itemInstructions[(begin - 1) | 0]!;
  const limit = (instructions + budget) | 0;
  let s0 = random[0]!;
  let s1 = random[1]!;
  let s2 = random[2]!;
  let s3 = random[3]!;
  let to = begin | 0;
  do {
    const visit = (first + ((to + ahead) & MASK)) | 0;
    const head = planHeads[visit]!;
    let x = Math.imul(s1, 5);
    const bits = Math.imul((x << 7) | (x >>> 25), 9);
    let t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
    const kind = head >>> 25;
    const region = (head >>> 8) & 255;
    const pages = regionPages[region]!;
    let op = head & OP_MASK;
    let index: number;
    if (kind === UNIFORM) {
      index = ((bits >>> 0) * scale[region]!) | 0;
    } else if (kind === WORKING_SET) {
      let left = visitsLeft[region]!;
      if (left === 0) {
        cursor[region] = ((bits >>> 0) * scale[region]!) | 0;
        left = phases[region]!;
      }
      visitsLeft[region] = (left - 1) | 0;
      const within = ((Math.imul(bits, GOLDEN) >>> 0) * stepScale[region]!) | 0;
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
      const column = Math.imul(((bits >>> 0) * scale[region]!) | 0, 3);
      // Branch-free, since the branch would be mispredicted half the time: 1 more when coin >=
      // threshold.
      index = table[(column + 1 + ((table[column]! - 1 - coin) >>> 31)) | 0]!;
    } else if (kind === STREAM) {
      // The place is a byte. A visit ends with its page, and the next one begins the next page.
      const place = cursor[region]!;
      index = place >>> 12;
      const offset = place & 4095;
      const beyond = (offset + regionSteps[region]! - 4096) | 0;
      const stop = (4096 + (beyond & (beyond >> 31))) | 0;
      const line = offset >>> 6;
      // The head has counted the first line.
      op += (line << 8) + ((((stop - 1) >>> 6) - line) << 16);
      // At the end of the region it starts again.
      const next = (place - offset + stop) | 0;
      cursor[region] = next & ((next - (pages << 12)) >> 31);
    } else {
      index = cursor[region]!;
      cursor[region] =
        kind === STRIDE ? wrap((index + regionSteps[region]!) | 0, pages) : tables[region]![index]!;
    }
    if (lines !== 0 && kind !== STREAM) {
      const behind = linesBehind[(regionLaws[region]! + (bits & LINE_MASK)) | 0]!;
      op |= (((Math.imul(index, GOLDEN) >>> 26) + behind) & 63) << 8;
    }
    const sizes = planSizes[visit]!;
    references = (references + (sizes & 65_535)) | 0;
    instructions = (instructions + (sizes >>> 16)) | 0;
    itemPages[to] = (regionStarts[region]! + index) | 0;
    itemOps[to] = op;
    itemInstructions[to] = instructions;
    itemReferences[to] = references;
    to = (to + 1) | 0;
  } while (to < end && instructions < limit);
  random[0] = s0;
  random[1] = s1;
  random[2] = s2;
  random[3] = s3;
  return to;
}

import { Leaf } from '../stats/leaves.ts';
import {
  arrayOf,
  CHAIN,
  FREE,
  firstArray,
  HEADS,
  HOME,
  IN_L1,
  IN_L2,
  IN_ROWS,
  LINK,
  NEXT,
  PREV,
  SET_MASK,
  SETS,
  TAG,
} from './entries.ts';
import { headsFor } from './hash.ts';
import { heap, type Take } from './heap.ts';
import type { Processor, TlbLevelSpec } from './processor.ts';
import type { TlbPlace } from './tlb.ts';

/** How the TLBs of a core are laid out, built and emptied; tlb.ts says what they are. */

/** Geometry of one side. */
export interface TlbSide extends TlbPlace {
  /** First word of the hash heads. */
  readonly heads: number;
  /** First entry, and the end of the last. */
  readonly first: number;
  readonly end: number;
  /** By level * 3 + size; null = that level does not hold that size. Sizes may share an array. */
  readonly arrays: readonly (TlbArray | null)[];
}

/** Geometry of one array. */
interface TlbArray {
  readonly entries: number;
  readonly sets: number;
  /** First set. */
  readonly at: number;
  readonly inRows: boolean;
}

const SIZES = ['4K', '2M', '1G'] as const;
const ROW = 4;

/** The arrays of a level, each once. */
function arraysOf(level: TlbLevelSpec): TlbLevelSpec['4K'][] {
  const arrays = SIZES.map((size) => level[size]).filter(({ entries }) => entries > 0);
  return level.shared ? arrays.slice(0, 1) : arrays;
}

const entriesOf = (levels: readonly TlbLevelSpec[]): number =>
  levels.flatMap(arraysOf).reduce((sum, { entries }) => sum + entries, 0);

/** By side: instructions, data. */
const levelsOf = ({ tlb }: Processor): readonly (readonly TlbLevelSpec[])[] => [
  [tlb.l1i, tlb.l2i],
  [tlb.l1d, tlb.l2d],
];

/**
 * Hash heads of each side: both have as many, so that no branch of a look-up depends on the side.
 */
const headsOf = (processor: Processor): number =>
  headsFor(Math.max(...levelsOf(processor).map(entriesOf)), 4);

/** How many words of the heap and entries `makeTlbs` takes, alignment included. */
export function tlbNeeds(processor: Processor): { words: number; entries: number } {
  let entries = 0;
  for (const levels of levelsOf(processor)) {
    // Entries, as many links, and sets.
    entries += 2 * (entriesOf(levels) + 17);
    for (const array of levels.flatMap(arraysOf)) entries += array.entries + 16;
  }
  return { words: 2 * (headsOf(processor) + 16), entries };
}

/** The TLBs of a core. */
export class CoreTlbs {
  /** 1 = the L2 holds what the L1 has evicted, 0 = what the L1 holds too. */
  readonly victimFill: number;
  readonly l2HitCycles: number;
  readonly sides: readonly TlbSide[];
  /** Whether fast-misses.ts knows such TLBs. */
  readonly suitFastMisses: boolean;

  constructor(
    words: Take,
    entries: Take,
    arrays: number,
    processor: Processor,
    freeLeaves: Uint8Array | undefined,
  ) {
    const { tlb } = processor;
    this.victimFill = tlb.fill === 'victim' ? 1 : 0;
    this.l2HitCycles = freeLeaves?.[Leaf.TlbL2Hit] === 1 ? 0 : tlb.l2HitCycles;
    this.sides = makeTlbs(words, entries, arrays, processor);
    const inRows = [0, 1].every(
      (side) => IN_ROWS[arrayOf(firstArray(arrays, side), IN_L2, 0)] === 1,
    );
    this.suitFastMisses = inRows && this.victimFill === 0;
  }
}

/** Empty TLBs of both sides of the core whose arrays begin at `at`. */
export function makeTlbs(
  words: Take,
  entries: Take,
  at: number,
  processor: Processor,
): readonly TlbSide[] {
  const setsOf = SETS;
  const masks = SET_MASK;
  const inRows = IN_ROWS;
  const links = LINK;
  return levelsOf(processor).map((levels, side) => {
    const made = makeTlbSide(words, entries, firstArray(at, side), levels, headsOf(processor));
    for (const [i, array] of made.arrays.entries()) {
      if (array === null) continue;
      const a = arrayOf(firstArray(at, side), i >= 3 ? IN_L2 : IN_L1, i % 3);
      setsOf[a] = array.at;
      masks[a] = array.sets - 1;
      inRows[a] = array.inRows ? 1 : 0;
      links[a] = i >= 3 ? made.end - made.first : 0;
    }
    return made;
  });
}

/** Empty TLBs of one side, with `hashed` hash heads. */
function makeTlbSide(
  words: Take,
  take: Take,
  at: number,
  levels: readonly TlbLevelSpec[],
  hashed: number,
): TlbSide {
  const headsOf = HEADS;
  const heads = words(hashed);
  const arrays = levels.flatMap((level, i) => {
    let shared: TlbArray | null = null;
    return SIZES.map((size) => {
      const { entries, ways } = level[size];
      if (entries === 0) return null;
      if (shared !== null) return shared;
      const sets = ways === 'full' ? 1 : entries / ways;
      const array = { entries, sets, at: take(sets), inRows: i > 0 && entries / sets === ROW };
      if (level.shared) shared = array;
      return array;
    });
  });
  // One more than all levels hold: a translation is filled before the one it replaces is gone.
  const entries = entriesOf(levels) + 1;
  const first = take(2 * entries);
  headsOf[at] = heads;
  const side = { at, heads, shift: 32 - Math.log2(hashed), first, end: first + entries, arrays };
  reset(side);
  return side;
}

/** Empties all arrays of a side. */
export function reset({ at, heads, shift, first, end, arrays }: TlbSide): void {
  heap.fill(0, heads, heads + 2 ** (32 - shift));
  TAG.fill(-1, first, end);
  for (let e = first; e < end; e++) CHAIN[e] = e + 1;
  CHAIN[end - 1] = 0;
  FREE[at] = first;
  // The four words of a row are its entries.
  for (const array of arrays) {
    if (array === null) continue;
    const { entries, sets, at: begin, inRows } = array;
    for (let set = begin; set < begin + sets; set++) {
      NEXT[set] = inRows ? 0 : set;
      PREV[set] = inRows ? 0 : set;
      HOME[set] = 0;
      CHAIN[set] = inRows ? 0 : entries / sets;
    }
  }
}

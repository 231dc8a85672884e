import type { MachineState } from './machine-state.ts';

/** Where a core's caches lie in the heap: words of their first tags (see `tagWords`). */
export interface CacheTags {
  readonly l1i: number;
  readonly l1d: number;
  readonly l2: number;
  /** 0 = there is none. */
  readonly l3: number;
  /** First word of the channels of all nodes (memory-channel.ts). */
  readonly channels: number;
}

/** A set of an L1 has at least this many words, so that HOT code may look at two of them. */
const LEAST_WAYS = 2;

interface Geometry {
  readonly size: number;
  readonly ways: number;
}

const setsOf = ({ size, ways }: Geometry): number => size / 64 / ways;

/** What both L1s of a core are. */
interface L1s {
  readonly l1i: Geometry;
  readonly l1d: Geometry;
}

/** Words from one tag of a set of an L1 to the next: the same for both L1s. */
const apartOf = ({ l1i, l1d }: L1s): number => Math.max(setsOf(l1i), setsOf(l1d));

/** Words of heap that the tags of either L1 take. */
export const tagWordsOfL1 = (both: L1s): number =>
  apartOf(both) * Math.max(LEAST_WAYS, both.l1i.ways, both.l1d.ways);

/** The same for an L2 or L3. */
export const tagWords = ({ size }: Geometry): number => size / 64;

/** What HOT code knows of an L1: see private-caches.ts for how its tags lie. */
export class L1 {
  readonly tags: number;
  readonly setMask: number;
  /** Words from one tag of a set to the next, and to the end of the set. */
  readonly apart: number;
  readonly length: number;

  constructor(cache: Geometry, tags: number, apart: number) {
    this.tags = tags;
    this.setMask = setsOf(cache) - 1;
    this.apart = apart;
    this.length = cache.ways * apart;
  }
}

/** What a core knows of the caches and the memory that it reads lines from (caches.ts). */
export class CoreCaches {
  readonly l1i: L1;
  readonly l1d: L1;
  readonly l1dCycles: number;
  /** The most recent tag of each set of the L2, and where the others begin. */
  readonly l2Newest: number;
  readonly l2Others: number;
  readonly l2Ways: number;
  readonly l2SetMask: number;
  readonly l2Cycles: number;
  /** 1 = a line is in one of the L1s or in the L2, never in two of them. */
  readonly exclusive: number;
  /** 1 = exclusive, and no other core shares the L1s or the L2. */
  readonly swaps: number;
  /** First tag of the L3; 0 = there is none. */
  readonly l3Tags: number;
  readonly l3Ways: number;
  readonly l3SetMask: number;
  readonly l3Cycles: number;
  /** Cycles to memory where there is one node, and else by node. */
  readonly dramCycles: number;
  readonly dramByNode: Int32Array;
  readonly nodes: number;
  readonly framesPerNode: number;
  /** Of memory-channel.ts: first word, pieces that are remembered - 1, lines in a piece. */
  readonly channels: number;
  readonly pieceMask: number;
  readonly linesPerPiece: number;
  /** 1 = page walks look in the L1 data cache first, 0 = in the L2. */
  readonly walksAtL1: number;
  /**
   * Where a walk that looks in the L2 first finds most lines: the most recent tag of each set. A
   * word that is always 0 where walks look in the L1.
   */
  readonly walkNewest: number;
  readonly walkSetMask: number;
  /** Thousandths of a stall that lines in a row leave. */
  readonly sequentialPermille: number;
  /** 1 = visits touch data lines. */
  readonly dataOn: number;
  readonly lineState: Int32Array;
  readonly frameOwner: Uint16Array;

  /**
   * When the access under way takes place, less `Core.time`: set by whoever begins one. All reads
   * of a walk take place when it begins.
   */
  ahead = 0;

  // Results of the last line that was brought from below the L2, valid until the next one.

  /** State of the line before (HostMemory.lineState): why it was missing. */
  lineCause = 0;
  /** Cycles that it waited for the channel of its node. */
  waited = 0;
  /** What `exchangeInL2` (private-caches.ts) pushed out of the L2, or 0. */
  victim = 0;

  constructor(state: MachineState, tags: CacheTags, dramByNode: Int32Array) {
    const { processor, memory, channelPieces } = state;
    const { l1i, l1d, l2, l3, prefetch } = processor.caches;
    const apart = apartOf(processor.caches);
    this.l1i = new L1(l1i, tags.l1i, apart);
    this.l1d = new L1(l1d, tags.l1d, apart);
    this.l1dCycles = l1d.hitCycles;
    this.l2Newest = tags.l2;
    this.l2Ways = l2.ways;
    this.l2SetMask = setsOf(l2) - 1;
    this.l2Others = this.l2Newest + this.l2SetMask + 1;
    this.l2Cycles = l2.hitCycles;
    this.exclusive = l2.exclusive ? 1 : 0;
    this.swaps = l2.exclusive && l2.sharedByCores === 1 && l1i.sharedByCores === 1 ? 1 : 0;
    this.l3Tags = tags.l3;
    this.l3Ways = l3.ways;
    this.l3SetMask = l3.size > 0 ? setsOf(l3) - 1 : 0;
    this.l3Cycles = l3.hitCycles;
    this.dramCycles = processor.memory.localCycles;
    this.dramByNode = dramByNode;
    this.nodes = memory.nodes;
    this.framesPerNode = memory.framesPerNode;
    this.channels = tags.channels;
    this.pieceMask = channelPieces - 1;
    this.linesPerPiece = Math.floor(1024 / processor.memory.lineCycles);
    this.walksAtL1 = processor.walk.reads === 'l1' ? 1 : 0;
    this.walkNewest = this.walksAtL1 === 1 ? 0 : this.l2Newest;
    this.walkSetMask = this.walksAtL1 === 1 ? 0 : this.l2SetMask;
    this.sequentialPermille = 1000 - prefetch.sequential;
    this.dataOn = state.dataLines ? 1 : 0;
    this.lineState = memory.lineState;
    this.frameOwner = memory.owner;
  }
}

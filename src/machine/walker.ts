import type { CoreArenas } from './core-arenas.ts';
import { MEMOS } from './entries.ts';
import type { Take } from './heap.ts';
import type { Processor } from './processor.ts';
import { makeWalkCache, renumber, type WalkCache } from './walk-cache.ts';

/** The page walker of a core: its caches, and what walk.ts leaves for whoever called it. */
export class Walker {
  readonly overhead: number;
  /** Page-walk cache. */
  readonly pwc: WalkCache;
  readonly pwcHeads: number;
  readonly pwcShift: number;
  readonly pwcCycles: number;
  /** 1 = the page-walk cache holds leaves of nested tables too. */
  readonly pwcNestedLeaves: number;
  /** Nested TLB. */
  readonly ntlb: WalkCache;
  readonly ntlbHeads: number;
  readonly ntlbShift: number;
  readonly ntlbCycles: number;
  /** 1 = the nested TLB has held large pages. */
  ntlbLarge = 0;
  /** Counts uses of the walk caches. */
  clock = 0;
  /** Incremented when a walk cache gains or loses an entry: an int32 that wraps around. */
  version = 0;
  /** First of the memos (walk-memo.ts) of paths through upper tables, and through nested ones. */
  readonly memos: number;
  readonly nestedMemos: number;

  // Results of the last walk, each valid until the next walk of this core begins. A fault handler
  // may visit memory, and so walk: it takes what it needs first.
  //
  // | filled by                           | when it       | fields                           |
  // | ----------------------------------- | ------------- | -------------------------------- |
  // | `walk1d`, `walk2d` (walk.ts)        | returns None  | frame, size, flags, slot         |
  // | `nestedWalk`, for `walk2d` alone    | finds a frame | nestedSize, nestedSlot, -Flags   |
  // | `nestedWalk`, for fault handlers    | finds none    | faultFrame                       |
  // | all of these, which add to them     | ends          | guestCycles, nestedCycles        |
  // | `walkAndReplace` (fast-misses.ts)   | returns != 0  | totalCycles, none of the others  |
  //
  // Cycles add up until `chargeWalk` (translate.ts) books them and sets them to 0. By then they
  // have passed, in `Core.ahead`. Why a data line was missing is said by `CoreCaches.lineCause`.

  /** Host frame of the page, which is of `size` (0 = 4K). */
  frame = 0;
  size = 0;
  /** Bits of the leaf; in two dimensions without rights that the nested leaf does not give. */
  flags = 0;
  /** Leaf slot by which losses are remembered: of the smaller page, or of the shadow's mirror. */
  slot = 0;
  /** Cycles in the table that is walked first, and in nested tables. */
  guestCycles = 0;
  nestedCycles = 0;
  nestedSize = 0;
  nestedSlot = 0;
  nestedFlags = 0;
  /** Guest frame that the nested table lacks, or that is not to be written. */
  faultFrame = 0;
  /** All cycles of the walk; they are charged, and have yet to pass. */
  totalCycles = 0;

  constructor({ walk }: Processor, words: Take, entries: Take, { memos }: CoreArenas) {
    this.overhead = walk.overheadCycles;
    this.pwc = makeWalkCache(words, entries, walk.pwcEntries);
    this.pwcHeads = this.pwc.heads;
    this.pwcShift = this.pwc.shift;
    this.pwcCycles = walk.pwcHitCycles;
    this.pwcNestedLeaves = walk.pwcNestedLeaves ? 1 : 0;
    this.ntlb = makeWalkCache(words, entries, walk.nestedTlbEntries);
    this.ntlbHeads = this.ntlb.heads;
    this.ntlbShift = this.ntlb.shift;
    this.ntlbCycles = walk.nestedTlbHitCycles;
    this.memos = memos.take(MEMOS);
    this.nestedMemos = memos.take(MEMOS);
  }

  /** Numbers the uses of the walk caches from 1 again. */
  resetClock(): void {
    this.clock = Math.max(renumber(this.pwc), renumber(this.ntlb));
  }
}

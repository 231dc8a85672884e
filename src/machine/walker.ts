import type { CoreArenas } from './core-arenas.ts';
import { WAYS } from './entries.ts';
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
  /**
   * First of the remembered paths through upper tables (see ways.ts), and of those through nested
   * tables.
   */
  readonly ways: number;
  readonly nestedWays: number;

  frame = 0;
  size = 0;
  flags = 0;
  slot = 0;
  guestCycles = 0;
  nestedCycles = 0;
  nestedSize = 0;
  nestedSlot = 0;
  nestedFlags = 0;
  faultFrame = 0;
  /** What the last walk of `walkAndReplace` took. */
  took = 0;

  constructor({ walk }: Processor, words: Take, entries: Take, { ways }: CoreArenas) {
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
    this.ways = ways.take(WAYS);
    this.nestedWays = ways.take(WAYS);
  }

  /** Numbers the uses of the walk caches from 1 again. */
  resetClock(): void {
    this.clock = Math.max(renumber(this.pwc), renumber(this.ntlb));
  }
}

import { Space } from './heap.ts';

/**
 * What TLBs and walk caches are made of, by number: each word of each kind of thing has an array of
 * its own (see heap.ts). 0 means none.
 */

/** `count` arrays of `length` words, which begin at different places of the host's cache sets. */
function arrays(length: number, count: number): () => Int32Array {
  const bytes = 4 * length + 5 * 64;
  const buffer = new ArrayBuffer(bytes * count);
  let at = 0;
  return () => new Int32Array(buffer, bytes * at++, length);
}

// Entries. The sets of a TLB are numbered among them (see tlb.ts).

const words = arrays(1 << 20, 11);

/** Page, or slot of a table entry. */
export const KEY = words();
/** Address space, ASID and page size; -1 = the entry is free. */
export const TAG = words();
// A failed look-up leads to entry 0, which matches nothing: no look-up asks for tag -1.
TAG[0] = -1;
/** Next entry with the same hash head. */
export const CHAIN = words();
/**
 * Bits of the page-table entry, which levels hold the translation, and whose it is: its vCPU, from
 * `OWNER_SHIFT` on.
 */
export const FLAGS = words();
/** Host frame. */
export const FRAME = words();
/** Leaf slot of the guest's table, flush sequence at fill. */
export const SLOT = words();
export const SEQ = words();
/** Links of a TLB's lists: neighbours in the set's order of recency, and the set. */
export const NEXT = words();
export const PREV = words();
export const HOME = words();
/** When an entry of a walk cache was last used. */
export const USED = words();

export const entrySpace = new Space('entries of TLBs and walk caches', [
  ...[KEY, TAG, CHAIN, FLAGS, FRAME, SLOT, SEQ, NEXT, PREV, HOME, USED],
]);

/** Levels in `FLAGS`, above the bits of the page-table entry. */
export const IN_L1 = 1 << 7;
export const IN_L2 = 1 << 8;
export const OWNER_SHIFT = 9;

// TLB arrays of all cores: the first of a core, plus level * 6 + side * 3 + size.

const of = arrays(1 << 16, 8);

/** First set, and their number less one. */
export const SETS = of();
export const SET_MASK = of();
/** 1 = the sets are rows, 0 = lists. */
export const IN_ROWS = of();
/** The links of an entry are this much further on. */
export const LINK = of();
/** Entries in use, of this page size. */
export const RESIDENT = of();
/**
 * Of a side, at the first of its arrays: hash heads, first free entry (the next one is its
 * `CHAIN`), and entries above 4K in use, where one held by both levels counts twice.
 */
export const HEADS = of();
export const FREE = of();
export const LARGE = of();

export const arraySpace = new Space('TLB arrays', [
  ...[SETS, SET_MASK, IN_ROWS, LINK, RESIDENT, HEADS, FREE, LARGE],
]);
/** Arrays of a core. */
export const ARRAYS = 12;

// Paths of walks through the three upper tables, some for each core (see ways.ts).

const way = arrays(1 << 16, 20);

/** Whose path: number of the 2 MiB region, root of the tables (0 = none), ASID. */
export const WAY_REGION = way();
export const WAY_ROOT = way();
export const WAY_TAG = way();
/** Version of the page tables, and of the core's walk caches, when the path was last checked. */
export const WAY_TABLES = way();
export const WAY_CACHES = way();
/** Where it leads: the last table, and the host frame of that. */
export const WAY_NODE = way();
export const WAY_FRAME = way();
/**
 * Slots of the three entries from the root on, what they say, and which entries of the page-walk
 * cache hold them.
 */
export const WAY_SLOT = [way(), way(), way()] as const;
export const WAY_ENTRY = [way(), way(), way()] as const;
export const WAY_HELD = [way(), way(), way()] as const;
/**
 * Entries of the nested TLB that hold the frames of the four tables, from the root on; 0 where
 * guest frames are not walked.
 */
export const WAY_UNDER = [way(), way(), way(), way()] as const;

export const waySpace = new Space('ways through page tables', [
  ...[WAY_REGION, WAY_ROOT, WAY_TAG, WAY_TABLES, WAY_CACHES, WAY_NODE, WAY_FRAME],
  ...[...WAY_SLOT, ...WAY_ENTRY, ...WAY_HELD, ...WAY_UNDER],
]);
/** Paths of a core through one kind of tables, a power of two. */
export const WAYS = 64;

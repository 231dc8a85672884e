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

const words = arrays(1 << 20, 12);

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
/** Host frame, and where the L1 cache of the side has the most recent tag of its first line. */
export const FRAME = words();
export const LINES = words();
/** Leaf slot of the guest's table, flush sequence at fill. */
export const SLOT = words();
export const SEQ = words();
/** Links of a TLB's lists: neighbours in the set's order of recency, and the set. */
export const NEXT = words();
export const PREV = words();
export const HOME = words();
/** The same words of a set that is a row: its entries, most recent first. */
export const ROW0 = NEXT;
export const ROW1 = PREV;
export const ROW2 = HOME;
export const ROW3 = CHAIN;
/** When an entry of a walk cache was last used. */
export const USED = words();

export const entrySpace = new Space('entries of TLBs and walk caches', [
  ...[KEY, TAG, CHAIN, FLAGS, FRAME, LINES, SLOT, SEQ, NEXT, PREV, HOME, USED],
]);

/** Levels in `FLAGS`, above the bits of the page-table entry. */
const L1 = 1 << 7;
export const IN_L1 = L1;
export const IN_L2 = 1 << 8;
export const OWNER_SHIFT = 9;

// TLB arrays of all cores. One of a core is for a level, a side and a page size.

const APART = 6;
/** The array of the L2 comes this much after that of the L1 for the same side and page size. */
export const SECOND_LEVEL = APART;
/** Arrays of a core. */
export const ARRAYS = 12;

/** The first array (L1, 4K) of a side, among those of a core that begin with `arrays`. */
export const firstArray = (arrays: number, side: number): number =>
  (arrays + Math.imul(side | 0, 3)) | 0;

/**
 * The array of `level` (IN_L1, IN_L2) for pages of `size` (0 = 4K) of the side that begins there.
 */
export const arrayOf = (first: number, level: number, size: number): number =>
  (first + (level === L1 ? 0 : APART) + size) | 0;

const of = arrays(1 << 16, 8);

/** First set (0 = there is no such array), and their number less one. */
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

// Memos: paths of walks through the three upper tables, some for each core (see walk-memo.ts).

const memo = arrays(1 << 16, 20);

/** Whose path: number of the 2 MiB region, root of the tables (0 = none), ASID. */
export const MEMO_REGION = memo();
export const MEMO_ROOT = memo();
export const MEMO_TAG = memo();
/** Version of the page tables, and of the core's walk caches, when the path was last checked. */
export const MEMO_TABLES = memo();
export const MEMO_CACHES = memo();
/** Where it leads: the last table, and the host frame of that. */
export const MEMO_NODE = memo();
export const MEMO_FRAME = memo();
/**
 * Slots of the three entries from the root on, what they say, and which entries of the page-walk
 * cache hold them.
 */
export const MEMO_SLOT = [memo(), memo(), memo()] as const;
export const MEMO_ENTRY = [memo(), memo(), memo()] as const;
export const MEMO_HELD = [memo(), memo(), memo()] as const;
/**
 * Entries of the nested TLB that hold the frames of the four tables, from the root on; 0 where
 * guest frames are not walked.
 */
export const MEMO_UNDER = [memo(), memo(), memo(), memo()] as const;

export const memoSpace = new Space('remembered walks', [
  ...[MEMO_REGION, MEMO_ROOT, MEMO_TAG, MEMO_TABLES, MEMO_CACHES, MEMO_NODE, MEMO_FRAME],
  ...[...MEMO_SLOT, ...MEMO_ENTRY, ...MEMO_HELD, ...MEMO_UNDER],
]);
/** Memos of a core for one kind of tables, a power of two. */
export const MEMOS = 64;

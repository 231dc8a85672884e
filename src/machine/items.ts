import { type Arena, Space } from './heap.ts';

/**
 * Items: the visits and operations of a program (guest/workloads/workload.ts says what their words
 * mean), by number, each word in an array of its own (see heap.ts). A program writes blocks of
 * them, and a core executes them.
 */
const LENGTH = 1 << 19;

/** Page, or the first argument of an operation. */
export const ITEM_PAGE = new Int32Array(LENGTH);
/** What it is: `Op`, and the lines of a visit. */
export const ITEM_OP = new Int32Array(LENGTH);
/**
 * References and instructions: running totals of the visits of the block, this one included, so
 * that executing some of them needs no addition. Of an operation: its other arguments.
 */
export const ITEM_REFERENCES = new Int32Array(LENGTH);
export const ITEM_INSTRUCTIONS = new Int32Array(LENGTH);

export const itemSpace = new Space('items', [
  ...[ITEM_PAGE, ITEM_OP, ITEM_REFERENCES, ITEM_INSTRUCTIONS],
]);

/** The item before a block has totals of 0. */
const MARGIN = 16;

/** What a block of `count` items takes from an arena. */
export const blockRoom = (count: number): number => (count + MARGIN + 15) & ~15;

/** Takes a block from an arena of zeroed items; returns its first item. */
export const takeBlock = (arena: Arena, count: number): number =>
  arena.take(count + MARGIN) + MARGIN;

/** The same from `itemSpace`; `releaseBlock` gives it back. */
export const acquireBlock = (count: number): number => itemSpace.acquire(count + MARGIN) + MARGIN;

export const releaseBlock = (block: number): void => itemSpace.release(block - MARGIN);

/** The four words of an item, with the references and instructions of this visit alone. */
export type Item = readonly [page: number, op: number, references: number, instructions: number];

/** Kinds of visits, in the low byte of `ITEM_OP`. What comes after them is an operation. */
export const Visit = { Fetch: 0, Load: 1, Store: 2 } as const;

/** Flag of a visit in `ITEM_OP`: its lines are part of a row that the core has seen coming. */
export const SEQUENTIAL = 1 << 24;
/** Flag of `visitKernel` alone: a store that clears lines past the caches (`clearLines`). */
export const PAST_CACHES = 1 << 25;

const isVisit = (op: number): boolean => (op & 255) <= Visit.Store;

/** Writes an item of a block after those before it. */
export function writeItem(at: number, [page, op, references, instructions]: Item): void {
  const visit = isVisit(op);
  ITEM_PAGE[at] = page;
  ITEM_OP[at] = op;
  ITEM_REFERENCES[at] = visit ? ITEM_REFERENCES[at - 1]! + references : references;
  ITEM_INSTRUCTIONS[at] = visit ? ITEM_INSTRUCTIONS[at - 1]! + instructions : instructions;
}

export function readItem(at: number): Item {
  const op = ITEM_OP[at]!;
  const visit = isVisit(op);
  return [
    ITEM_PAGE[at]!,
    op,
    ITEM_REFERENCES[at]! - (visit ? ITEM_REFERENCES[at - 1]! : 0),
    ITEM_INSTRUCTIONS[at]! - (visit ? ITEM_INSTRUCTIONS[at - 1]! : 0),
  ];
}

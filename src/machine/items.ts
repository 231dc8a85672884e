import { Space } from './heap.ts';

/**
 * Items: visits of a program and operations among them (guest/workloads/workload.ts says what their words mean), by
 * number, each word in an array of its own (see heap.ts). A program writes blocks of them, a core executes them.
 */
const LENGTH = 1 << 19;

/** Page, or the first argument of an operation. */
export const ITEM_PAGE = new Int32Array(LENGTH);
/** What it is: `Op`, and the lines of a visit. */
export const ITEM_OP = new Int32Array(LENGTH);
/** References and instructions, or the other arguments. */
export const ITEM_REFERENCES = new Int32Array(LENGTH);
export const ITEM_INSTRUCTIONS = new Int32Array(LENGTH);

export const itemSpace = new Space('items', [
  ...[ITEM_PAGE, ITEM_OP, ITEM_REFERENCES, ITEM_INSTRUCTIONS],
]);

/** The four words of an item. */
export type Item = readonly [page: number, op: number, references: number, instructions: number];

export function writeItem(at: number, item: Item): void {
  ITEM_PAGE[at] = item[0];
  ITEM_OP[at] = item[1];
  ITEM_REFERENCES[at] = item[2];
  ITEM_INSTRUCTIONS[at] = item[3];
}

export function readItem(at: number): Item {
  return [ITEM_PAGE[at]!, ITEM_OP[at]!, ITEM_REFERENCES[at]!, ITEM_INSTRUCTIONS[at]!];
}

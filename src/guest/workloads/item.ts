import type { Item } from '../../machine/items.ts';
import { lineBits } from './lines.ts';

export type { Item };

/** An operation as an item; see `Op` for its arguments. */
export const operation = (op: number, a = 0, b = 0, c = 0): Item => [a, op, b, c];

/** A visit as an item, to `lines` lines from `line` on. */
export function visit(
  op: number,
  page: number,
  references: number,
  instructions: number,
  line = 0,
  lines = 1,
): Item {
  return [page, op | lineBits(line, lines), references, instructions];
}

import type { Program } from '../../src/guest/workloads/workload.ts';
import {
  acquireBlock,
  type Item,
  readItem,
  releaseBlock,
  writeItem,
} from '../../src/machine/items.ts';

/** Runs `use` with room for so many items, and frees it afterwards. */
export function withItems<T>(room: number, use: (at: number) => T): T {
  const at = acquireBlock(room);
  try {
    return use(at);
  } finally {
    releaseBlock(at);
  }
}

/** The first `count` items from `at` on. */
export function itemsAt(at: number, count: number): Item[] {
  return Array.from({ length: count }, (_, i) => readItem(at + i));
}

/** The items of the next fill of a program. */
export function nextItems(program: Pick<Program, 'fill'>, room: number): Item[] {
  return withItems(room, (at) => itemsAt(at, program.fill(at, room)));
}

export { type Item, writeItem };

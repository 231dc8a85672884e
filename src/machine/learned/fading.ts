import { CAUSES, Cause, Leaf, lineCauses } from '../../stats/leaves.ts';
import { HOT_COUNTERS, K } from '../counters.ts';
import { slotOfCounter, slotOfLeaf } from './slots.ts';

/**
 * First use of pages and lines fades: the longer a VM has run, the fewer of its misses are for what
 * its core has never held. What is not first any more is evicted instead, so that the number of
 * misses stays and their causes change.
 */

/** Slots of one sum by cause: the first is `cold`. */
type ByCause = readonly number[];

const row = (first: number, count: number, slotOf: (at: number) => number): ByCause =>
  Array.from({ length: count }, (_, i) => slotOf(first + i));

/** Walks by cause, without those that only set a dirty bit. */
export const walkSlots: readonly ByCause[] = [
  row(Leaf.WalkGuest, CAUSES - 1, slotOfLeaf),
  row(Leaf.WalkNested, CAUSES - 1, slotOfLeaf),
  row(K.walks_cold, HOT_COUNTERS - K.walks_cold, slotOfCounter),
];
export const lineSlots: readonly ByCause[] = [
  row(Leaf.StallL3, lineCauses.length, slotOfLeaf),
  row(Leaf.StallMemory, lineCauses.length, slotOfLeaf),
];
/** What says how far it has faded: walks and waits for first use. */
export const COLD_WALKS = slotOfCounter(K.walks_cold + Cause.Cold);
export const COLD_LINES = slotOfLeaf(Leaf.StallMemory);

/** Leaves `share` of what is cold so, and gives the rest to the other causes in proportion. */
export function fade(
  prices: Float64Array,
  at: number,
  sums: readonly ByCause[],
  share: number,
): void {
  for (const [cold, ...others] of sums) {
    const before = prices[at + cold!]!;
    let rest = 0;
    for (const slot of others) rest += prices[at + slot]!;
    if (rest === 0) continue;
    const after = Math.min(before * share, before + rest);
    const grown = (rest + before - after) / rest;
    prices[at + cold!] = after;
    for (const slot of others) prices[at + slot] = prices[at + slot]! * grown;
  }
}

import { Leaf } from '../../stats/leaves.ts';
import { K } from '../counters.ts';

/**
 * What is learned of pieces of work, in long runs: the cycles that go to each of these leaves, and
 * what is counted meanwhile. All else follows from instructions and visits, and is computed.
 */
const leaves: readonly number[] = Array.from(
  { length: Leaf.ExitTransition - Leaf.TlbL2Hit },
  (_, i) => Leaf.TlbL2Hit + i,
);

const counters: readonly number[] = [
  K.l2i_hits,
  K.l2i_misses,
  K.l2d_hits,
  K.l2d_misses,
  K.walk_reads_guest,
  K.walk_reads_nested,
  K.pwc_hits,
  K.nested_tlb_hits,
  K.nested_tlb_misses,
  K.walk_l1_hits,
  K.walk_l3_hits,
  K.walk_dram,
  K.l1i_line_misses,
  K.l1d_line_misses,
  K.data_l2_misses,
  K.data_l3_hits,
  K.data_dram,
  K.write_backs,
  K.dirty_walks,
  ...Object.entries(K)
    .filter(([name]) => name.startsWith('walks_'))
    .map(([, at]) => at),
];

/** The first slots are leaves, whose cycles pass; the others are counters. */
export const LEAF_SLOTS = leaves.length;
export const SLOTS = leaves.length + counters.length;

export const slotOfLeaf = (leaf: number): number => leaves.indexOf(leaf);
export const slotOfCounter = (counter: number): number => leaves.length + counters.indexOf(counter);

/** Where a core keeps them, as places in the heap. */
export const placesOf = (core: { readonly pending: number; readonly counters: number }) =>
  Int32Array.from([
    ...leaves.map((leaf) => core.pending + leaf),
    ...counters.map((counter) => core.counters + counter),
  ]);

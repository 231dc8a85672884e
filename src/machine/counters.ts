import { lossCauses } from '../stats/leaves.ts';
import { type MetricName, walkMetric } from '../stats/metrics.ts';

/**
 * What HOT code counts, by position in the core's counter area, and what follows from that
 * (Accounts.derive). Running totals per vCPU are kept in doubles. The area in the heap is added
 * to them whenever another vCPU takes the core.
 */
export const hotCounters = [
  'visits',
  'references',
  'user_instructions',
  'instructions',
  'l1i_lookups',
  'l1i_misses',
  'l2i_hits',
  'l2i_misses',
  'l1d_lookups',
  'l1d_misses',
  'l2d_hits',
  'l2d_misses',
  'walks',
  'dirty_walks',
  'fault_walks',
  // All table reads, next to each other.
  'walk_reads_guest',
  'walk_reads_nested',
  'fault_walk_reads_guest',
  'fault_walk_reads_nested',
  'pwc_hits',
  'nested_tlb_hits',
  'nested_tlb_misses',
  'walk_l1_hits',
  'walk_l2_hits',
  'walk_l3_hits',
  'walk_dram',
  'data_lines',
  'l1i_line_misses',
  'l1d_line_misses',
  'data_l2_misses',
  'data_l3_hits',
  'data_dram',
  'write_backs',
  'cleared_lines',
  // By cause, in the order of stats/leaves.ts.
  ...lossCauses.map(walkMetric),
] as const satisfies readonly MetricName[];

export type HotCounter = (typeof hotCounters)[number];
export const HOT_COUNTERS = hotCounters.length;

/**
 * Position of each counter. The names are added backwards: objects that hold counts (metrics) have
 * the same names in the usual order, and would share their hidden classes with this one; the first
 * count that is no small integer would then throw away all HOT code, which has these positions
 * folded in.
 */
export const K = Object.fromEntries(
  hotCounters.map((name, at) => [name, at] as const).reverse(),
) as {
  readonly [Name in HotCounter]: number;
};

/**
 * Cycles or references after which a core's int32 accounts are drained, and the most that pass
 * before that is looked at again: at four instructions a cycle no counter reaches 2^31.
 */
export const DRAIN_AFTER = 2 ** 28;

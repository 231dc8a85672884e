import { leafColumns } from '../stats/measures.ts';
import { metricDictionary } from '../stats/metrics.ts';

/** The columns of the tables of a run, in the order in which they are written. */

/** Leaves of the ledger in wide tables: VMs have no idle time. */
export const wideLeaves: readonly string[] = leafColumns.filter((leaf) => leaf !== 'idle');

/** Column of a ledger leaf in a wide table: `walk.guest` -> `ledger_walk_guest_cycles`. */
export function leafColumn(leaf: string): string {
  return `ledger_${leaf.replaceAll('.', '_')}_cycles`;
}

export const runColumns = {
  'metrics.csv': ['run', 'scope', 'id', 'metric', 'unit', 'value'],
  'vms.csv': [
    ...['vm', 'group', 'workload', 'work_unit'],
    ...Object.keys(metricDictionary),
    ...wideLeaves.map(leafColumn),
  ],
  'ledger.csv': ['scope', 'id', 'vm', 'leaf', 'detail', 'cycles'],
  'exits.csv': ['vm', 'vcpu', 'reason', 'count', 'transition_cycles', 'handler_cycles'],
  /** Written when evictions are counted. */
  'evictions.csv': ['structure', 'victim', 'evictor', 'count'],
  'latencies.csv': ['vm', 'quantile', 'latency_ns'],
  'timeseries.csv': ['cycle', 'time_ns', 'scope', 'id', 'metric', 'unit', 'value'],
  /** The beginning of the measured window, as far as it was noted. */
  'slices.csv': ['pcpu', 'vm', 'cycle', 'slice_cycles'],
  /** Written with `--trace csv`. */
  'trace.csv': ['cycle', 'pcpu', 'vcpu', 'event', 'detail', 'value'],
  'dictionary.csv': ['column', 'file', 'unit', 'definition'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Of a run on several hosts: each row says on which. */
export const withHost = (columns: readonly string[]): readonly string[] => ['host', ...columns];

export const compareColumns = [
  'vm',
  'leaf',
  'detail',
  'a_cycles_per_1000_instructions',
  'b_cycles_per_1000_instructions',
  'difference_cycles_per_1000_instructions',
  'difference_percent_of_a',
  'work_unit',
  'a_cycles_per_unit',
  'b_cycles_per_unit',
] as const;

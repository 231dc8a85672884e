import { leafColumns } from '../stats/measures.ts';
import { isRare, type MetricName, metricDictionary } from '../stats/metrics.ts';
import type { RunResult } from '../stats/result.ts';

/** The columns of the tables of a run, in the order in which they are written. */

/** Leaves of the ledger in wide tables: VMs have no idle time, and few are protected. */
export const wideLeaves: readonly string[] = leafColumns.filter(
  (leaf) => leaf !== 'idle' && leaf !== 'off' && leaf !== 'ft',
);

/** The same of a run: with the log of protected VMs, where there are any. */
export const leavesOf = ({
  faultTolerance,
}: Pick<RunResult, 'faultTolerance'>): readonly string[] =>
  faultTolerance ? [...wideLeaves, 'ft'] : wideLeaves;

/** Column of a ledger leaf in a wide table: `walk.guest` -> `ledger_walk_guest_cycles`. */
export function leafColumn(leaf: string): string {
  return `ledger_${leaf.replaceAll('.', '_')}_cycles`;
}

/** The metrics of the dictionary, rare ones only where a VM of the run reports them. */
export function metricsOf({ vms }: Pick<RunResult, 'vms'>): MetricName[] {
  const names = Object.keys(metricDictionary) as MetricName[];
  return names.filter(
    (name) => !isRare(name) || vms.some(({ metrics }) => metrics[name] !== undefined),
  );
}

const vmColumns = (
  metrics: readonly MetricName[],
  leaves: readonly string[] = wideLeaves,
): string[] => [...['vm', 'group', 'workload', 'work_unit'], ...metrics, ...leaves.map(leafColumn)];

export type RunTableFile = keyof typeof runColumns;
type RunColumns = Record<RunTableFile, readonly string[]>;

/** Tables whose rows are not about one host. */
const OF_NO_HOST: ReadonlySet<string> = new Set(['dictionary.csv', 'migration.csv', 'ft.csv']);

type Columned = Pick<RunResult, 'vms' | 'hosts' | 'faultTolerance'>;

/** Of a run: with the rare metrics that it reports, and the host of each row if it has several. */
export function columnsOf(result: Columned, file: RunTableFile): readonly string[] {
  const columns =
    file === 'vms.csv' ? vmColumns(metricsOf(result), leavesOf(result)) : runColumns[file];
  return result.hosts && !OF_NO_HOST.has(file) ? ['host', ...columns] : columns;
}

export const columnsFor = (result: Columned): RunColumns =>
  Object.fromEntries(
    Object.keys(runColumns).map((file) => [file, columnsOf(result, file as RunTableFile)]),
  ) as RunColumns;

export const runColumns = {
  'metrics.csv': ['run', 'scope', 'id', 'metric', 'unit', 'value'],
  'vms.csv': vmColumns(metricsOf({ vms: [] })),
  'ledger.csv': ['scope', 'id', 'vm', 'leaf', 'detail', 'cycles'],
  'exits.csv': ['vm', 'vcpu', 'reason', 'count', 'transition_cycles', 'handler_cycles'],
  /** Written when evictions are counted. */
  'evictions.csv': ['structure', 'victim', 'evictor', 'count'],
  'latencies.csv': ['vm', 'quantile', 'latency_ns'],
  'timeseries.csv': ['cycle', 'time_ns', 'scope', 'id', 'metric', 'unit', 'value'],
  /** The beginning of the measured window, as far as it was noted. */
  'slices.csv': ['pcpu', 'vm', 'cycle', 'slice_cycles'],
  /** Written when the scenario has live migrations. */
  'migration.csv': [
    ...['vm', 'from', 'to', 'policy', 'round', 'cycle', 'duration_cycles'],
    ...['downtime_cycles', 'pages', 'empty_pages', 'skipped_pages', 'dirtied_pages', 'bytes'],
    ...['stunned', 'remote_faults', 'remote_wait_cycles', 'outcome', 'why'],
  ],
  /** Written when VMs are protected. */
  'ft.csv': [
    ...['pair', 'cycle', 'state', 'duration_cycles', 'lag_cycles', 'log_bytes', 'log_mbit_s'],
    ...['held_outputs', 'released_outputs', 'held_cycles'],
    ...['primary_buffer_bytes', 'secondary_buffer_bytes', 'cpu_limit'],
    ...['epoch_cycles', 'dirty_pages', 'checkpoint_bytes', 'pause_cycles'],
  ],
  /** Written with `--trace csv`. */
  'trace.csv': ['cycle', 'pcpu', 'vcpu', 'event', 'detail', 'value'],
  'dictionary.csv': ['column', 'file', 'unit', 'definition'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

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

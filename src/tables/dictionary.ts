import { measures } from '../stats/measures.ts';
import { seriesDictionary, wordsOf } from '../stats/metrics.ts';
import type { RunResult } from '../stats/result.ts';
import { columnsFor, leafColumn, metricsOf, wideLeaves } from './columns.ts';

/**
 * What every column of every table means, each name once, whichever tables it stands in: metrics
 * and the measures made of them (src/stats), the leaves of the ledger, and the columns that say
 * what a row is about.
 */
export interface Entry {
  readonly name: string;
  /** Empty: a text, or a number without a unit; `unit` of a row: its own column says. */
  readonly unit: string;
  /** What people call it. */
  readonly words: string;
  readonly definition: string;
}

/** Columns that are no measures: unit and definition. */
const others: Readonly<Record<string, readonly [unit: string, definition: string]>> = {
  run: [
    '',
    'name of the run: the scenario; in a sweep, the directory below units/ that holds its result',
  ],
  host: [
    '',
    'name of the host; of a VM as a whole, the one where it is at the end of the measured ' +
      'window; of exits and of the ledger, the one where they happened. Only where there are ' +
      'several. If their clocks differ, cycles are those of the host of the row; points of ' +
      'time, slices, migrations and pairs are in cycles of the first host',
  ],
  scope: ['', 'what the row is about: host, pcpu, vm or vcpu'],
  id: [
    '',
    'which of that scope: 0 for the host, the number of the pCPU, the VM (web-0), the vCPU ' +
      '(web-0/0)',
  ],
  metric: ['', 'name of a metric or measure, explained in a row of its own'],
  unit: ['', 'unit of the numbers in the row'],
  value: [
    'see unit',
    'value of the metric; in trace.csv, of an event: the cycles that it took, or what else ' +
      'it counts',
  ],
  vm: ['', 'name of the VM, or host'],
  group: [
    '',
    'VM group: the name in the scenario, which VMs share when their count is above 1; host: ' +
      'the host as a whole',
  ],
  workload: ['', 'workload preset of the VM, or the kind where it is none'],
  work_unit: ['', 'what work counts: the unit of the workload'],
  leaf: ['', 'leaf of the ledger; every cycle of a pCPU is in exactly one'],
  detail: ['', 'cause, exit reason or step of the leaf or event; empty where there is none'],
  cycles: ['cycles', 'cycles of the pCPU in this leaf and detail, spent for this VM'],
  vcpu: ['', 'number of the vCPU in its VM, or VM/number where no other column names the VM'],
  pcpu: ['', 'number of the pCPU'],
  reason: ['', 'why the guest exited'],
  count: ['count', 'how many: exits for the reason, or entries and lines that were evicted'],
  transition_cycles: ['cycles', 'cycles of #VMEXIT and VMRUN of these exits'],
  handler_cycles: ['cycles', 'cycles of the hypervisor in handling these exits'],
  structure: ['', 'tlb: last copies of live translations; l2: lines of an L2 cache'],
  victim: ['', 'whose entries were pushed out: a VM, or host'],
  evictor: ['', 'whose fills pushed them out: a VM, or host'],
  quantile: ['ratio', 'share of the requests that took at most so long, 0 to 1'],
  latency_ns: ['ns', 'time from the arrival of a request to its end, at this quantile'],
  cycle: ['cycles', 'time from the start of the run, warm-up included'],
  slice_cycles: [
    'cycles',
    'how long the VM ran on the pCPU from this cycle on without a break (host: a thread of the ' +
      'host, or Dom0); slices.csv has the beginning of the measured window, 8000 of them or a ' +
      'few more',
  ],
  from: ['', 'host that the VM leaves, or on which it runs when it is cloned'],
  to: ['', 'host that the VM moves to, or that gets a second copy of it'],
  policy: [
    '',
    'how it is moved: the migration policy; ft-vmotion: a new secondary is cloned from the ' +
      'running VM',
  ],
  round: ['', 'number of the round, from 1; total: the migration as a whole'],
  duration_cycles: ['cycles', 'how long the round, or the migration, took'],
  downtime_cycles: [
    'cycles',
    'how long the VM stood still at the switch from one host to the other, or while the end ' +
      'of a clone was sent',
  ],
  pages: ['count', 'pages of 4 KiB sent'],
  empty_pages: ['count', 'of the pages sent, those that were never stored to and are named only'],
  skipped_pages: ['count', 'pages passed over because they were dirty again when their turn came'],
  dirtied_pages: ['count', 'pages stored to during the round; blank where the log was not read'],
  bytes: ['bytes', 'bytes of the messages sent, without the headers of packets'],
  stunned: ['ratio', 'share of the time in which the guest was held so that it dirties less'],
  remote_faults: ['count', 'accesses at the target to pages that had not come yet'],
  remote_wait_cycles: ['cycles', 'how long the VM stood still for these pages'],
  outcome: [
    '',
    'moved, cloned, failed (the policy gave up), aborted (something broke, the VM stays), ' +
      'lost (with its VM), unfinished (at the end of the run)',
  ],
  why: ['', 'why the last round began, or the migration ended otherwise'],
  time_ns: ['ns', 'time from the start of the run, warm-up included'],
  event: ['', 'kind of the event'],
  file: ['', 'table in which the column or the metric stands'],
  column: ['', 'name of a column, or of a metric in a table with a row for each'],
  definition: ['', 'what it means'],
  point: ['', 'number of the point in the sweep, from 0'],
  replication: [
    '',
    'number of the replication of the point, from 0: runs that differ by their seed',
  ],
  seed: ['', 'seed of the run: that of the scenario, a slash and the number of the replication'],
  vms: ['count', 'number of VMs in the group'],
  clock_mhz: ['MHz', 'clock of the pCPUs'],
  window_cycles: ['cycles', 'length of the measured window'],
  mean: ['see unit', 'mean over the replications'],
  half_width: [
    'see unit',
    'half of the 95 % interval of the mean (Student t); blank with one replication',
  ],
  n: ['count', 'number of replications that have a value'],
  baseline: ['', 'number of the point that this one is compared with; blank at that point'],
  pairs: ['count', 'number of replications that both points have: a pair has the same seed'],
  difference: [
    'see unit',
    'this point minus its baseline, replication by replication, mean of the differences',
  ],
  difference_half_width: ['see unit', 'half of the 95 % interval of the difference'],
  ratio: ['ratio', 'this point over its baseline, replication by replication, mean of the ratios'],
  ratio_half_width: ['ratio', 'half of the 95 % interval of the ratio'],
  a_cycles_per_1000_instructions: ['cycles', 'of A: cycles per 1000 user instructions'],
  b_cycles_per_1000_instructions: ['cycles', 'of B: cycles per 1000 user instructions'],
  difference_cycles_per_1000_instructions: ['cycles', 'B minus A, per 1000 user instructions'],
  difference_percent_of_a: ['%', 'B minus A, of all cycles of A'],
  a_cycles_per_unit: [
    'cycles',
    'of A: cycles per unit of work, with as many user instructions in a unit as A and B have ' +
      'on average',
  ],
  pair: ['', 'name of the VM that is protected'],
  state: [
    '',
    'of the pair: running; lagging: the secondary is too far behind; go-live: it takes over; ' +
      'alone: one runs, unprotected; lost: none',
  ],
  lag_cycles: [
    'cycles',
    'executed time of the primary that the secondary has still to repeat or, with ' +
      'checkpoints, loses',
  ],
  log_bytes: ['bytes', 'of log or checkpoints, sent over the link since the row before'],
  log_mbit_s: ['Mbit/s', 'speed of log or checkpoints since the row before'],
  held_outputs: ['outputs', 'outputs of the VM that wait for an acknowledgement'],
  released_outputs: ['outputs', 'outputs that have left since the pair was protected'],
  held_cycles: ['cycles', 'how long the outputs that have left waited in all'],
  primary_buffer_bytes: ['bytes', 'of log or checkpoint, not sent yet'],
  secondary_buffer_bytes: ['bytes', 'of log or checkpoint, received and not used yet'],
  cpu_limit: ['of a pCPU', 'share that the control of the lag leaves to the primary'],
  epoch_cycles: [
    'cycles',
    'from the begin of one checkpoint to that of the next, which is acknowledged here',
  ],
  dirty_pages: ['pages', 'pages of 4 KiB in that checkpoint: stored to since the one before'],
  checkpoint_bytes: ['bytes', 'of that checkpoint on the link, headers of packets apart'],
  pause_cycles: ['cycles', 'how long the VM was stopped for that checkpoint'],
  b_cycles_per_unit: [
    'cycles',
    'of B: cycles per unit of work, with as many user instructions in a unit as A and B have ' +
      'on average',
  ],
};

const leafEntries: readonly Entry[] = [...wideLeaves, 'ft'].map((leaf) => ({
  name: leafColumn(leaf),
  unit: 'cycles',
  words: `cycles in ${leaf}`,
  definition: `cycles in the ledger leaf ${leaf}, all its details and pCPUs together`,
}));

/** Everything that can stand in a table, each name once. */
export const entries: readonly Entry[] = [
  ...Object.entries({ ...measures, ...seriesDictionary }).map(
    ([name, { unit, words, definition }]) => ({ name, unit, words, definition }),
  ),
  ...leafEntries,
  ...Object.entries(others).map(([name, [unit, definition]]) => ({
    name,
    unit,
    words: wordsOf(name),
    definition,
  })),
];

const byName = new Map(entries.map((entry) => [entry.name, entry]));

/** An axis of a sweep, whose column is explained by the path it sets. */
export interface AxisColumn {
  readonly path: string;
  readonly column: string;
}

/**
 * Rows of dictionary.csv: a row for each column of `tables`, and for each of `metrics` of a table.
 */
export function* dictionaryRows(
  tables: Readonly<Record<string, readonly string[]>>,
  metrics: Readonly<Record<string, readonly string[]>>,
  axes: readonly AxisColumn[] = [],
): Generator<string[]> {
  const row = (file: string, name: string) => {
    const { unit, definition } = byName.get(name)!;
    return [name, file, unit, definition];
  };
  for (const [file, columns] of Object.entries(tables)) {
    for (const name of columns) {
      const axis = axes.find(({ column }) => column === name);
      yield axis
        ? [name, file, '', `value of ${axis.path}, an axis of the sweep`]
        : row(file, name);
    }
    for (const name of metrics[file] ?? []) yield row(file, name);
  }
}

/** Rows of the dictionary of a run. */
export function runDictionary(result: RunResult): Iterable<string[]> {
  const { 'migration.csv': migration, 'ft.csv': ft, ...tables } = columnsFor(result);
  const all = {
    ...tables,
    ...(result.migrations && { 'migration.csv': migration }),
    ...(result.faultTolerance && { 'ft.csv': ft }),
  };
  return dictionaryRows(all, {
    'metrics.csv': metricsOf(result),
    'timeseries.csv': [...Object.keys(seriesDictionary), 'cycles_per_instruction'],
  });
}

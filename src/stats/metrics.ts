import { requestsNeeded } from './findings.ts';
import { type LossCause, lossCauses, type Snake, snake } from './leaves.ts';

/**
 * The dictionary of what a run counts: each metric once, under the name that it has in every table,
 * in objectives and in `worldswitch list metrics`, with its unit and its definition. A name ends in
 * its unit where the unit could be doubted. Counts and cycles cover the measured window; those of a
 * VM group are the sums over its VMs. Ratios are computed when written, never stored.
 */
export interface Metric {
  readonly unit: 'count' | 'cycles' | 'bytes' | 'ratio' | 'ns' | 'per-second';
  /** What people call it, without a unit: `p99 latency`. */
  readonly words: string;
  readonly definition: string;
}

interface Written {
  readonly unit: Metric['unit'];
  readonly definition: string;
  /** Left out: the name with blanks. */
  readonly words?: string;
}

/** Unit of the work of programs that never finish anything: user instructions executed. */
export const MILLION_INSTRUCTIONS = 'million instructions';

const count = (definition: string): Written => ({ unit: 'count', definition });
const cycles = (definition: string): Written => ({ unit: 'cycles', definition });
const ratio = (definition: string): Written => ({
  unit: 'ratio',
  definition: `${definition}; of a VM group, the mean of its VMs`,
});
const ns = (words: string, definition: string): Written => ({ unit: 'ns', words, definition });

/** Percentiles of latencies by name: the share of the requests that they cover. */
export const percentiles = {
  latency_p50_ns: 0.5,
  latency_p95_ns: 0.95,
  latency_p99_ns: 0.99,
} as const;

const percentile = (name: keyof typeof percentiles): Written => {
  const share = percentiles[name];
  const of = Math.round(share * 100);
  return ns(
    `p${of} latency`,
    `time from the arrival of a request to its end, ${of}th percentile, where a request that ` +
      'is not finished at the end of the window counts with its age; of a VM group, that of ' +
      `its worst VM. Blank below n = ${requestsNeeded(share)}: n >= 10/(1-q), n = requests + ` +
      `requests_unfinished, q = ${share}`,
  );
};

const lost: Readonly<Record<LossCause, string>> = {
  cold: 'this core had never held the translation for this address space',
  capacity: 'evicted by the same VM',
  interference: 'evicted by another VM or the host',
  'world-switch': 'flushed because another vCPU or the hypervisor took the core',
  'asid-exhausted': 'flushed because the ASIDs ran out',
  cr3: 'flushed by a CR3 write of the guest',
  invlpg: 'flushed by INVLPG',
  shootdown: 'flushed when the hypervisor dropped or protected mappings',
  migration: 'the vCPU came back to a core it had left',
};

/** Name of the count of walks with this cause. */
export type WalkMetric = `walks_${Snake<LossCause>}`;
export const walkMetric = (cause: LossCause): WalkMetric => `walks_${snake(cause)}`;

const written = {
  elapsed_cycles: cycles('length of the measured window; of a VM group, that of one VM'),
  work: count(
    'units of work finished: requests, jobs, iterations; where the unit is a million ' +
      'instructions, user instructions executed / 1,000,000, which need not be whole',
  ),
  visits: count('page visits executed: runs of references of one kind to one page'),
  references: count('memory references executed'),
  instructions: count('guest instructions executed, user and kernel'),
  user_instructions: count('guest instructions executed in user mode'),
  user_instructions_before: count('guest user instructions executed before the measured window'),
  l1i_lookups: count('visits that looked the L1 instruction TLB up'),
  l1i_misses: count('visits that missed the L1 instruction TLB'),
  l2i_hits: count('L1 instruction TLB misses that hit the L2'),
  l2i_misses: count('L1 instruction TLB misses that missed the L2 too: page walks needed'),
  l1d_lookups: count('visits that looked the L1 data TLB up'),
  l1d_misses: count('visits that missed the L1 data TLB'),
  l2d_hits: count('L1 data TLB misses that hit the L2'),
  l2d_misses: count('L1 data TLB misses that missed the L2 too: page walks needed'),
  walks: count('page walks completed for TLB misses'),
  ...(Object.fromEntries(
    lossCauses.map((cause) => [walkMetric(cause), count(`of the walks: ${lost[cause]}`)]),
  ) as Record<WalkMetric, Written>),
  dirty_walks: count('page walks that only set a dirty bit: first store through a clean entry'),
  fault_walks: count('page walks that ended in a fault: page or nested fault, hidden or not'),
  walk_reads_guest: count(
    'guest, native or shadow entries that completed walks, dirty ones too, read through the caches',
  ),
  walk_reads_nested: count('nested table entries that completed walks read through the caches'),
  fault_walk_reads_guest: count(
    'guest, native or shadow table entries that walks which ended in a fault read',
  ),
  fault_walk_reads_nested: count('nested table entries that walks which ended in a fault read'),
  pwc_hits: count('table entries that walks found in the page-walk cache'),
  nested_tlb_hits: count('guest table frames that walks found in the nested TLB'),
  nested_tlb_misses: count('guest table frames that needed a nested walk'),
  walk_cycles: cycles('cycles spent in page walks'),
  walk_l1_hits: count('table reads of walks that an L1 cache had'),
  walk_l2_hits: count('table reads of walks that hit the L2 cache'),
  walk_l3_hits: count('table reads of walks that hit the L3 cache'),
  walk_dram: count('table reads of walks that went to memory'),
  data_lines: count('lines touched by visits'),
  l1i_line_misses: count('lines of fetches that were not in the L1 instruction cache'),
  l1d_line_misses: count('lines of loads and stores that were not in the L1 data cache'),
  data_l2_misses: count('lines that neither an L1 nor the L2 of the core had'),
  data_l3_hits: count('lines of visits found in the L3'),
  data_dram: count('lines of visits fetched from memory'),
  write_backs: count('dirty lines that left the last cache for memory'),
  cleared_lines: count('lines cleared past the caches'),
  kernel_cycles: cycles(
    'time in the guest kernel, as its clock sees it: with its walks and stalls, and with the ' +
      'exits that it takes',
  ),
  guest_faults: count('page faults handled by the guest kernel (true faults)'),
  hidden_faults: count('shadow page faults fixed by the hypervisor, unseen by the guest'),
  nested_faults: count('nested page faults: first touch of guest memory'),
  dirty_log_faults: count(
    'first stores to pages that the dirty log protects, each a fault; only of runs that have any',
  ),
  guest_pte_writes: count('page-table entries written by the guest kernel'),
  pte_write_exits: count('guest page-table writes that trapped'),
  resyncs: count('out-of-sync shadow tables brought back in sync'),
  resync_entries: count('shadow entries compared while resyncing'),
  unsyncs: count('shadow tables that went out of sync'),
  prefetched_entries: count('shadow entries filled besides those that faulted'),
  shadow_pages_built: count('shadow pages built'),
  shadow_zaps: count('shadow pages dropped'),
  tlb_flushes: count('flushes of all or many translations (new tag, flush-all, CR3 write)'),
  asid_exhaustions: count('times the ASIDs of a pCPU ran out'),
  exits: count('#VMEXITs'),
  vmruns: count('VMRUNs'),
  vcpu_switches: count('times a pCPU took up a vCPU other than its last one'),
  migrations: count('times a vCPU resumed on another pCPU'),
  turns: count('turns given by the scheduler'),
  guest_process_switches: count('address-space switches inside the guest'),
  forks: count('processes forked'),
  execs: count('images loaded by exec'),
  process_exits: count('processes ended'),
  cow_breaks: count('pages copied on a write after fork'),
  syscalls: count('system calls'),
  timer_ticks: count('guest timer interrupts'),
  io_requests: count('blocking I/O operations'),
  disk_requests: count('requests to the disk: an operation of many bytes takes several'),
  doorbells: count(
    'accesses to registers of devices, doorbells above all: under a hypervisor each exits, ' +
      'unless the device is assigned to the VM',
  ),
  packets_sent: count('network packets sent'),
  packets_received: count('network packets received: requests and acknowledgements'),
  interrupts: count('interrupts delivered to the guest'),
  running_cycles: cycles('run state: on a pCPU'),
  ready_cycles: cycles('run state: runnable, waiting for a pCPU (esxtop %RDY)'),
  costopped_cycles: cycles('run state: held back for a sibling (esxtop %CSTP)'),
  blocked_cycles: cycles('run state: halted or waiting'),
  parked_cycles: cycles('run state: held back by its cap'),
  paused_cycles: cycles('run state: held by the hypervisor; only of runs in which a VM is'),
  off_cycles: cycles(
    'run state: its host has lost power, or it is a copy that does not exist then; only of ' +
      'runs with such',
  ),
  requests: count('requests served'),
  requests_arrived: count('requests that arrived'),
  requests_unfinished: count('requests that had arrived and were not finished at the end'),
  requests_queued_before: count('requests that waited or were being served when the window began'),
  latency_mean_ns: ns(
    'mean latency',
    'time from the arrival of a request to its end, mean; unfinished requests count with their age',
  ),
  latency_p50_ns: percentile('latency_p50_ns'),
  latency_p95_ns: percentile('latency_p95_ns'),
  latency_p99_ns: percentile('latency_p99_ns'),
  latency_max_ns: ns(
    'maximum latency',
    'time from the arrival of a request to its end, longest; at least the age of the oldest ' +
      'unfinished request; of a VM group, that of its worst VM',
  ),
  network_in_cycles: cycles(
    'of a host: time in which something came in over its wire to the outside; only where its ' +
      'VMs share that',
  ),
  network_out_cycles: cycles(
    'of a host: time in which something went out over its wire to the outside; only where ' +
      'its VMs share that',
  ),
  network_in_bytes: {
    unit: 'bytes',
    definition: 'of a host: bytes that came for its VMs, with headers; what is queued counts',
  },
  network_out_bytes: {
    unit: 'bytes',
    definition: 'of a host: bytes that its VMs sent, with headers; what is queued counts',
  },
  disk_busy_cycles: cycles(
    'of a host: time in which its disk served requests; only where that has a capacity',
  ),
  disk_read_bytes: { unit: 'bytes', definition: 'of a host: bytes that its disk was asked for' },
  disk_written_bytes: { unit: 'bytes', definition: 'of a host: bytes that its disk was given' },
  answer_gap_max_ns: ns(
    'longest gap between answers',
    'longest time without an answer to a client, from the edges of the window too; of a VM ' +
      'group, that of its worst VM',
  ),
  ft_lag_mean_ns: ns(
    'mean lag',
    'executed time by which the secondary of a protected VM is behind, mean over the ' +
      'protected time; of a VM group, that of its worst VM',
  ),
  ft_lag_p95_ns: ns('p95 lag', 'the same, not exceeded in 95 % of the protected time'),
  ft_lag_max_ns: ns('maximum lag', 'the same, longest'),
  ft_hold_mean_ns: ns(
    'hold',
    'time that an output of a protected VM waited for the other host, mean; of a VM group, ' +
      'that of its worst VM',
  ),
  ft_log_bytes: {
    unit: 'bytes',
    words: 'log',
    definition: 'bytes of the log that went over the link',
  },
  ft_throttled: {
    words: 'throttled',
    ...ratio(
      'share of a pCPU that the control of the lag took from the primary, mean over the ' +
        'protected time',
    ),
  },
  ft_unprotected: {
    words: 'unprotected',
    ...ratio('share of the window in which the VM had no secondary that could take over'),
  },
  finished_at_cycles: cycles(
    'when the VM finished its work, from the start of the run; 0 = not finished; of a VM ' +
      'group, the last',
  ),
  guest_memory_bytes: { unit: 'bytes', definition: 'guest memory in use at the end' },
  host_memory_bytes: { unit: 'bytes', definition: 'host memory backing the guest at the end' },
  slowdown: ratio(
    'cycles that the work took, waiting for a pCPU included, per cycle of the same work ' +
      'alone and native',
  ),
  overhead: ratio('the same without the time it waited for a pCPU'),
} as const satisfies Record<string, Written>;

export type MetricName = keyof typeof written;

/**
 * A run reports these only where there is something to say: when they are above 0 for a VM, and of
 * hosts with a wire or a disk that their VMs share. Most runs have none.
 */
export const rareMetrics = [
  'dirty_log_faults',
  'paused_cycles',
  'off_cycles',
  'network_in_cycles',
  'network_out_cycles',
  'network_in_bytes',
  'network_out_bytes',
  'disk_busy_cycles',
  'disk_read_bytes',
  'disk_written_bytes',
  'answer_gap_max_ns',
  'ft_lag_mean_ns',
  'ft_lag_p95_ns',
  'ft_lag_max_ns',
  'ft_hold_mean_ns',
  'ft_log_bytes',
  'ft_throttled',
  'ft_unprotected',
] as const satisfies readonly MetricName[];
export const isRare = (name: string): boolean => rareMetrics.some((rare) => rare === name);

/** What people call a metric of this name. */
export const wordsOf = (name: string): string =>
  name.replace(/_(?:ns|bytes)$/, '').replaceAll('_', ' ');

export const metricDictionary = Object.fromEntries(
  Object.entries(written).map(([name, metric]) => [name, { words: wordsOf(name), ...metric }]),
) as Readonly<Record<MetricName, Metric>>;

/**
 * Metrics that only timeseries.csv has. Its others are those of the dictionary, each over one
 * interval.
 */
export const seriesDictionary: Readonly<Record<string, Metric>> = {
  tlb_entries: {
    unit: 'count',
    words: 'TLB entries',
    definition: 'translations of the VM held in all TLBs of the host at that time',
  },
  requests_queued: {
    unit: 'count',
    words: 'requests queued',
    definition: 'requests that wait or are being served at that time',
  },
};

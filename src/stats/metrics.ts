/**
 * The dictionary: every metric a run can report, with unit and definition. `metrics.csv` carries the
 * names and units; `worldswitch list metrics` prints the definitions. Counts and cycles cover the
 * measured window. Ratios are computed when written, never stored.
 */
export interface Metric {
  readonly unit: 'count' | 'cycles' | 'bytes' | 'ratio' | 'ns' | 'per-second';
  readonly help: string;
}

const count = (help: string): Metric => ({ unit: 'count', help });
const cycles = (help: string): Metric => ({ unit: 'cycles', help });
const ratio = (help: string): Metric => ({ unit: 'ratio', help });
const ns = (help: string): Metric => ({ unit: 'ns', help });

export const metricDictionary = {
  elapsed_cycles: cycles('length of the measured window'),
  work: count('units of work finished (what a unit is depends on the workload)'),
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
  walks_cold: count('of these: this core had never held the translation for this address space'),
  walks_capacity: count('of these: evicted by the same VM'),
  walks_interference: count('of these: evicted by another VM or the host'),
  walks_world_switch: count(
    'of these: flushed because another vCPU or the hypervisor took the core',
  ),
  walks_asid_exhausted: count('of these: flushed because the ASIDs ran out'),
  walks_cr3: count('of these: flushed by a CR3 write of the guest'),
  walks_invlpg: count('of these: flushed by INVLPG'),
  walks_shootdown: count('of these: flushed when the hypervisor dropped or protected mappings'),
  walks_migration: count('of these: the vCPU came back to a core it had left'),
  walks_nested_change: count('of these: flushed by a change of nested mappings'),
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
  walk_l2_hits: count('table reads of walks that hit the L2 cache'),
  walk_l3_hits: count('table reads of walks that hit the L3 cache'),
  walk_dram: count('table reads of walks that went to memory'),
  data_lines: count('data lines touched by visits'),
  data_l2_misses: count('data lines that were not in the L2 of the core'),
  data_l3_hits: count('data lines found in the L3'),
  data_dram: count('data lines fetched from memory'),
  guest_faults: count('page faults handled by the guest kernel (true faults)'),
  hidden_faults: count('shadow page faults fixed by the hypervisor, unseen by the guest'),
  nested_faults: count('nested page faults: first touch of guest memory'),
  guest_pte_writes: count('page-table entries written by the guest kernel'),
  pte_write_exits: count('guest page-table writes that trapped'),
  resyncs: count('out-of-sync shadow tables brought back in sync'),
  resync_entries: count('shadow entries compared while resyncing'),
  unsyncs: count('shadow tables that went out of sync'),
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
  doorbells: count('doorbell writes to devices: under a hypervisor each exits'),
  packets_sent: count('network packets sent'),
  packets_received: count('network packets received: requests and acknowledgements'),
  interrupts: count('interrupts delivered to the guest'),
  running_cycles: cycles('run state: on a pCPU'),
  ready_cycles: cycles('run state: runnable, waiting for a pCPU (esxtop %RDY)'),
  costopped_cycles: cycles('run state: held back for a sibling (esxtop %CSTP)'),
  blocked_cycles: cycles('run state: halted or waiting'),
  parked_cycles: cycles('run state: held back by its cap'),
  requests: count('requests served'),
  requests_arrived: count('requests that arrived'),
  requests_unfinished: count('requests that had arrived and were not finished at the end'),
  requests_queued_before: count('requests that waited or were being served when the window began'),
  latency_mean: ns('request latency, mean; unfinished requests count with their age'),
  latency_p50: ns(
    'request latency, median; given from 20 requests on, unfinished ones with their age',
  ),
  latency_p95: ns('the same, 95th percentile; given from 200 requests on'),
  latency_p99: ns('the same, 99th percentile; given from 1000 requests on'),
  latency_max: ns('request latency, maximum; at least the age of the oldest unfinished request'),
  finished_at_cycles: cycles(
    'when the VM finished its work, from the start of the run; 0 = not finished',
  ),
  guest_memory_bytes: { unit: 'bytes', help: 'guest memory in use at the end' },
  host_memory_bytes: { unit: 'bytes', help: 'host memory backing the guest at the end' },
  slowdown: ratio('elapsed cycles per unit of work divided by those of the native run'),
  overhead: ratio('the same without ready and parked time'),
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metricDictionary;

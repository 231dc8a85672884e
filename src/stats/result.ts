import type { WindowFinding } from './findings.ts';
import type { MetricName } from './metrics.ts';

/**
 * The result of a run: plain rows, no formatting. Numbers are exact unless the metric is a ratio.
 */

export type Scope = 'host' | 'pcpu' | 'vm' | 'vcpu';

/** What every row says where there are several hosts. */
export interface OfHost {
  /** Name of the host; of a VM, the one where it is at the end of the window. */
  readonly host?: string | undefined;
}

export interface MetricRow extends OfHost {
  readonly scope: Scope;
  /**
   * `0` for the only host or the name of one of several, the number of the pCPU on its host,
   * the VM's name (`web-0`), or `web-0/0` for a vCPU.
   */
  readonly id: string;
  readonly metric: MetricName;
  readonly value: number;
}

export interface LedgerRow extends OfHost {
  readonly pcpu: number;
  /** VM name, or `host`. */
  readonly vm: string;
  readonly leaf: string;
  /** Cause, exit reason or step; empty where the leaf has none. */
  readonly detail: string;
  readonly cycles: number;
}

export interface ExitRow extends OfHost {
  readonly vm: string;
  readonly vcpu: number;
  readonly reason: string;
  readonly count: number;
  readonly transitionCycles: number;
  readonly handlerCycles: number;
}

/** Live entries of `victim` that fills of `evictor` pushed out; both are VM names, or `host`. */
export interface EvictionRow extends OfHost {
  /** `tlb`: last copies of translations; `l2`: lines of an L2 cache. */
  readonly structure: 'tlb' | 'l2';
  readonly victim: string;
  readonly evictor: string;
  readonly count: number;
}

/** One row per VM: everything wide, for a quick look in a spreadsheet. */
export interface VmRow extends OfHost {
  readonly vm: string;
  /** The `name` in the scenario; several VMs share it when `count` > 1. */
  readonly group: string;
  readonly workload: string;
  readonly unit: string;
  /** User instructions executed before the measured window. */
  readonly startInstructions: number;
  readonly metrics: Partial<Record<MetricName, number>>;
  /** Cycles per ledger leaf, summed over details and pCPUs. */
  readonly ledger: Readonly<Record<string, number>>;
  /**
   * Of a server, in ns, ascending: latencies of the requests that it served in the window, and the
   * ages of those that were not finished at its end, whenever they arrived.
   */
  readonly requests?: {
    readonly served: readonly number[];
    readonly unfinished: readonly number[];
  };
}

export interface SampleRow extends OfHost {
  readonly cycle: number;
  readonly scope: Scope;
  readonly id: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
}

/** A point of the distribution of the latencies of a VM's requests. */
export interface LatencyRow extends OfHost {
  readonly vm: string;
  /** Share of the requests whose latency is at most that of this point, 0 to 1. */
  readonly quantile: number;
  readonly latencyNs: number;
}

/** A stretch of time in which a vCPU of a VM ran on a pCPU without a break. */
export interface SliceRow extends OfHost {
  readonly pcpu: number;
  /** `host`: a thread of the host, or a vCPU of Dom0. */
  readonly vm: string;
  /** From the start of the run. */
  readonly cycle: number;
  readonly cycles: number;
}

/** A look at a protected pair. Times are from the start of the run. */
export interface FaultToleranceRow {
  /** Name of the VM. */
  readonly pair: string;
  readonly cycle: number;
  readonly state: string;
  /** Since the row before: what `logBytes` counts. */
  readonly cycles: number;
  /** Executed time of the primary that the secondary does not have. */
  readonly lagCycles: number;
  /** Bytes of the log or of checkpoints that went over the link. */
  readonly logBytes: number;
  /** Outputs that wait for their acknowledgement. */
  readonly heldOutputs: number;
  /** Since the pair was protected: outputs that have left, and how long they waited in all. */
  readonly releasedOutputs: number;
  readonly heldCycles: number;
  readonly primaryBufferBytes: number;
  readonly secondaryBufferBytes: number;
  /** Share of a pCPU that the primary may take. */
  readonly limit: number;
  /** In the row of a checkpoint: from the one before to it, begin to begin. */
  readonly epochCycles?: number;
  /** Pages that the guest has stored to meanwhile. */
  readonly dirtyPages?: number;
  readonly checkpointBytes?: number;
  /** How long the guest was stopped for it. */
  readonly pauseCycles?: number;
}

/** A round of a live migration, or the whole of one. Times are from the start of the run. */
export interface MigrationRow {
  readonly vm: string;
  readonly from: string;
  readonly to: string;
  readonly policy: string;
  /** From 1; undefined in the row of the whole migration. */
  readonly round: number | undefined;
  readonly cycle: number;
  readonly cycles: number;
  /** How long the VM stood still at the switch, of this row; time in which it is slowed apart. */
  readonly downtimeCycles: number;
  /** Pages of 4 KiB: sent, of these named only, passed over, stored to meanwhile. */
  readonly pages: number;
  readonly emptyPages: number;
  readonly skippedPages: number;
  /** Undefined: the log was not read after that round. */
  readonly dirtiedPages: number | undefined;
  /** Of messages, without the headers of packets. */
  readonly bytes: number;
  /** Share of the time in which the guest was held so that it dirties less. */
  readonly stunned: number;
  /** Pages that a fault at the target asked for, and how long the VM waited for them. */
  readonly remoteFaults: number;
  readonly remoteWaitCycles: number;
  /**
   * How it ended, in the row of the whole: moved, cloned, failed, aborted, lost or unfinished; and
   * why.
   */
  readonly outcome: string | undefined;
  readonly why: string | undefined;
}

/** One of several hosts. */
export interface HostOfRun {
  readonly name: string;
  readonly mhz: number;
  readonly pcpuCount: number;
}

/** How well the prices of the work of a group of VMs are known. */
export interface LearnedGroup {
  readonly group: string;
  /** Of its programs, that its prices are learned from. */
  readonly instructions: number;
  /** Half-width of the 95 % interval, as a share; undefined: it has done too little to tell. */
  readonly halfWidth?: number | undefined;
}

/** What of a sampled run was simulated in detail. */
export interface SamplingOutcome {
  readonly windows: number;
  /** Half-width that was to be reached. */
  readonly target: number;
  /** Share of the simulated time, from power-on. */
  readonly detail: number;
  readonly groups: readonly LearnedGroup[];
}

/**
 * Cycles in a row about a host, a pCPU or a VM are those of the host that it names. What is not of
 * one host (points of time, slices, migrations, pairs) is in cycles of the first one.
 */
export interface RunResult {
  readonly name: string;
  readonly seed: string;
  /** Of the first host. */
  readonly mhz: number;
  /** Measured window, in cycles of the first host. */
  readonly windowCycles: number;
  /** Of all hosts together. */
  readonly pcpuCount: number;
  /** Where there are several, in the order of the scenario. */
  readonly hosts?: readonly HostOfRun[] | undefined;
  readonly metrics: readonly MetricRow[];
  readonly ledger: readonly LedgerRow[];
  readonly exits: readonly ExitRow[];
  /** Undefined: evictions were not counted. */
  readonly evictions: readonly EvictionRow[] | undefined;
  readonly vms: readonly VmRow[];
  readonly latencies: readonly LatencyRow[];
  readonly timeseries: readonly SampleRow[];
  /** From the start of the window on, as many as were asked for; undefined: not noted. */
  readonly slices?: readonly SliceRow[] | undefined;
  /** Of all live migrations in the order of their beginning; undefined: the scenario has none. */
  readonly migrations?: readonly MigrationRow[] | undefined;
  /** Looks at protected pairs, in the order of their times; undefined: there are none. */
  readonly faultTolerance?: readonly FaultToleranceRow[] | undefined;
  /** Undefined: everything was simulated in detail. */
  readonly sampling?: SamplingOutcome | undefined;
  /** What the window was too short for. */
  readonly findings: readonly WindowFinding[];
}

export interface RunProgress {
  /** 0..1 */
  readonly fraction: number;
  readonly cycle: number;
}

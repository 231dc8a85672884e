import type { Cycles } from '../base/ids.ts';

/** Something with states of its own that is neither a pCPU nor a vCPU. */
export interface Lane {
  /** A side of a protected pair, a VM that migrates, or a thread of a host. */
  readonly kind: 'pair' | 'migration' | 'thread';
  /** Undefined: it is on no one host. */
  readonly host: string | undefined;
  /** Of the VM or the thread. */
  readonly name: string;
}

/**
 * What an observer learns before anything happens. The numbers in its calls are indexes into these
 * lists.
 */
export interface ObservedRun {
  readonly name: string;
  /** Cycles per microsecond of simulated time: those of the first host, in all calls. */
  readonly mhz: number;
  /** Of all hosts. */
  readonly pcpuCount: number;
  /** Where there are several: their pCPUs follow each other in one row of numbers. */
  readonly hosts?: readonly { readonly name: string; readonly pcpuCount: number }[] | undefined;
  /** False: native, there is no hypervisor and no exit. */
  readonly virtualized: boolean;
  readonly vms: readonly string[];
  readonly vcpus: readonly {
    readonly vm: number;
    readonly index: number;
    /** Nested paging. */
    readonly nested: boolean;
  }[];
  readonly runstates: readonly string[];
  readonly exits: readonly string[];
  /** Why translations are lost. */
  readonly causes: readonly string[];
  /** What spans hosts, and their threads; undefined: nothing. */
  readonly lanes?: readonly Lane[] | undefined;
  /** Numbers that change over time: of links and of pairs. */
  readonly counters?: readonly { readonly name: string; readonly unit: string }[] | undefined;
}

/** Outcomes of a failed walk, by number. */
export const faultNames = ['guest', 'hidden', 'emulated'] as const;

/**
 * Told of what a hypervisor engineer would trace. Nothing here is called once per memory reference.
 * Calls about one pCPU come in the order of its clock. The clocks of pCPUs run apart by the
 * lookahead, so calls as a whole are not in order.
 */
export interface Observer {
  onBegin(run: ObservedRun): void;
  /**
   * A vCPU changes state. On the way to and from `running`, the pCPU is the one on which it runs,
   * else the one on which it last ran, -1 = none yet. With `from` equal to `to`, its time up to
   * `now` has been accounted: at either end of the measured window.
   */
  onRunstate(now: Cycles, pcpu: number, vcpu: number, from: number, to: number): void;
  /** The pCPU has nothing to run from now on. */
  onIdle(now: Cycles, pcpu: number): void;
  /** #VMEXIT: the guest's last instruction is done, and nothing has been charged yet. */
  onVmexit(now: Cycles, pcpu: number, vcpu: number, reason: number): void;
  /**
   * VMRUN is done and the guest's next instruction follows; also without a hypervisor, after a
   * switch.
   */
  onVmrun(now: Cycles, pcpu: number, vcpu: number, asid: number): void;
  /**
   * Interrupts reach the guest, as vector bits; `fresh`: by the entry just made, without an exit of
   * their own.
   */
  onInterrupt(now: Cycles, pcpu: number, vcpu: number, vectors: number, fresh: boolean): void;
  /**
   * Translations of a vCPU are dropped; `control` is AMD's TLB_CONTROL, 0 = a new tag instead of a
   * flush.
   */
  onTlbFlush(now: Cycles, pcpu: number, vcpu: number, cause: number, control: number): void;
  /** A walk of `vpn` failed; `outcome` is an index of `faultNames`. */
  onFault(now: Cycles, pcpu: number, vcpu: number, vpn: number, outcome: number): void;
  /** Live entries of a VM in the last-level data TLBs of all pCPUs. */
  onTlbOccupancy(now: Cycles, vm: number, entries: number): void;
  /**
   * A lane was doing something from one time to another; told when that is over, or at the end of
   * the run. An instant if both times are equal.
   */
  onSpan(lane: number, what: string, from: Cycles, to: Cycles): void;
  /** A counter has this value at a time, which may be long past. */
  onCounter(counter: number, now: Cycles, value: number): void;
  /** The measured window begins. */
  onWindow(now: Cycles): void;
  /** No event earlier than `now` will follow. */
  onReached(now: Cycles): void;
  /** The run is over; every vCPU has just been seen in its last state. */
  onEnd(now: Cycles): void;
}

const nothing = (): void => {};

/** Hears nothing, so that a run without an observer costs what it would cost without observers. */
export const silent: Observer = {
  onBegin: nothing,
  onRunstate: nothing,
  onIdle: nothing,
  onVmexit: nothing,
  onVmrun: nothing,
  onInterrupt: nothing,
  onTlbFlush: nothing,
  onFault: nothing,
  onTlbOccupancy: nothing,
  onSpan: nothing,
  onCounter: nothing,
  onWindow: nothing,
  onReached: nothing,
  onEnd: nothing,
};

/** Name of a vCPU as in the results: `web-0/0`. */
export const vcpuName = (run: ObservedRun, vcpu: number): string => {
  const { vm, index } = run.vcpus[vcpu]!;
  return `${run.vms[vm]}/${index}`;
};

/** Host and number of a pCPU, where there are several hosts. */
export function pcpuOnHost(
  { hosts }: ObservedRun,
  pcpu: number,
): { readonly host: string | undefined; readonly pcpu: number } {
  let first = 0;
  if (pcpu < 0) return { host: undefined, pcpu };
  for (const { name, pcpuCount } of hosts ?? []) {
    if (pcpu < first + pcpuCount) return { host: name, pcpu: pcpu - first };
    first += pcpuCount;
  }
  return { host: undefined, pcpu };
}

import type { Cycles, VcpuId, VmId } from '../base/ids.ts';
import { type Ticks, Timebase } from '../engine/timebase.ts';
import type { CoreContext, FaultPort } from '../machine/core.ts';
import { type Observer, silent } from '../observe/observer.ts';
import { EXITS, ExitReason } from '../stats/leaves.ts';
import type { MetricName } from '../stats/metrics.ts';
import { bareDevices, type VmDevices } from './devices.ts';
import type { Guest, GuestCpu } from './guest-port.ts';

/** vCPU run states, in esxtop's and Xen's words. Their times add up to the elapsed time. */
export const Runstate = {
  Running: 0,
  Ready: 1,
  Costopped: 2,
  Blocked: 3,
  Parked: 4,
  /** Held by the hypervisor, until it lets it go. */
  Paused: 5,
  /** Its host has lost power, or it is a copy that does not exist yet, or no longer. */
  Off: 6,
} as const;
export type Runstate = (typeof Runstate)[keyof typeof Runstate];
export const runstateMetrics: readonly MetricName[] = [
  'running_cycles',
  'ready_cycles',
  'costopped_cycles',
  'blocked_cycles',
  'parked_cycles',
  'paused_cycles',
  'off_cycles',
];
export const runstateNames = [
  'running',
  'ready',
  'co-stopped',
  'blocked',
  'parked',
  'paused',
  'off',
] as const;

/** Things counted per VM by the layers above the hardware. */
export const softCounters = [
  'kernel_cycles',
  'guest_faults',
  'hidden_faults',
  'nested_faults',
  'guest_pte_writes',
  'pte_write_exits',
  'resyncs',
  'resync_entries',
  'unsyncs',
  'prefetched_entries',
  'shadow_pages_built',
  'shadow_zaps',
  'tlb_flushes',
  'asid_exhaustions',
  'vmruns',
  'vcpu_switches',
  'migrations',
  'turns',
  'guest_process_switches',
  'forks',
  'execs',
  'process_exits',
  'cow_breaks',
  'syscalls',
  'timer_ticks',
  'io_requests',
  'disk_requests',
  'doorbells',
  'packets_sent',
  'packets_received',
  'interrupts',
  'requests',
  'requests_arrived',
  'work',
] as const satisfies readonly MetricName[];
/** More of them, which a run reports only when there were any. */
export const rareCounters = [
  'dirty_log_faults',
  'prefetched_entries',
] as const satisfies readonly MetricName[];
export type SoftCounters = Record<
  (typeof softCounters)[number] | (typeof rareCounters)[number],
  number
>;

export const zeroCounters = (): SoftCounters =>
  Object.fromEntries([...softCounters, ...rareCounters].map((name) => [name, 0])) as SoftCounters;

/** Where a VM is resident, as far as the VM and its vCPUs know it. */
export interface VmHost {
  /** As the scenario calls it. */
  readonly name: string;
  /** Its place among the hosts of the simulation. */
  readonly index: number;
  /** Where interrupts go for a VM that is there. */
  readonly hypervisor?: {
    readonly interrupts: { raiseAt(vcpu: Vcpu, vectors: number, time: Ticks): void };
  };
}

/**
 * A virtual machine: memory, weight, counters. Its processors are `vcpus`. Its number and theirs
 * are those of the whole simulation, so that moving it to another host renumbers nothing.
 */
export class Vm {
  readonly id: VmId;
  readonly name: string;
  /** The VM whose program it executes: itself, or the one it is a second copy of. */
  readonly program: string;
  readonly memoryPages: number;
  readonly weight: number;
  readonly cap: number;
  readonly pin: readonly number[] | undefined;
  /** What only the chosen scheduler understands. */
  readonly scheduling: object;
  readonly counters: SoftCounters = zeroCounters();
  /** Host frame of each guest frame; 0 = not backed yet. */
  p2m: Int32Array;
  /** Guest table node that lives in each guest frame; 0 = none. Maintained by the guest kernel. */
  readonly nodeOfFrame: Int32Array;
  /** The one host whose scheduler has it. */
  host: VmHost;
  /**
   * Some of its memory is still on another host: called when a guest frame is backed on this one
   * because it is touched. Undefined: all of it is here.
   */
  missed?: ((gfn: number) => void) | undefined;
  /** Its network card and disk. */
  devices: VmDevices = bareDevices;
  /** Of the packets that the network has brought. */
  receivedBytes = 0;
  /** NUMA node its memory comes from first. */
  home = 0;
  /** What its guest counts time in, wherever it is: the cycles of the host that it booted on. */
  clock: Timebase = Timebase.same;
  /** When it finished its work, in cycles of the host where it is; NaN = not yet. */
  finishedAt: Cycles = Number.NaN;

  constructor(
    id: VmId,
    options: {
      name: string;
      program?: string;
      host: VmHost;
      memoryPages: number;
      weight: number;
      cap: number;
      pin?: readonly number[] | undefined;
      scheduling?: object | undefined;
      /** That of a VM whose guest it has, for another view of the same guest. */
      nodeOfFrame?: Int32Array;
    },
  ) {
    this.id = id;
    this.name = options.name;
    this.program = options.program ?? options.name;
    this.host = options.host;
    this.memoryPages = options.memoryPages;
    this.weight = options.weight;
    this.cap = options.cap;
    this.pin = options.pin;
    this.scheduling = options.scheduling ?? {};
    this.p2m = new Int32Array(options.memoryPages);
    this.nodeOfFrame = options.nodeOfFrame ?? new Int32Array(options.memoryPages);
  }
}

/** Packets that go to a guest together. */
export interface PacketBatch {
  readonly packets: number;
  readonly bytes: number;
  /** Called when they are in the guest's memory. */
  readonly then: (now: Cycles) => void;
}

/** What a scheduler lets run on a pCPU: a vCPU, or a task of the host. */
export abstract class Scheduled {
  /** Its number for the scheduler. */
  readonly id: VcpuId;
  state: Runstate = Runstate.Blocked;
  since: Cycles = 0;
  /** The last state in which time passed. */
  #cameFrom: Runstate = Runstate.Blocked;
  /** Cycles of the present host in each run state, and ticks on hosts of other clocks. */
  readonly #cycles = new Float64Array(runstateNames.length);
  readonly #elsewhere = new Float64Array(runstateNames.length);
  /** Of the host whose scheduler has it. */
  timebase: Timebase = Timebase.same;
  /** pCPU it runs on or ran on last; -1 = none yet. */
  pcpu = -1;
  observer: Pick<Observer, 'onRunstate'> = silent;
  /** The next edge of a window, and who is told that it falls inside a run state; see edges.ts. */
  edge: Ticks = Infinity;
  onEdge: () => void = () => {};

  constructor(id: VcpuId) {
    this.id = id;
  }

  /**
   * Time in each run state up to `now`, which must not precede the state before the present one.
   */
  statesAt(now: Cycles): Float64Array {
    const { ticks } = this.timebase;
    const states = this.#cycles.slice();
    const state = now < this.since ? this.#cameFrom : this.state;
    states[state] = states[state]! + (now - this.since);
    for (const [i, cycles] of states.entries()) states[i] = cycles * ticks + this.#elsewhere[i]!;
    return states;
  }

  /** Moves to another run state at `now`; time already past stays where it was. */
  enter(state: Runstate, now: Cycles): void {
    const at = Math.max(now, this.since);
    this.#stay(at);
    this.observer.onRunstate(at, this.pcpu, this.id, this.state, state);
    this.state = state;
    this.since = at;
  }

  /** The time up to `at` is spent in the present state. */
  #stay(at: Cycles): void {
    while (this.timebase.engine(at) > this.edge) this.onEdge();
    if (at > this.since) this.#cameFrom = this.state;
    this.#cycles[this.state] = this.#cycles[this.state]! + (at - this.since);
  }

  /**
   * Stays in its state on a host whose cycles are as long as `timebase` says, from `now` on there.
   * What it has spent elsewhere is kept in ticks: no cycle of one host is a cycle of another.
   */
  moveTo(timebase: Timebase, now: Cycles): void {
    const before = this.timebase;
    if (timebase.ticks === before.ticks) return;
    const since = before.engine(this.since);
    const at = Math.max(now, timebase.local(since));
    const last = before.passed(timebase.engine(at));
    this.#stay(last);
    const elsewhere = this.#elsewhere;
    for (const [state, cycles] of this.#cycles.entries()) {
      elsewhere[state] = elsewhere[state]! + before.engine(cycles);
    }
    this.#cycles.fill(0);
    const rest = timebase.engine(at) - before.engine(last);
    elsewhere[this.state] = elsewhere[this.state]! + rest;
    this.#cameFrom = this.state;
    this.timebase = timebase;
    this.since = at;
  }
}

/** One virtual processor of a VM. */
export class Vcpu extends Scheduled {
  readonly vm: Vm;
  readonly index: number;
  /** What the hardware needs to execute it; made anew on another host. */
  context: CoreContext;
  guest!: Guest;
  /** Interrupts that wait for delivery, as Vector bits. */
  pending = 0;
  /** Cycles of the host for what those interrupts announce. */
  hostWork = 0;
  /** I/Os that are over and that the guest has not been told of, the first one first. */
  readonly completed: number[] = [];
  /** By I/O: requests that the disk has not answered. */
  readonly unanswered = new Map<number, number>();
  /** It waits for a device model that runs elsewhere: the access is not over. */
  stalled = false;
  /** Accesses that it has not begun to answer. */
  accesses = 0;
  /** Packets in the ring of its network card or on their way to it, and those in it. */
  readonly ring = { claimed: 0, ready: 0 };
  /** Packets for which the ring has no room, the first ones first. */
  readonly backlog: PacketBatch[] = [];
  /** What it has been asked and has not served yet, as Request bits. */
  requests = 0;
  done = false;
  /** It has halted: when it is let go it sleeps on, if nothing has come meanwhile. */
  halted = false;
  /** When its timer is due, while it moves between hosts; NaN = it is not armed. */
  timerDue: Ticks = Number.NaN;
  /** Reason of its last exit: the next entry is charged to it. */
  lastExit: ExitReason = ExitReason.Hlt;
  /** It has just been entered: a pending event is injected by that entry. */
  entered = false;
  /** What the guest kernel has in CR3: its top table. */
  guestRoot = 0;
  port!: GuestCpu;
  /** Of its whole life, wherever it was. */
  readonly exitCounts = new Float64Array(EXITS);
  /** Hosts that it has left, in order, and what `exitCounts` was then. */
  readonly left: { readonly host: number; readonly exits: Float64Array }[] = [];
  /** Why its translations are about to be lost, for the next new tag (a Cause). */
  flushCause = -1;

  constructor(id: VcpuId, vm: Vm, index: number, nested: boolean, port: FaultPort) {
    super(id);
    this.vm = vm;
    this.index = index;
    this.context = {
      vcpu: id,
      vm: vm.id,
      nested,
      root: 0,
      nestedRoot: 0,
      frameBase: 0,
      cpiQ8: 256,
      exposedQ8: 256,
      port,
      space: 0,
    };
  }
}

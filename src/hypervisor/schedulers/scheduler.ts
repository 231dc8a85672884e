import type { z } from 'zod';
import type { Cycles, PcpuId, VcpuId, VmId } from '../../base/ids.ts';
import { type Definition, registry } from '../../base/registry.ts';

/** Nobody: the pCPU idles. */
export const IDLE = -1 as VcpuId;

/**
 * Owned by the dispatcher; `pick` overwrites it. `slice` is Infinity for "until something happens".
 */
export interface Decision {
  vcpu: VcpuId;
  slice: Cycles;
}

/**
 * Decides who runs next. Never starts, stops or charges anything: the dispatcher does that, so that
 * every policy pays the same prices and passes the same checks. Calls arrive in simulated-time
 * order per pCPU.
 */
export interface Scheduler {
  /** The vCPU exists from now on; not yet runnable. */
  insert(vcpu: VcpuId, now: Cycles): void;
  /** Blocked -> runnable. */
  wake(vcpu: VcpuId, now: Cycles): void;
  /** Running -> blocked (HLT). */
  sleep(vcpu: VcpuId, now: Cycles): void;
  /** Still runnable, but gives up the rest of its slice. */
  yield(vcpu: VcpuId, now: Cycles): void;
  /** Slice over, or something better woke. */
  preempted(vcpu: VcpuId, now: Cycles): void;
  /** `vcpu` ran `ran` cycles on `pcpu`, up to `now`. Precedes the call that says why it stopped. */
  charge(vcpu: VcpuId, pcpu: PcpuId, ran: Cycles, now: Cycles): void;
  /** Who runs next on `pcpu`? The vCPU leaves the run queue. */
  pick(pcpu: PcpuId, now: Cycles, out: Decision): void;
  /** True while `vcpu` is held back by its cap (run state `parked`). */
  isParked(vcpu: VcpuId): boolean;
  /**
   * References per turn when slices are counted in references instead of time (trace studies); 0 =
   * time.
   */
  readonly sliceReferences: number;
}

/** Everything that a policy may see of the host, and the two things that it may ask for. */
export interface SchedulerHost {
  readonly pcpuCount: number;
  readonly vcpuCount: number;
  readonly vmCount: number;
  /** Cores of one socket are neighbours: pCPUs `s*n .. s*n+n-1`. */
  readonly pcpusPerSocket: number;
  /** Host clock, to turn periods into cycles. */
  readonly mhz: number;
  vmOf(vcpu: VcpuId): VmId;
  weightOf(vm: VmId): number;
  /** Per cent of one pCPU; 0 = none. */
  capOf(vm: VmId): number;
  mayRunOn(vcpu: VcpuId, pcpu: PcpuId): boolean;
  /** IDLE if none. */
  runningOn(pcpu: PcpuId): VcpuId;
  /** Cycles the vCPU on `pcpu` has run since it was last charged, at `now`; 0 when idle. */
  ranSinceCharge(pcpu: PcpuId, now: Cycles): Cycles;
  /**
   * Requests a scheduling pass: in this cycle if `pcpu` is in its own pass, else as soon as it can,
   * after an IPI where there is a hypervisor. Asking twice is asking once.
   */
  resched(pcpu: PcpuId): void;
  /** Calls `task` every `period` cycles from now on. */
  every(period: Cycles, task: (now: Cycles) => void): void;
}

export type SchedulerDefinition<P extends z.ZodObject = z.ZodObject> = Definition<
  Scheduler,
  SchedulerHost,
  P
>;
export const schedulerRegistry = (definitions: readonly SchedulerDefinition[]) =>
  registry<Scheduler, SchedulerHost>('scheduler', definitions);

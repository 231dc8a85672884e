import type { z } from 'zod';
import type { Cycles, PcpuId, VcpuId, VmId } from '../../base/ids.ts';
import { type Definition, type Registry, registry } from '../../base/registry.ts';

/** Nobody: the pCPU idles. */
export const IDLE = -1 as VcpuId;

/**
 * Owned by the dispatcher; `pick` overwrites it. `slice` is Infinity for "until something happens".
 * It means nothing beside IDLE: a pCPU idles until it is asked for a pass.
 */
export interface Decision {
  vcpu: VcpuId;
  slice: Cycles;
}

/**
 * Decides who runs next. Never starts, stops or charges anything: the dispatcher does that, so that
 * every policy pays the same prices and passes the same checks. Calls arrive in simulated-time
 * order per pCPU; between pCPUs `now` may step back by as much as their clocks are apart.
 */
export interface Scheduler {
  /** The vCPU exists from now on; not yet runnable. */
  insert(vcpu: VcpuId, now: Cycles): void;
  /** It sleeps, and leaves the host. It may be inserted again. */
  remove(vcpu: VcpuId, now: Cycles): void;
  /** Blocked -> runnable. */
  wake(vcpu: VcpuId, now: Cycles): void;
  /** Running -> blocked (HLT); or it waits, and is held from now on. */
  sleep(vcpu: VcpuId, now: Cycles): void;
  /**
   * Still runnable, gives up the rest of its slice: a spinning guest. The simulator does not call
   * it as long as guests have one vCPU; the conformance tests do.
   */
  yield(vcpu: VcpuId, now: Cycles): void;
  /** Slice over, or something better woke. */
  preempted(vcpu: VcpuId, now: Cycles): void;
  /**
   * `vcpu` ran `ran` cycles on `pcpu`, up to `now`. Precedes the call that says why it stopped:
   * `sleep`, `yield` or `preempted`.
   */
  charge(vcpu: VcpuId, pcpu: PcpuId, ran: Cycles, now: Cycles): void;
  /** Who runs next on `pcpu`? The vCPU leaves the run queue. */
  pick(pcpu: PcpuId, now: Cycles, out: Decision): void;
  /**
   * True while `vcpu` is held back by its cap or an exhausted budget (run state `parked`). It may
   * change in `preempted`, in `wake`, and in tasks of `every` and timers.
   */
  isParked(vcpu: VcpuId): boolean;
  /**
   * References per turn when slices are counted in references instead of time (trace studies); 0 =
   * time.
   */
  readonly sliceReferences: number;
}

/** What a policy may set to be called once, at a time of its choice. */
export interface PolicyTimer {
  /** Calls the task at `at` instead of when it was armed for; at once if that is past. */
  arm(at: Cycles): void;
  disarm(): void;
}

/**
 * All that a policy may see of the host, and what it may ask for. `V`: the parameters of a VM that
 * the policy declares as `vmParams`.
 */
export interface SchedulerHost<V = object> {
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
  /** What the scenario says under `vms[].scheduler`, defaults filled in. */
  paramsOf(vm: VmId): V;
  mayRunOn(vcpu: VcpuId, pcpu: PcpuId): boolean;
  /** Cycles the vCPU on `pcpu` has run since it was last charged, at `now`; 0 when idle. */
  ranSinceCharge(pcpu: PcpuId, now: Cycles): Cycles;
  /**
   * A scheduling pass on `pcpu` soon: after an IPI, also when its own events ask for it; from
   * within its own pass, as soon as that is over. Asking twice is asking once.
   */
  resched(pcpu: PcpuId): void;
  /** Calls `task` every `period` cycles from now on. */
  every(period: Cycles, task: (now: Cycles) => void): void;
  /**
   * A timer for `task`, not armed yet. That of a pCPU (`on`) is local to it: a pass there that the
   * task asks for needs no IPI.
   */
  timer(task: (now: Cycles) => void, on?: PcpuId): PolicyTimer;
}

/** Asks for a pass on `pcpu` when it is due. */
export const localTimer = (host: SchedulerHost<unknown>, pcpu: PcpuId): PolicyTimer =>
  host.timer(() => host.resched(pcpu), pcpu);

/**
 * How long (in picoseconds) a pCPU can idle although a vCPU that may run there is ready: one that
 * waits anywhere on the host, in the same socket, or in the pCPU's own queue. The conformance tests
 * hold a policy to it. vCPUs that are parked are not ready.
 */
export interface WorkConservation {
  readonly within: 'host' | 'socket' | 'pcpu';
  readonly delay: number;
}

/** What a policy may judge of a VM before the run. `V` as in SchedulerHost. */
export interface PlannedVm<V = object> {
  readonly vcpus: number;
  readonly weight: number;
  readonly cap: number;
  readonly params: V;
  /** How many VMs of this kind there are. */
  readonly count: number;
}

/** The host, and all VMs that are to run on it. */
export interface Plan<V = object> {
  readonly pcpus: number;
  readonly vms: readonly PlannedVm<V>[];
}

export interface SchedulerDefinition<
  P extends z.ZodObject = z.ZodObject,
  V extends z.ZodObject = z.ZodObject,
> extends Definition<Scheduler, SchedulerHost<z.output<V>>, P> {
  readonly workConserving: WorkConservation;
  /** The parameter that a run's summary shows beside the name. */
  readonly shows?: keyof z.output<P> & string;
  /**
   * The longest turn of a vCPU that never sleeps, in picoseconds, where `sharing` vCPUs of equal
   * weight want each of the `pcpus`. Tells windows that are too short to show how VMs share. Left
   * out, or undefined: nothing but what each VM was given says it.
   */
  turn?(params: z.output<P>, pcpus: number, sharing: number): number | undefined;
  /** Parameters of a VM that only this policy understands: `vms[].scheduler`. */
  readonly vmParams?: V;
  /** What Dom0 has of them, as text; what is left out is as for a VM. */
  readonly dom0?: Readonly<Record<string, string>>;
  /**
   * Keys of a VM that have no effect under this policy, and why: `weight`, `cap`, or keys of
   * `vmParams`. Who writes one is told.
   */
  idle?(params: z.output<P>, vm: PlannedVm<z.output<V>>): Readonly<Record<string, string>>;
  /**
   * What is wrong with the parameters of one VM together, or with what it asks for in the end: a
   * key of `vmParams`, and what to say.
   */
  check?(
    vm: PlannedVm<z.output<V>>,
    plan: Plan<z.output<V>>,
  ): { readonly key: string; readonly message: string; readonly suggestion: string } | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
export type AnySchedulerDefinition = SchedulerDefinition<any, any>;

export interface SchedulerRegistry extends Registry<Scheduler, SchedulerHost> {
  readonly definitions: readonly AnySchedulerDefinition[];
  /** Undefined when no scheduler is called that. */
  find(kind: unknown): AnySchedulerDefinition | undefined;
}

export const schedulerRegistry = (
  definitions: readonly AnySchedulerDefinition[],
): SchedulerRegistry => ({
  ...registry<Scheduler, SchedulerHost>('scheduler', definitions),
  definitions,
  find: (kind) => definitions.find(({ name }) => name === kind),
});

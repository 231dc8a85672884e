import type { Cycles, PcpuId, VcpuId, VmId } from '../../src/base/ids.ts';
import { stream } from '../../src/base/random.ts';
import type { Choice } from '../../src/base/registry.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import {
  type Decision,
  IDLE,
  type PolicyTimer,
  type Scheduler,
  type SchedulerHost,
  type WorkConservation,
} from '../../src/hypervisor/schedulers/scheduler.ts';

/** 1 GHz, so that a cycle is a nanosecond. */
export const MHZ = 1000;
export const US = 1e3;
export const MS = 1e6;
export const SECOND = 1e9;
/** A reschedule IPI takes this long. */
export const IPI = 1 * US;

/** A VM of the driver; its vCPUs all behave the same. */
export interface VmPlan {
  vcpus?: number;
  weight?: number;
  cap?: number;
  pin?: readonly number[];
  /** How long it runs before it blocks, in cycles; absent: for ever. */
  run?: (random: () => number) => Cycles;
  /** How long it then sleeps. */
  sleep?: (random: () => number) => Cycles;
  /** Share of the ends of `run` at which it yields instead of blocking. */
  yields?: number;
  /** `vms[].scheduler`. */
  scheduler?: Readonly<Record<string, unknown>>;
}

export interface HostPlan {
  pcpus: number;
  pcpusPerSocket?: number;
  vms: readonly VmPlan[];
  seed?: string;
}

const State = { Blocked: 0, Ready: 1, Running: 2 } as const;

interface VcpuRecord {
  readonly id: VcpuId;
  readonly vm: VmId;
  readonly plan: VmPlan;
  state: number;
  /** Cycles until it blocks. */
  left: Cycles;
  pcpu: number;
  readySince: Cycles;
  ranCycles: Cycles;
  turns: number;
  /** Cycles of each turn that is over. */
  turnCycles: Cycles[];
  migrations: number;
  worstWait: Cycles;
  wakeWaits: Cycles[];
  justWoken: boolean;
  parked: boolean;
  /** When its cap or budget let it go last. */
  freedAt: Cycles;
}

interface PcpuRecord {
  current: VcpuRecord | null;
  chargedAt: Cycles;
  /** Changes at each pass: outdated end-of-turn events are ignored. */
  epoch: number;
  kicked: boolean;
  idleCycles: Cycles;
  idleSince: Cycles;
}

/**
 * Drives a scheduler the way the hypervisor does, without guests, TLBs or costs: turns, blocking,
 * waking, yielding, reschedule IPIs. After every event it checks what must hold for any policy.
 */
export class SchedulerDriver implements SchedulerHost {
  readonly pcpuCount: number;
  readonly pcpusPerSocket: number;
  readonly mhz = MHZ;
  readonly vcpus: VcpuRecord[] = [];
  readonly pcpus: PcpuRecord[];
  readonly scheduler: Scheduler;
  now: Cycles = 0;
  readonly #vms: readonly VmPlan[];
  readonly #random: () => number;
  readonly #params: readonly object[];
  readonly #promise: WorkConservation;
  readonly #decision: Decision = { vcpu: IDLE, slice: 0 };
  #events: { at: Cycles; order: number; run: () => void }[] = [];
  #order = 0;
  #kicks = 0;
  /** The pCPU whose timer is being handled, or -1. */
  #timerOn = -1;

  constructor(choice: Record<string, unknown>, plan: HostPlan) {
    this.pcpuCount = plan.pcpus;
    this.pcpusPerSocket = plan.pcpusPerSocket ?? plan.pcpus;
    this.#vms = plan.vms;
    this.#random = stream(plan.seed ?? '1', 'scheduler-driver');
    this.pcpus = Array.from({ length: plan.pcpus }, () => ({
      current: null,
      chargedAt: 0,
      epoch: 0,
      kicked: false,
      idleCycles: 0,
      idleSince: 0,
    }));
    for (const [vm, vmPlan] of plan.vms.entries()) {
      for (let i = 0; i < (vmPlan.vcpus ?? 1); i++) {
        this.vcpus.push({
          id: this.vcpus.length as VcpuId,
          vm: vm as VmId,
          plan: vmPlan,
          state: State.Blocked,
          left: 0,
          pcpu: -1,
          readySince: 0,
          ranCycles: 0,
          turns: 0,
          turnCycles: [],
          migrations: 0,
          worstWait: 0,
          wakeWaits: [],
          justWoken: false,
          parked: false,
          freedAt: 0,
        });
      }
    }
    const definition = schedulers.find(choice['kind'])!;
    this.#promise = definition.workConserving;
    this.#params = plan.vms.map(
      ({ scheduler }) => (definition.vmParams?.strict().parse(scheduler ?? {}) ?? {}) as object,
    );
    this.scheduler = schedulers.create(schedulers.schema.parse(choice) as Choice, this);
    for (const vcpu of this.vcpus) this.scheduler.insert(vcpu.id, 0);
    for (const vcpu of this.vcpus) this.#wake(vcpu);
  }

  /** Runs to `until`, checking after every event; afterwards all cycles are accounted for. */
  runTo(until: Cycles): this {
    for (;;) {
      const event = this.#events[0];
      if (!event || event.at > until) break;
      this.#events.shift();
      this.now = event.at;
      event.run();
      this.#check();
    }
    this.now = until;
    for (const pcpu of this.pcpus) {
      if (!pcpu.current) {
        pcpu.idleCycles += until - pcpu.idleSince;
        pcpu.idleSince = until;
      }
    }
    return this;
  }

  /** At `at`: the vCPU, which runs or waits, is held and leaves the host; it returns at `back`, if ever. */
  send(id: number, at: Cycles, back = Infinity): this {
    const vcpu = this.vcpus[id];
    this.#at(at, () => {
      const { pcpu, state } = vcpu;
      if (state === State.Running) this.#stop(this.pcpus[pcpu], 'sleep');
      else if (state === State.Ready) this.scheduler.sleep(vcpu.id, this.now);
      vcpu.state = State.Blocked;
      this.scheduler.remove(vcpu.id, this.now);
      vcpu.pcpu = -1;
      if (state === State.Running) this.#pass(pcpu);
    });
    if (back === Infinity) return this;
    this.#at(back, () => {
      this.scheduler.insert(vcpu.id, this.now);
      this.#wake(vcpu);
    });
    return this;
  }

  /** Share of all cycles run so far that each VM had. */
  shares(): number[] {
    const ran = this.#vms.map((_, vm) => this.ranBy(vm));
    const total = ran.reduce((sum, cycles) => sum + cycles, 0);
    return ran.map((cycles) => cycles / total);
  }

  /** Cycles run by all vCPUs of a VM, turns under way included. */
  ranBy(vm: number): Cycles {
    let ran = 0;
    for (const vcpu of this.vcpus) {
      if (vcpu.vm !== vm) continue;
      ran += vcpu.ranCycles;
      if (vcpu.state === State.Running) {
        ran += this.ranSinceCharge(vcpu.pcpu as PcpuId, this.now);
      }
    }
    return ran;
  }

  // SchedulerHost.

  get vcpuCount(): number {
    return this.vcpus.length;
  }
  get vmCount(): number {
    return this.#vms.length;
  }
  vmOf(vcpu: VcpuId): VmId {
    return this.vcpus[vcpu].vm;
  }
  weightOf(vm: VmId): number {
    return this.#vms[vm].weight ?? 256;
  }
  capOf(vm: VmId): number {
    return this.#vms[vm].cap ?? 0;
  }
  paramsOf(vm: VmId): object {
    return this.#params[vm];
  }
  mayRunOn(vcpu: VcpuId, pcpu: PcpuId): boolean {
    return this.vcpus[vcpu].plan.pin?.includes(pcpu) ?? true;
  }
  runningOn(pcpu: PcpuId): VcpuId {
    return this.pcpus[pcpu].current?.id ?? IDLE;
  }
  ranSinceCharge(pcpu: PcpuId, now: Cycles): Cycles {
    return this.pcpus[pcpu].current ? now - this.pcpus[pcpu].chargedAt : 0;
  }
  resched(pcpu: PcpuId): void {
    const target = this.pcpus[pcpu];
    if (target.kicked) return;
    target.kicked = true;
    this.#kicks++;
    this.#at(this.now + (pcpu === this.#timerOn ? 0 : IPI), () => {
      target.kicked = false;
      this.#kicks--;
      if (target.current) this.#stop(target, 'preempted');
      this.#pass(pcpu);
    });
  }
  every(period: Cycles, task: (now: Cycles) => void): void {
    const again = () => {
      task(this.now);
      this.#at(this.now + period, again);
    };
    this.#at(this.now + period, again);
  }

  timer(task: (now: Cycles) => void, on = -1 as PcpuId): PolicyTimer {
    let armed = 0;
    return {
      arm: (at) => {
        const own = ++armed;
        this.#at(Math.max(this.now, Math.ceil(at)), () => {
          if (own !== armed) return;
          this.#timerOn = on;
          task(this.now);
          this.#timerOn = -1;
        });
      },
      disarm: () => {
        armed++;
      },
    };
  }

  // The dispatcher.

  #at(at: Cycles, run: () => void): void {
    const order = this.#order++;
    let i = this.#events.length;
    while (i > 0 && this.#events[i - 1].at > at) i--;
    this.#events.splice(i, 0, { at, order, run });
  }

  #wake(vcpu: VcpuRecord): void {
    vcpu.state = State.Ready;
    vcpu.readySince = this.now;
    vcpu.justWoken = true;
    vcpu.left = vcpu.plan.run ? Math.max(1, Math.round(vcpu.plan.run(this.#random))) : Infinity;
    this.scheduler.wake(vcpu.id, this.now);
  }

  #stop(pcpu: PcpuRecord, why: 'preempted' | 'sleep' | 'yield'): void {
    const vcpu = pcpu.current!;
    const ran = this.now - pcpu.chargedAt;
    vcpu.ranCycles += ran;
    vcpu.turnCycles.push(ran);
    vcpu.left -= ran;
    pcpu.chargedAt = this.now;
    this.scheduler.charge(vcpu.id, vcpu.pcpu as PcpuId, ran, this.now);
    vcpu.state = why === 'sleep' ? State.Blocked : State.Ready;
    vcpu.readySince = this.now;
    this.scheduler[why](vcpu.id, this.now);
    pcpu.current = null;
    pcpu.idleSince = this.now;
  }

  #pass(id: number): void {
    const pcpu = this.pcpus[id];
    const before = pcpu.current;
    if (before) throw new Error('a pass with a vCPU still running');
    pcpu.epoch++;
    const decision = this.#decision;
    this.scheduler.pick(id as PcpuId, this.now, decision);
    if (decision.vcpu === IDLE) return;
    const vcpu = this.vcpus[decision.vcpu];
    this.#checkPick(vcpu, id);
    pcpu.idleCycles += this.now - pcpu.idleSince;
    pcpu.current = vcpu;
    pcpu.chargedAt = this.now;
    vcpu.state = State.Running;
    if (vcpu.pcpu >= 0 && vcpu.pcpu !== id) vcpu.migrations++;
    vcpu.pcpu = id;
    vcpu.turns++;
    const waited = this.now - vcpu.readySince;
    vcpu.worstWait = Math.max(vcpu.worstWait, waited);
    if (vcpu.justWoken) vcpu.wakeWaits.push(waited);
    vcpu.justWoken = false;
    const turn = Math.min(decision.slice, vcpu.left);
    if (turn === Infinity) return;
    const { epoch } = pcpu;
    this.#at(this.now + turn, () => {
      if (pcpu.epoch === epoch && pcpu.current === vcpu) this.#turnOver(id, vcpu);
    });
  }

  #turnOver(id: number, vcpu: VcpuRecord): void {
    const pcpu = this.pcpus[id];
    if (vcpu.left > this.now - pcpu.chargedAt) {
      this.#stop(pcpu, 'preempted');
    } else if (this.#random() < (vcpu.plan.yields ?? 0)) {
      this.#stop(pcpu, 'yield');
      vcpu.left = Math.max(1, Math.round(vcpu.plan.run!(this.#random)));
    } else {
      this.#stop(pcpu, 'sleep');
      const sleep = Math.max(1, Math.round(vcpu.plan.sleep!(this.#random)));
      this.#at(this.now + sleep, () => this.#wake(vcpu));
    }
    this.#pass(id);
  }

  // What must hold for any policy.

  #checkPick(vcpu: VcpuRecord, pcpu: number): void {
    const who = `at ${this.now}: vCPU ${vcpu.id}, picked on pCPU ${pcpu},`;
    if (vcpu.state === State.Running) throw new Error(`${who} already runs on ${vcpu.pcpu}`);
    if (vcpu.state === State.Blocked) throw new Error(`${who} sleeps`);
    if (!this.mayRunOn(vcpu.id, pcpu as PcpuId)) throw new Error(`${who} is pinned elsewhere`);
    if (this.scheduler.isParked(vcpu.id)) throw new Error(`${who} is parked`);
  }

  /** Work conservation as the policy promises it, once every reschedule asked for has happened. */
  #check(): void {
    for (const vcpu of this.vcpus) {
      const parked = this.scheduler.isParked(vcpu.id);
      if (vcpu.parked && !parked) vcpu.freedAt = this.now;
      vcpu.parked = parked;
    }
    if (this.#kicks > 0) return;
    const { within, delay } = this.#promise;
    for (const [id, pcpu] of this.pcpus.entries()) {
      if (pcpu.current) continue;
      for (const vcpu of this.vcpus) {
        if (vcpu.state !== State.Ready || this.scheduler.isParked(vcpu.id)) continue;
        if (!this.mayRunOn(vcpu.id, id as PcpuId)) continue;
        if (!this.#near(vcpu.pcpu, id, within)) continue;
        const since = Math.max(pcpu.idleSince, vcpu.readySince, vcpu.freedAt);
        if (delay > 0 && this.now - since <= (delay * MHZ) / 1e6 + IPI) continue;
        throw new Error(`at ${this.now}: pCPU ${id} idles while vCPU ${vcpu.id} is ready`);
      }
    }
  }

  /** A vCPU that has not run yet waits in a queue that the driver does not know. */
  #near(home: number, pcpu: number, within: WorkConservation['within']): boolean {
    if (within === 'host') return true;
    if (home < 0) return false;
    if (within === 'pcpu') return home === pcpu;
    const socketOf = (id: number) => Math.floor(id / this.pcpusPerSocket);
    return socketOf(home) === socketOf(pcpu);
  }
}

import type { Cycles, PcpuId, VcpuId, VmId } from '../base/ids.ts';
import { type Engine, type EventKind, Phase } from '../engine/engine.ts';
import type { Machine } from '../machine/machine.ts';
import type { Interrupts } from './interrupts.ts';
import type { Pcpu } from './pcpu.ts';
import { policyTimer } from './policy-timer.ts';
import type { PolicyTimer, SchedulerHost } from './schedulers/scheduler.ts';
import type { Vcpu, Vm } from './vm.ts';

export interface DispatchDeps {
  readonly machine: Machine;
  readonly engine: Engine;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  readonly pcpus: readonly Pcpu[];
  readonly interrupts: Interrupts;
  readonly virtualized: boolean;
}

/** The host as a scheduler sees it: who may run where, and how to ask for a pass. */
export class Dispatch implements SchedulerHost {
  readonly pcpuCount: number;
  readonly vcpuCount: number;
  readonly vmCount: number;
  readonly pcpusPerSocket: number;
  readonly mhz: number;
  readonly #deps: DispatchDeps;
  readonly #resched: EventKind;
  /** Until a reschedule reaches its pCPU. */
  readonly #ipi: Cycles;
  /** The pCPU whose scheduler timer is being handled, or -1. */
  #timerOn = -1;

  constructor(deps: DispatchDeps) {
    const { engine, machine, pcpus } = deps;
    const { coresPerDie, diesPerSocket, instructions } = machine.processor;
    this.#deps = deps;
    this.pcpuCount = pcpus.length;
    this.vcpuCount = deps.vcpus.length;
    this.vmCount = deps.vms.length;
    this.pcpusPerSocket = coresPerDie * diesPerSocket;
    this.mhz = machine.mhz;
    this.#ipi = deps.virtualized ? instructions.ipiDeliver : 0;
    this.#resched = engine.defineEvent(Phase.Schedule, (now, id) => pcpus[id]!.kick(now));
  }

  vmOf(vcpu: VcpuId): VmId {
    return this.#deps.vcpus[vcpu]!.vm.id;
  }

  weightOf(vm: VmId): number {
    return this.#deps.vms[vm]!.weight;
  }

  capOf(vm: VmId): number {
    return this.#deps.vms[vm]!.cap;
  }

  paramsOf(vm: VmId): object {
    return this.#deps.vms[vm]!.scheduling;
  }

  mayRunOn(vcpu: VcpuId, pcpu: PcpuId): boolean {
    return this.#deps.vcpus[vcpu]!.vm.pin?.includes(pcpu) ?? true;
  }

  ranSinceCharge(pcpu: PcpuId, now: Cycles): Cycles {
    return this.#deps.pcpus[pcpu]!.ranSinceCharge(now);
  }

  resched(pcpu: PcpuId): void {
    const { engine, pcpus } = this.#deps;
    if (!pcpus[pcpu]!.claimKick()) return;
    const ipi = pcpu === this.#timerOn ? 0 : this.#ipi;
    engine.schedule(engine.here + ipi, this.#resched, pcpu);
  }

  every(period: Cycles, task: (now: Cycles) => void): void {
    this.#deps.engine.every(period, Phase.Schedule, this.#task(task));
  }

  timer(task: (now: Cycles) => void, on = -1 as PcpuId): PolicyTimer {
    const local = (now: Cycles) => {
      this.#timerOn = on;
      task(now);
      this.#timerOn = -1;
    };
    return policyTimer(this.#deps.engine, this.#task(local));
  }

  /** A task of the scheduler, after which it may hold back other vCPUs than before. */
  #task(task: (now: Cycles) => void): (now: Cycles) => void {
    return (now) => {
      task(now);
      this.#deps.interrupts.refreshParked(now);
    };
  }
}

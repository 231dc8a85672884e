import type { Cycles, PcpuId, VcpuId, VmId } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Machine } from '../machine/machine.ts';
import type { HostTasks } from './host-task.ts';
import type { Interrupts } from './interrupts.ts';
import type { Pcpu } from './pcpu.ts';
import { policyTimer } from './policy-timer.ts';
import type { PolicyTimer, SchedulerHost } from './schedulers/scheduler.ts';
import type { Vcpu, Vm } from './vm.ts';

export interface DispatchDeps {
  readonly machine: Machine;
  readonly engine: HostEngine;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  readonly pcpus: readonly Pcpu[];
  readonly tasks: HostTasks;
  readonly interrupts: Interrupts;
  readonly virtualized: boolean;
}

/**
 * The host as a scheduler sees it: who may run where, and how to ask for a pass. A task of the host
 * is to it the only vCPU of a VM of its own, numbered after the others.
 */
export class Dispatch implements SchedulerHost {
  readonly pcpuCount: number;
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
    this.pcpusPerSocket = coresPerDie * diesPerSocket;
    this.mhz = machine.mhz;
    this.#ipi = deps.virtualized ? instructions.ipiDeliver : 0;
    this.#resched = engine.defineEvent(Phase.Schedule, (now, id) => pcpus[id]!.kick(now));
  }

  get vcpuCount(): number {
    return this.#deps.vcpus.length + this.#deps.tasks.all.length;
  }

  get vmCount(): number {
    return this.#deps.vms.length + this.#deps.tasks.groups;
  }

  vmOf(vcpu: VcpuId): VmId {
    const { tasks, vcpus } = this.#deps;
    return vcpus[vcpu]?.vm.id ?? tasks.of(vcpu).group;
  }

  weightOf(vm: VmId): number {
    return this.#planOf(vm).weight;
  }

  capOf(vm: VmId): number {
    return this.#planOf(vm).cap;
  }

  paramsOf(vm: VmId): object {
    return this.#planOf(vm).scheduling;
  }

  mayRunOn(vcpu: VcpuId, pcpu: PcpuId): boolean {
    return this.#planOf(this.vmOf(vcpu)).pin?.includes(pcpu) ?? true;
  }

  #planOf(vm: VmId): Pick<Vm, 'weight' | 'cap' | 'scheduling' | 'pin'> {
    return this.#deps.vms[vm] ?? this.#deps.tasks.inGroup(vm);
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
      this.#deps.tasks.refreshParked(now);
    };
  }
}

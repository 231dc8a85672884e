import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Interrupts } from './interrupts.ts';
import type { Scheduler } from './schedulers/scheduler.ts';
import { Request, type VcpuRequests } from './vcpu-requests.ts';
import { Runstate, type Vcpu, type Vm, type VmHost } from './vm.ts';

export interface HoldingDeps {
  readonly engine: HostEngine;
  /** A VM that has left it meanwhile is left alone. */
  readonly host: VmHost;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  readonly requests: VcpuRequests;
  readonly interrupts: Interrupts;
  /** Asked for at each use, since it is made last. */
  scheduler(): Scheduler;
}

/**
 * Holds VMs and lets them go. A vCPU that runs is kicked out of the guest by an IPI; one that waits
 * for a pCPU or sleeps is held where it is. What is pending stays pending, and comes in when it is
 * let go. A VM is held or not: holding it twice is holding it once.
 */
export class Holding {
  readonly #deps: HoldingDeps;
  readonly #hold: EventKind;
  readonly #release: EventKind;
  /** By VM: who is told when all its vCPUs are held. */
  readonly #told: ((now: Cycles) => void)[][] = [];

  constructor(deps: HoldingDeps) {
    const { engine, vms } = deps;
    this.#deps = deps;
    this.#hold = engine.defineEvent(Phase.Schedule, (now, id) => this.#holdAll(vms[id]!, now));
    this.#release = engine.defineEvent(Phase.Schedule, (now, id) => this.#letGo(vms[id]!, now));
  }

  /**
   * Holds all vCPUs of a VM from now on. `held` is called when the last one has left its pCPU,
   * with the time of that: after this call has returned, and as much later as the step takes that a
   * vCPU is in (a system call of the guest is one).
   */
  pause(vm: Vm, held: (now: Cycles) => void = () => {}): void {
    const { engine } = this.#deps;
    (this.#told[vm.id] ??= []).push(held);
    engine.schedule(engine.here, this.#hold, vm.id);
  }

  /**
   * Lets a VM go at `now`, which is not past. Those that wait for it to be held are told nothing.
   */
  unpause(vm: Vm, now: Cycles): void {
    this.#deps.engine.schedule(now, this.#release, vm.id);
  }

  /** A vCPU that ran is out of the guest for good, and off its pCPU. */
  stopped(vcpu: Vcpu, now: Cycles): void {
    vcpu.requests &= ~Request.Pause;
    this.#deps.requests.left(vcpu, now);
    this.#tell(vcpu.vm, now);
  }

  #of(vm: Vm): readonly Vcpu[] {
    if (vm.host.index !== this.#deps.host.index) return [];
    return this.#deps.vcpus.filter((vcpu) => vcpu.vm === vm);
  }

  #holdAll(vm: Vm, now: Cycles): void {
    for (const vcpu of this.#of(vm)) {
      const { state } = vcpu;
      if (state === Runstate.Running) {
        this.#deps.requests.ask(vcpu, Request.Pause);
      } else if (state === Runstate.Blocked) {
        vcpu.halted = !vcpu.stalled;
        vcpu.enter(Runstate.Paused, now);
      } else if (state !== Runstate.Paused && state !== Runstate.Off) {
        this.#deps.scheduler().sleep(vcpu.id, Math.max(now, vcpu.since));
        vcpu.halted = false;
        vcpu.enter(Runstate.Paused, now);
      }
    }
    this.#tell(vm, now);
  }

  #tell(vm: Vm, now: Cycles): void {
    const vcpus = this.#of(vm);
    if (vcpus.length === 0 || !vcpus.every(({ state }) => state === Runstate.Paused)) return;
    const since = vcpus.reduce((last, vcpu) => Math.max(last, vcpu.since), now);
    for (const held of this.#told[vm.id]?.splice(0) ?? []) held(since);
  }

  #letGo(vm: Vm, now: Cycles): void {
    this.#told[vm.id] = [];
    for (const vcpu of this.#of(vm)) {
      vcpu.requests &= ~Request.Pause;
      if (vcpu.state !== Runstate.Paused) continue;
      const sleeps = vcpu.done || vcpu.stalled || (vcpu.halted && vcpu.pending === 0);
      if (sleeps) vcpu.enter(Runstate.Blocked, now);
      else this.#deps.interrupts.wake(vcpu, now);
    }
  }
}

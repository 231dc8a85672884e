import type { Cycles, PcpuId } from '../base/ids.ts';
import type { Runner } from '../engine/engine.ts';
import type { Core } from '../machine/core.ts';
import { DRAIN_AFTER } from '../machine/counters.ts';
import { Cause, ExitReason, Leaf } from '../stats/leaves.ts';
import { GuestStop } from './guest-port.ts';
import type { Hypervisor } from './hypervisor.ts';
import { type Decision, IDLE } from './schedulers/scheduler.ts';
import { Runstate, type Vcpu } from './vm.ts';

/**
 * One pCPU: runs the vCPU that the scheduler picked until something else wants the core. It moves
 * on its own clock between events; whatever it does to others goes through events.
 */
export class Pcpu implements Runner {
  readonly core: Core;
  readonly #hv: Hypervisor;
  readonly #decision: Decision = { vcpu: IDLE, slice: 0 };
  current: Vcpu | null = null;
  /** The vCPU whose state the core still holds. */
  #last: Vcpu | null = null;
  /** A scheduling pass is due at the next opportunity. */
  #resched = false;
  /** A reschedule IPI is on its way. */
  kicked = false;
  /** Inside a scheduling pass; `again` requests one more. */
  passing = false;
  again = false;
  #tick = false;
  #idle = true;
  #chargedAt: Cycles = 0;
  #sliceEvent = -1;

  constructor(core: Core, hypervisor: Hypervisor) {
    this.core = core;
    this.#hv = hypervisor;
  }

  get time(): Cycles {
    return this.#idle ? Infinity : this.core.time;
  }

  /** A reschedule IPI arrives. */
  kick(now: Cycles): void {
    this.kicked = false;
    this.#resched = true;
    this.#wakeUp(now);
  }

  sliceOver(_now: Cycles): void {
    this.#sliceEvent = -1;
    if (this.current) this.#resched = true;
  }

  hostTick(): void {
    if (this.current) this.#tick = true;
  }

  ranSinceCharge(now: Cycles): Cycles {
    return this.current ? Math.max(0, now - this.#chargedAt) : 0;
  }

  /** Accounts for idle time up to `now`, so that a snapshot sees it. */
  accountIdle(now: Cycles): void {
    if (this.#idle) this.#idleUntil(now);
  }

  #idleUntil(now: Cycles): void {
    const { core } = this;
    while (core.time < now) {
      const next = core.time <= core.cut.edge ? Math.min(now, core.cut.edge) : now;
      this.#hv.chargeHost(core, Leaf.Idle, next - core.time);
      core.skipTo(next);
      if (next < now) core.cut.here(core);
    }
  }

  #wakeUp(now: Cycles): void {
    if (!this.#idle) return;
    this.accountIdle(now);
    this.#idle = false;
  }

  advance(): void {
    const { core } = this;
    const hv = this.#hv;
    const { engine } = hv;
    engine.horizon = Math.min(engine.horizon, core.time + DRAIN_AFTER);
    while (core.time < engine.horizon) {
      if (this.#resched || this.current === null) {
        this.#pass();
        if (this.current === null) {
          this.#idle = true;
          hv.observer.onIdle(core.time, core.id);
          return;
        }
        continue;
      }
      const vcpu = this.current;
      if (core.full) hv.drain(core);
      if (this.#tick) {
        this.#tick = false;
        hv.exit(vcpu, core, ExitReason.Intr);
        hv.handle(vcpu, core, ExitReason.Intr, hv.costs.timer);
        hv.resume(vcpu, core, ExitReason.Intr);
        core.settle();
        continue;
      }
      if (vcpu.pending !== 0) {
        this.#deliver(vcpu);
        continue;
      }
      vcpu.entered = false;
      const stop = vcpu.guest.run(vcpu.port);
      if (stop === GuestStop.Time) continue;
      if (stop === GuestStop.Starved) {
        engine.starve();
        return;
      }
      this.#stopped(vcpu, stop);
    }
  }

  /**
   * Interrupts reach a running guest: an INTR exit, injection at the entry, then the guest's
   * handler.
   */
  #deliver(vcpu: Vcpu): void {
    const hv = this.#hv;
    const { core } = this;
    const vectors = vcpu.pending;
    hv.observer.onInterrupt(core.now, core.id, vcpu.id, vectors, vcpu.entered);
    vcpu.pending = 0;
    vcpu.vm.counters.interrupts++;
    if (hv.virtualized) {
      // Right after an entry, that entry injects the event; otherwise the interrupt forces an exit.
      const fresh = vcpu.entered;
      if (!fresh) hv.exit(vcpu, core, ExitReason.Intr);
      const work = hv.costs.injectEvent + ((vectors & 1) !== 0 ? hv.costs.timer : 0);
      hv.handle(vcpu, core, ExitReason.Intr, work);
      if ((vectors & ~1) !== 0) core.charge(Leaf.HostInterrupt, hv.costs.hostInterrupt);
      if (!fresh) this.#bringIn(vcpu);
      if (!fresh) hv.resume(vcpu, core, ExitReason.Intr);
    }
    vcpu.entered = false;
    vcpu.guest.interrupt(vcpu.port, vectors);
    core.settle();
  }

  /**
   * The host's work on packets that have arrived for the vCPU: before its entry, or in the exit
   * they force.
   */
  #bringIn(vcpu: Vcpu): void {
    if (!this.#hv.virtualized) return;
    const cycles = Math.min(vcpu.hostWork, DRAIN_AFTER);
    this.core.charge(Leaf.HostInterrupt, cycles);
    vcpu.hostWork -= cycles;
  }

  /** The guest returned the core. */
  #stopped(vcpu: Vcpu, stop: GuestStop): void {
    const hv = this.#hv;
    const { core } = this;
    if (stop === GuestStop.Turn) {
      this.#resched = true;
      return;
    }
    if (stop === GuestStop.Done) {
      vcpu.done = true;
      vcpu.vm.finishedAt = core.time;
      hv.disarmTimer(vcpu);
      hv.onVmDone(vcpu.vm);
    } else {
      if (vcpu.pending !== 0) return;
      hv.exit(vcpu, core, ExitReason.Hlt);
      hv.handle(vcpu, core, ExitReason.Hlt, hv.virtualized ? hv.costs.halt : 0);
      core.settle();
    }
    this.#leave(vcpu, Runstate.Blocked);
    hv.scheduler.sleep(vcpu.id, core.time);
    this.current = null;
    this.#resched = true;
  }

  /** The vCPU stops running: its time is charged and its run state changes. */
  #leave(vcpu: Vcpu, state: Runstate): void {
    const hv = this.#hv;
    const now = this.core.time;
    hv.scheduler.charge(vcpu.id, this.core.id as PcpuId, now - this.#chargedAt, now);
    this.#chargedAt = now;
    vcpu.enter(state, now);
    if (this.#sliceEvent >= 0) {
      hv.engine.cancel(this.#sliceEvent);
      this.#sliceEvent = -1;
    }
  }

  /** A scheduling pass: who runs next, and the switch to it. */
  #pass(): void {
    const hv = this.#hv;
    const { core } = this;
    this.passing = true;
    this.#resched = false;
    const before = this.current;
    if (before) {
      hv.exit(before, core, ExitReason.Intr);
      core.settle();
      this.#leave(before, Runstate.Ready);
      hv.scheduler.preempted(before.id, core.time);
      if (hv.scheduler.isParked(before.id)) before.enter(Runstate.Parked, core.time);
      this.current = null;
    }
    const decision = this.#decision;
    if (hv.closing) {
      this.passing = false;
      return;
    }
    do {
      this.again = false;
      hv.scheduler.pick(core.id as PcpuId, core.time, decision);
    } while (this.again && decision.vcpu === IDLE);
    this.passing = false;
    if (this.again) this.#resched = true;
    if (decision.vcpu === IDLE) return;
    const vcpu = hv.vcpus[decision.vcpu]!;
    // Clocks run apart by the lookahead: a vCPU that another pCPU released later than now is taken
    // over at that later time.
    if (vcpu.pcpu !== core.id && vcpu.since > 0 && vcpu.since >= core.time) {
      hv.observer.onIdle(core.time, core.id);
      this.#idleUntil(vcpu.since + 1);
    }
    this.#enter(vcpu, decision.slice);
  }

  #enter(vcpu: Vcpu, slice: Cycles): void {
    const hv = this.#hv;
    const { core } = this;
    const last = this.#last;
    const { counters } = vcpu.vm;
    counters.turns++;
    if (core.vm !== vcpu.vm.id || core.vcpu !== vcpu.id) hv.drain(core);
    this.#chargedAt = core.time;
    core.vm = vcpu.vm.id;
    core.vcpu = vcpu.id;
    if (vcpu.pcpu !== core.id) {
      if (vcpu.pcpu >= 0) {
        hv.tags.onMigrate(vcpu.id, vcpu.pcpu as PcpuId, core.id as PcpuId);
        vcpu.flushCause = Cause.Migration;
        counters.migrations++;
      }
      vcpu.pcpu = core.id;
    }
    vcpu.enter(Runstate.Running, core.time);
    if (last !== vcpu) {
      if (last) {
        hv.tags.onVcpuSwitch(core.id as PcpuId, last.id, vcpu.id);
        counters.vcpu_switches++;
      }
      if (hv.virtualized) core.charge(Leaf.Switch, hv.switchCycles);
      this.#last = vcpu;
    }
    if (vcpu.lastExit === ExitReason.Hlt && hv.virtualized) {
      hv.handle(vcpu, core, ExitReason.Hlt, hv.costs.wake);
    }
    this.#bringIn(vcpu);
    hv.resume(vcpu, core, vcpu.lastExit);
    core.settle();
    vcpu.entered = true;
    vcpu.guest.grantReferences(hv.scheduler.sliceReferences);
    this.current = vcpu;
    if (slice !== Infinity) this.#sliceEvent = hv.scheduleSlice(this, core.time + slice);
  }
}

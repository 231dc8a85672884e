import type { Cycles, PcpuId } from '../base/ids.ts';
import type { Runner } from '../engine/engine.ts';
import type { Core } from '../machine/core.ts';
import { DRAIN_AFTER } from '../machine/counters.ts';
import { Cause, ExitReason, Leaf } from '../stats/leaves.ts';
import { bringIn, deliver } from './delivery.ts';
import { GuestStop } from './guest-port.ts';
import type { HostTask } from './host-task.ts';
import type { PcpuHost } from './pcpu-host.ts';
import { type Decision, IDLE } from './schedulers/scheduler.ts';
import { Request } from './vcpu-requests.ts';
import { Runstate, type Scheduled, type Vcpu } from './vm.ts';

/**
 * One pCPU: runs the vCPU or the task of the host that the scheduler picked until something else
 * wants the core. It moves on its own clock between events; whatever it does to others goes through
 * events.
 */
export class Pcpu implements Runner {
  readonly core: Core;
  readonly #host: PcpuHost;
  readonly #decision: Decision = { vcpu: IDLE, slice: 0 };
  current: Vcpu | null = null;
  /** The task of the host that runs instead of a vCPU. */
  #task: HostTask | null = null;
  /** The vCPU that ran last. */
  #last: Vcpu | null = null;
  /** Whose state the core still holds. */
  #holds: Scheduled | null = null;
  /** A scheduling pass is due at the next opportunity. */
  #resched = false;
  /** A reschedule IPI is on its way. */
  #kicked = false;
  /** Inside a scheduling pass; `again` asks for one more. */
  #passing = false;
  #again = false;
  #tick = false;
  #request = false;
  #idle = true;
  /** Its host has lost power. */
  #off = false;
  #chargedAt: Cycles = 0;
  #sliceEvent = -1;

  constructor(core: Core, host: PcpuHost) {
    this.core = core;
    this.#host = host;
  }

  get time(): Cycles {
    return this.#idle ? Infinity : this.core.time;
  }

  get quiet(): Cycles {
    const { core, current } = this;
    if (this.#idle) return Infinity;
    if (current === null || this.#resched || this.#tick || this.#request) return core.time;
    return current.pending === 0 ? core.time + (current.guest.quiet ?? 0) : core.time;
  }

  get #running(): Scheduled | null {
    return this.current ?? this.#task;
  }

  /**
   * Somebody wants a scheduling pass. True: a reschedule IPI has to be sent; false: one is on its
   * way, or the pass under way is repeated.
   */
  claimKick(): boolean {
    if (this.#passing) this.#again = true;
    else if (!this.#kicked) return (this.#kicked = true);
    return false;
  }

  /** A reschedule IPI arrives. */
  kick(now: Cycles): void {
    this.#kicked = false;
    if (this.#off) return;
    this.#resched = true;
    this.#wakeUp(now);
  }

  /** The vCPU leaves the host. */
  forget(vcpu: Vcpu): void {
    if (this.#last === vcpu) this.#last = this.#holds = null;
  }

  sliceOver(): void {
    this.#sliceEvent = -1;
    if (this.#running) this.#resched = true;
  }

  /** An IPI arrives for the vCPU that runs: it is to serve what it was asked. */
  request(): void {
    if (this.current?.requests) this.#request = true;
  }

  hostTick(): void {
    if (this.#running) this.#tick = true;
  }

  ranSinceCharge(now: Cycles): Cycles {
    return this.#running ? Math.max(0, now - this.#chargedAt) : 0;
  }

  /** Accounts for idle time up to `now`, so that a snapshot sees it. */
  accountIdle(now: Cycles): void {
    if (this.#idle) this.#idleUntil(now);
  }

  #idleUntil(now: Cycles): void {
    const { core } = this;
    while (core.time < now) {
      const next = core.time <= core.cut.edge ? Math.min(now, core.cut.edge) : now;
      const leaf = this.#off ? Leaf.Off : Leaf.Idle;
      this.#host.ledger.chargeHost(core, leaf, next - core.time);
      core.skipTo(next);
      if (next < now) core.cut.here(core);
    }
  }

  /**
   * Loses power at `now`: it stops for good where it stands, a step later at most, and what it
   * runs.
   */
  stop(now: Cycles): void {
    const { core } = this;
    this.accountIdle(now);
    core.settle();
    this.#running?.enter(Runstate.Off, core.time);
    this.#endSlice();
    this.current = this.#task = null;
    this.#off = this.#idle = true;
  }

  #wakeUp(now: Cycles): void {
    if (!this.#idle) return;
    this.accountIdle(now);
    this.#idle = false;
  }

  advance(): void {
    const { core } = this;
    const host = this.#host;
    const { engine } = host;
    engine.horizon = Math.min(engine.horizon, core.time + DRAIN_AFTER);
    while (core.time < engine.horizon) {
      if (this.#task !== null && !this.#resched) {
        this.#runTask(this.#task);
        continue;
      }
      if (this.#resched || this.current === null) {
        this.#pass();
        if (this.#running === null) {
          this.#idle = true;
          host.observer.onIdle(core.time, core.id);
          return;
        }
        continue;
      }
      const vcpu = this.current;
      if (core.full) host.ledger.drain(core);
      if (this.#tick) {
        this.#tick = false;
        host.world.exit(vcpu, core, ExitReason.Intr);
        host.world.perform(core, ExitReason.Intr, 'timer');
        host.world.resume(vcpu, core, ExitReason.Intr);
        core.settle();
        continue;
      }
      if (this.#request) {
        this.#request = false;
        host.world.exit(vcpu, core, ExitReason.Intr);
        const held = (vcpu.requests & Request.Pause) !== 0;
        if (!held) host.world.resume(vcpu, core, ExitReason.Intr);
        core.settle();
        if (held) this.#sleep(vcpu, false);
        continue;
      }
      if (vcpu.pending !== 0) {
        deliver(host, core, vcpu);
        if (vcpu.stalled) this.#sleep(vcpu, false);
        continue;
      }
      vcpu.entered = false;
      const stop = vcpu.guest.run(vcpu.port);
      if (vcpu.stalled && stop !== GuestStop.Done && stop !== GuestStop.Starved) {
        this.#sleep(vcpu, false);
        continue;
      }
      if (stop === GuestStop.Time) continue;
      if (stop === GuestStop.Starved) {
        engine.starve();
        return;
      }
      this.#stopped(vcpu, stop);
    }
  }

  /** The guest returned the core. */
  #stopped(vcpu: Vcpu, stop: GuestStop): void {
    const host = this.#host;
    const { core } = this;
    if (stop === GuestStop.Turn) {
      this.#resched = true;
      return;
    }
    if (stop === GuestStop.Done) {
      vcpu.done = true;
      vcpu.vm.finishedAt = core.time;
      host.interrupts.disarmTimer(vcpu);
      host.onVmDone(vcpu.vm);
    } else {
      if (vcpu.pending !== 0) return;
      host.world.exit(vcpu, core, ExitReason.Hlt);
      if (host.world.virtualized) host.world.perform(core, ExitReason.Hlt, 'halt');
      core.settle();
    }
    this.#sleep(vcpu, true);
  }

  /** The vCPU leaves the pCPU and sleeps, or is held if that was asked for. */
  #sleep(vcpu: Vcpu, halted: boolean): void {
    const host = this.#host;
    const { time } = this.core;
    const held = (vcpu.requests & Request.Pause) !== 0;
    vcpu.halted = halted;
    this.#leave(vcpu, held ? Runstate.Paused : Runstate.Blocked);
    host.scheduler.sleep(vcpu.id, time);
    this.current = null;
    this.#resched = true;
    if (held) host.holding.stopped(vcpu, time);
    else host.requests.left(vcpu, time);
  }

  /** The host's own work: no guest, no exit, until the queue of the task is empty. */
  #runTask(task: HostTask): void {
    const host = this.#host;
    const { core } = this;
    if (core.full) host.ledger.drain(core);
    if (this.#tick) {
      this.#tick = false;
      host.world.takeInterrupt(core, 'timer');
      core.settle();
      return;
    }
    if (task.run(core, host.engine)) return;
    this.#leave(task, Runstate.Blocked);
    host.scheduler.sleep(task.id, core.time);
    this.#task = null;
    this.#resched = true;
  }

  /** A vCPU or a task stops running: its time is charged and its run state changes. */
  #leave(vcpu: Scheduled, state: Runstate): void {
    const host = this.#host;
    const now = this.core.time;
    this.core.learned?.leave(this.#task ? -1 : vcpu.id, now - this.#chargedAt);
    host.scheduler.charge(vcpu.id, this.core.id as PcpuId, now - this.#chargedAt, now);
    this.#chargedAt = now;
    vcpu.enter(state, now);
    this.#endSlice();
  }

  #endSlice(): void {
    if (this.#sliceEvent >= 0) this.#host.engine.cancel(this.#sliceEvent);
    this.#sliceEvent = -1;
  }

  /** A scheduling pass: who runs next, and the switch to it. */
  #pass(): void {
    const host = this.#host;
    const { core } = this;
    this.#passing = true;
    this.#resched = false;
    const before = this.#running;
    if (before) {
      const vcpu = this.current;
      if (vcpu) host.world.exit(vcpu, core, ExitReason.Intr);
      core.settle();
      if (vcpu && (vcpu.requests & Request.Pause) !== 0) {
        this.#sleep(vcpu, false);
        this.#resched = false;
      } else {
        this.#leave(before, Runstate.Ready);
        host.scheduler.preempted(before.id, core.time);
        if (host.scheduler.isParked(before.id)) before.enter(Runstate.Parked, core.time);
        if (vcpu) host.requests.left(vcpu, core.time);
      }
      this.current = this.#task = null;
    }
    const decision = this.#decision;
    if (host.closing) {
      this.#passing = false;
      return;
    }
    do {
      this.#again = false;
      host.scheduler.pick(core.id as PcpuId, core.time, decision);
    } while (this.#again && decision.vcpu === IDLE);
    this.#passing = false;
    if (this.#again) this.#resched = true;
    if (decision.vcpu === IDLE) return;
    const vcpu = host.vcpus[decision.vcpu];
    const task = host.tasks.of(decision.vcpu);
    const next: Scheduled = vcpu ?? task;
    // Clocks run apart by the lookahead: what another pCPU let go later than now is taken over
    // after that.
    if (next.pcpu !== core.id && next.since > 0 && next.since >= core.time) {
      host.observer.onIdle(core.time, core.id);
      this.#idleUntil(next.since + 1);
    }
    if (vcpu) this.#enter(vcpu);
    else this.#enterTask(task);
    const { slice } = decision;
    if (slice !== Infinity) this.#sliceEvent = host.scheduleSlice(core.id, core.time + slice);
  }

  /** A task comes in: a switch between threads, without what belongs to a guest. */
  #enterTask(task: HostTask): void {
    const host = this.#host;
    const { core } = this;
    host.ledger.drain(core);
    this.#chargedAt = core.time;
    core.vm = -1;
    core.vcpu = -1;
    task.pcpu = core.id;
    task.enter(Runstate.Running, core.time);
    if (this.#holds !== task && host.world.virtualized) {
      core.charge(Leaf.Switch, host.world.cyclesOf(core, 'vcpuSwitch'));
      core.settle();
    }
    this.#holds = this.#task = task;
  }

  #enter(vcpu: Vcpu): void {
    const host = this.#host;
    const { core } = this;
    const last = this.#last;
    const { counters } = vcpu.vm;
    counters.turns++;
    if (core.vm !== vcpu.vm.id || core.vcpu !== vcpu.id) host.ledger.drain(core);
    this.#chargedAt = core.time;
    core.vm = vcpu.vm.id;
    core.vcpu = vcpu.id;
    core.learned?.takeUp(vcpu.id);
    if (vcpu.pcpu !== core.id) {
      if (vcpu.pcpu >= 0) {
        host.tags.onMigrate(vcpu.id, vcpu.pcpu as PcpuId, core.id as PcpuId);
        vcpu.flushCause = Cause.Migration;
        counters.migrations++;
      }
      vcpu.pcpu = core.id;
    }
    vcpu.enter(Runstate.Running, core.time);
    if (last !== vcpu) {
      if (last) {
        host.tags.onVcpuSwitch(core.id as PcpuId, last.id, vcpu.id);
        counters.vcpu_switches++;
      }
      this.#last = vcpu;
    }
    if (this.#holds !== vcpu && host.world.virtualized) {
      core.charge(Leaf.Switch, host.world.takeUp(vcpu, core));
    }
    this.#holds = vcpu;
    if (vcpu.lastExit === ExitReason.Hlt && host.world.virtualized) {
      host.world.perform(core, ExitReason.Hlt, 'wake');
    }
    bringIn(host, core, vcpu);
    host.world.resume(vcpu, core, vcpu.lastExit);
    core.settle();
    vcpu.entered = true;
    vcpu.guest.grantReferences(host.scheduler.sliceReferences);
    this.current = vcpu;
  }
}

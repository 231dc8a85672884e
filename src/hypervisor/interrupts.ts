import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Ticks } from '../engine/timebase.ts';
import { Vector } from './guest-port.ts';
import type { Scheduler } from './schedulers/scheduler.ts';
import { Runstate, type Vcpu, type VmHost } from './vm.ts';

/** Interrupts of vCPUs, and the wake-ups that they cause: timers, devices, the network. */
export class Interrupts {
  readonly #engine: HostEngine;
  readonly #vcpus: readonly Vcpu[];
  readonly #host: VmHost;
  readonly #scheduler: () => Scheduler;
  readonly #timer: EventKind;
  /** By vCPU: the event of its armed timer, -1 = none, and when that is due. */
  readonly #timers: number[];
  readonly #due: Float64Array;

  /** `scheduler`: asked for at each use, since it is made last. */
  constructor(
    engine: HostEngine,
    vcpus: readonly Vcpu[],
    host: VmHost,
    scheduler: () => Scheduler,
  ) {
    this.#engine = engine;
    this.#vcpus = vcpus;
    this.#host = host;
    this.#scheduler = scheduler;
    this.#timers = vcpus.map(() => -1);
    this.#due = new Float64Array(vcpus.length);
    this.#timer = engine.defineEvent(Phase.Deliver, (now, id) => {
      this.#timers[id] = -1;
      this.raise(vcpus[id]!, Vector.Timer, now);
    });
  }

  /**
   * Makes vectors pending on a vCPU: an INTR exit if it runs, a wake-up if it sleeps and does not
   * wait for a device model. One that has moved gets them where it is.
   */
  raise(vcpu: Vcpu, vectors: number, now: Cycles): void {
    const there = vcpu.vm.host.hypervisor?.interrupts ?? this;
    if (there !== this) {
      there.raiseAt(vcpu, vectors, this.#engine.timebase.engine(now));
      return;
    }
    if (vcpu.done || vcpu.state === Runstate.Off) return;
    vcpu.pending |= vectors;
    if (vcpu.state === Runstate.Blocked && !vcpu.stalled) this.wake(vcpu, now);
  }

  /** As `raise`, at a time of the engine: for whatever is not on this host. */
  raiseAt(vcpu: Vcpu, vectors: number, time: Ticks): void {
    this.raise(vcpu, vectors, this.#engine.timebase.local(time));
  }

  wake(vcpu: Vcpu, now: Cycles): void {
    const scheduler = this.#scheduler();
    const at = Math.max(now, vcpu.since);
    vcpu.enter(Runstate.Ready, at);
    scheduler.wake(vcpu.id, at);
    if (scheduler.isParked(vcpu.id)) vcpu.enter(Runstate.Parked, at);
  }

  /** After an accounting pass: vCPUs held back by their cap are parked, not ready. */
  refreshParked(now: Cycles): void {
    const scheduler = this.#scheduler();
    for (const vcpu of this.#vcpus) {
      if (vcpu.vm.host.index !== this.#host.index) continue;
      if (vcpu.state !== Runstate.Ready && vcpu.state !== Runstate.Parked) continue;
      const parked = scheduler.isParked(vcpu.id);
      if (parked !== (vcpu.state === Runstate.Parked)) {
        vcpu.enter(parked ? Runstate.Parked : Runstate.Ready, now);
      }
    }
  }

  /** The guest's one-shot timer: the last one set counts. */
  armTimer(vcpu: Vcpu, at: Cycles): void {
    this.disarmTimer(vcpu);
    this.#timers[vcpu.id] = this.#engine.schedule(at, this.#timer, vcpu.id);
    this.#due[vcpu.id] = at;
  }

  /** When its timer is due; NaN if none is armed. */
  timerOf(vcpu: Vcpu): Cycles {
    return this.#timers[vcpu.id]! >= 0 ? this.#due[vcpu.id]! : Number.NaN;
  }

  disarmTimer(vcpu: Vcpu): void {
    const armed = this.#timers[vcpu.id]!;
    if (armed >= 0) this.#engine.cancel(armed);
    this.#timers[vcpu.id] = -1;
  }
}

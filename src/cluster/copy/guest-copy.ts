import { ModelError } from '../../base/errors.ts';
import type { Cycles } from '../../base/ids.ts';
import { type DiskIo, GuestStop, UNAWAITED } from '../../hypervisor/guest-port.ts';
import { VcpuPort } from '../../hypervisor/vcpu-port.ts';
import { DRAIN_AFTER } from '../../machine/counters.ts';
import type { Resident } from '../cluster.ts';
import type { Host } from '../host.ts';
import { type GuestHistory, type Position, Told } from './history.ts';
import { type Scratch, scratchFor } from './scratch.ts';

/** What a guest waits for, as its devices would know it. */
export interface Awaited {
  /** What its clock said last. */
  lastClock: Cycles;
  /** When its timer is due; NaN: it is not armed. */
  timer: Cycles;
  /** Requests that it serves, by arrival time. */
  readonly requests: Set<Cycles>;
  /** I/Os, as it numbers them. */
  readonly ios: Set<number>;
}

/** Nothing, before it executes. */
export const newlyBooted = (): Awaited => ({
  lastClock: 0,
  timer: Number.NaN,
  requests: new Set(),
  ios: new Set(),
});

/**
 * A second guest of the same program that becomes a copy of a running one: it executes again, off
 * the clock and charged to nobody, with everything that the other was told. (The objects of a guest
 * cannot be copied; what a real system copies is its memory, which is the same afterwards.)
 */
export class GuestCopy {
  readonly awaited = newlyBooted();
  readonly #member: Resident;
  readonly #like: Host;
  #warm = false;
  /** How much of the history it has been told. */
  #told = 0;

  /**
   * `member`: has been booted and has executed nothing but what this copy has made it execute; its
   * VM runs nowhere. `like`: a host of the kind and with the hypervisor that it is to run on.
   */
  constructor(member: Resident, like: Host) {
    this.#member = member;
    this.#like = like;
  }

  /**
   * Brings it to where a guest with that history was at `to`. Nothing else changes: no clock, no
   * account, no counter of any VM. Throws ModelError when it does not do what the other did.
   */
  catchUp(history: GuestHistory, to: Position): void {
    const { kernel, noted, vcpu, vm } = this.#member;
    if (kernel.steps > to.steps || this.#told > to.length) {
      throw new ModelError(`${vm.name} is at step ${kernel.steps}, beyond ${to.steps}`);
    }
    const counters = { ...vm.counters };
    const scratch = scratchFor(this.#member, this.#like);
    try {
      this.#warmUp(scratch);
      new Repeat(kernel, scratch, history, this.awaited, this.#told).repeat(to);
      vcpu.guestRoot = scratch.vcpu.guestRoot;
    } finally {
      kernel.stopAt(Infinity);
      scratch.dispose();
      Object.assign(vm.counters, counters);
    }
    this.#told = to.length;
    noted?.history.adopt(history, to.length);
  }

  /** As at power-on: what has been used is backed, and shadowed. */
  #warmUp({ mmu }: Scratch): void {
    const { guest } = this.#member;
    guest.memory.eachUsed((gfn) => mmu.populate(gfn));
    if (this.#warm) return;
    this.#warm = true;
    for (const root of guest.roots) mmu.warm(root);
  }
}

/**
 * The port of a guest that repeats its history: what it asks is in there, what it sends is lost.
 */
class Repeat extends VcpuPort {
  readonly #kernel: Resident['kernel'];
  readonly #scratch: Scratch;
  readonly #history: GuestHistory;
  readonly #awaited: Awaited;
  /** Next entry of the history, and the first that is too late. */
  #next: number;
  #end = 0;
  #until: Cycles = 0;

  constructor(
    kernel: Resident['kernel'],
    scratch: Scratch,
    history: GuestHistory,
    awaited: Awaited,
    next: number,
  ) {
    super(scratch.hypervisor, scratch.vcpu, scratch.mmu, null);
    this.#kernel = kernel;
    this.#scratch = scratch;
    this.#history = history;
    this.#awaited = awaited;
    this.#next = next;
  }

  /** Executes up to there, and is told all of the history that belongs to it. */
  repeat({ length, steps }: Position): void {
    const kernel = this.#kernel;
    const history = this.#history;
    this.#end = length;
    while (this.#next < length) {
      const next = this.#next;
      const at = history.stepsAt(next);
      if (at < kernel.steps) throw this.#astray('is past it');
      // What comes within the step that ends there is asked for on the way.
      if (at > kernel.steps) this.#execute(at);
      else if (history.kindAt(next) === Told.Interrupt) this.#interrupt(history.valueAt(next));
      else {
        this.#execute(at);
        if (this.#next === next) throw this.#astray('does not ask for it');
      }
    }
    if (kernel.steps < steps) this.#execute(steps);
    if (kernel.steps !== steps) throw this.#astray(`should be at ${steps}`);
  }

  override get until(): Cycles {
    return this.#until;
  }

  /** At least to what it does when it is let run, without a step. */
  #execute(until: number): void {
    const kernel = this.#kernel;
    const { core } = this;
    kernel.stopAt(until);
    for (;;) {
      this.#until = core.time + DRAIN_AFTER;
      const stop = kernel.run(this);
      this.#scratch.hypervisor.ledger.drain(core);
      if (kernel.steps >= until) return;
      if (stop !== GuestStop.Time) throw this.#astray(`stops, and should go on to ${until}`);
    }
  }

  #interrupt(vectors: number): void {
    const { core } = this;
    this.#next++;
    this.#kernel.interrupt(this, vectors);
    core.settle();
    this.#scratch.hypervisor.ledger.drain(core);
  }

  #take(kind: Told): Cycles {
    const history = this.#history;
    const next = this.#next;
    const known = next < this.#end && history.kindAt(next) === kind;
    if (!known || history.stepsAt(next) !== this.#kernel.steps) {
      throw this.#astray(`asks for kind ${kind}`);
    }
    this.#next++;
    return history.valueAt(next);
  }

  #astray(does: string): ModelError {
    const next = this.#next;
    const entry =
      next < this.#end
        ? `has kind ${this.#history.kindAt(next)} at ${this.#history.stepsAt(next)}`
        : 'is over';
    const { name } = this.vcpu.vm;
    return new ModelError(
      `${name}: at step ${this.#kernel.steps} it ${does}, its history ${entry}`,
    );
  }

  override clock(): Cycles {
    return (this.#awaited.lastClock = this.#take(Told.Clock));
  }

  override takeRequest(): Cycles {
    const arrival = this.#take(Told.Request);
    if (!Number.isNaN(arrival)) this.#awaited.requests.add(arrival);
    return arrival;
  }

  override endRequest(arrival: Cycles): void {
    this.#awaited.requests.delete(arrival);
  }

  override startIo(_request: DiskIo, io: number): void {
    this.#awaited.ios.add(io);
  }

  override send(_bytes: number, io: number): void {
    if (io !== UNAWAITED) this.#awaited.ios.add(io);
  }

  override takeCompletion(): number {
    const io = this.#take(Told.Completion);
    this.#awaited.ios.delete(io);
    return io;
  }

  override acknowledge(): void {}

  override setTimer(cyclesFromNow: Cycles): void {
    this.#awaited.timer = this.#awaited.lastClock + cyclesFromNow;
  }

  override clearTimer(): void {
    this.#awaited.timer = Number.NaN;
  }
}

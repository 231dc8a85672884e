import { ModelError } from '../../base/errors.ts';
import type { Cycles } from '../../base/ids.ts';
import {
  type Guest,
  type GuestCpu,
  GuestStop,
  type RequestSource,
} from '../../hypervisor/guest-port.ts';
import type { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { VcpuPort } from '../../hypervisor/vcpu-port.ts';
import type { Vcpu } from '../../hypervisor/vm.ts';
import { ExitReason, Leaf } from '../../stats/leaves.ts';
import { EntryKind, isInterrupt, type LogEntry, vectorOf } from './log-entry.ts';
import type { LogParams } from './log-params.ts';
import type { RecordReplayParams } from './params.ts';

/** Where a replaying vCPU reads: a pair's secondary side. */
export interface LogSource {
  /** The next entry; none: wait. */
  next(): LogEntry | undefined;
  consume(now: Cycles): LogEntry;
  /** Point of the last entry received: the guest executes no further. */
  readonly receivedPoint: number;
  /** The primary is lost: what comes after the last entry comes from this host. */
  readonly final: boolean;
}

/** What a replaying vCPU has in common over its port and its guest. */
export class Replayer {
  readonly hypervisor: Hypervisor;
  readonly vcpu: Vcpu;
  readonly log: LogParams;
  readonly source: LogSource;
  /** As the primary's. */
  readonly holdsWrites: boolean;
  /** True once it executes for the world. */
  live = false;
  /** When the disk requests of the guest are answered here; the first ones come first. */
  readonly io: Cycles[] = [];
  /** Reads are its own: it waits for them, and asks to be woken then. */
  readonly #wakeAt: ((time: Cycles) => void) | undefined;

  /** `wakeAt` has the vCPU woken: where this side reads the disk itself. */
  constructor(
    hypervisor: Hypervisor,
    vcpu: Vcpu,
    log: LogParams,
    source: LogSource,
    disk: RecordReplayParams['disk'] = 'shared',
    wakeAt: (time: Cycles) => void = () => {},
  ) {
    this.hypervisor = hypervisor;
    this.vcpu = vcpu;
    this.log = log;
    this.source = source;
    this.holdsWrites = disk !== 'non-shared';
    this.#wakeAt = disk === 'shared' ? undefined : wakeAt;
  }

  /** A request of the guest will be answered at `due`. */
  ask(due: Cycles): void {
    const at = this.io.findIndex((other) => other > due);
    this.io.splice(at < 0 ? this.io.length : at, 0, due);
  }

  /** The next entry reports reads that this side has not done yet: it has to wait for them. */
  get waits(): boolean {
    const entry = this.source.next();
    if (!this.#wakeAt || entry?.kind !== EntryKind.DiskRead) return false;
    const due = this.io[Math.min(this.io.length, entry.value >> 1) - 1] ?? 0;
    if (due <= this.core.now) return false;
    this.#wakeAt(due);
    return true;
  }

  get core() {
    return this.hypervisor.machine.cores[this.vcpu.pcpu]!;
  }

  /** Takes the next entry, which must be one of `kinds` at the guest's present step. */
  take(...kinds: EntryKind[]): LogEntry | undefined {
    const { core, source, vcpu } = this;
    const entry = source.next();
    if (!entry) {
      // The log of a lost primary may end within a step: the rest of it is this host's.
      if (source.final) return undefined;
      throw new ModelError(`${vcpu.vm.name}: the log ends within a step`);
    }
    const { steps } = vcpu.guest;
    if (!kinds.includes(entry.kind) || entry.point !== steps) {
      throw new ModelError(
        `${vcpu.vm.name}: the replay asks for kind ${kinds.join(' or ')} at step ${steps}, the log has kind ${entry.kind} at ${entry.point}`,
      );
    }
    if (entry.kind !== EntryKind.Told) core.charge(Leaf.FtLog, this.log.entryCycles);
    return source.consume(core.now);
  }
}

/**
 * The port of a secondary's vCPU: what the guest learns it learns from the log, and what it sends
 * goes nowhere. Live, it is a port like any other.
 */
export class ReplayPort extends VcpuPort {
  readonly #replayer: Replayer;
  /** Requests that the guest serves, and those whose answers it has sent, by arrival time. */
  readonly taken = new Set<Cycles>();
  readonly answered = new Set<Cycles>();
  /** What a guest that goes live still waits for. */
  #timer = Number.NaN;
  #lastClock: Cycles = 0;

  constructor(replayer: Replayer, mmu: Mmu, requests: RequestSource | null) {
    super(replayer.hypervisor, replayer.vcpu, mmu, requests);
    this.#replayer = replayer;
  }

  override clock(): Cycles {
    const replayer = this.#replayer;
    if (replayer.live) return super.clock();
    this.trapClock();
    this.#lastClock = replayer.take(EntryKind.Clock)?.value ?? this.told(this.core.now);
    return this.#lastClock;
  }

  override takeRequest(): Cycles {
    if (this.#replayer.live) return super.takeRequest();
    const arrival = this.#told(() => super.takeRequest());
    if (!Number.isNaN(arrival)) this.taken.add(arrival);
    return arrival;
  }

  override endRequest(arrival: Cycles): void {
    if (this.#replayer.live || !this.#replayer.take(EntryKind.Told)) {
      super.endRequest(arrival);
      return;
    }
    this.taken.delete(arrival);
    this.answered.add(arrival);
  }

  override startIo(bytes: number, latency: Cycles): Cycles {
    const due = super.startIo(bytes, latency);
    return this.#replayer.live ? due : this.#told(() => due);
  }

  override send(bytes: number): Cycles {
    const due = super.send(bytes);
    return this.#replayer.live ? due : this.#told(() => due);
  }

  override setTimer(cyclesFromNow: Cycles): void {
    if (this.#replayer.live) super.setTimer(cyclesFromNow);
    else this.#timer = this.#lastClock + cyclesFromNow;
  }

  override clearTimer(): void {
    if (this.#replayer.live) super.clearTimer();
    else this.#timer = Number.NaN;
  }

  protected override answerIo(bytes: number, due: Cycles): void {
    if (this.#replayer.live) {
      super.answerIo(bytes, due);
      return;
    }
    if (bytes === 0 && this.#replayer.holdsWrites && !this.#replayer.take(EntryKind.Output)) {
      super.answerIo(bytes, due);
    } else this.#replayer.ask(due);
  }

  protected override transmit(bytes: number): Cycles {
    if (this.#replayer.live) return super.transmit(bytes);
    if (this.#replayer.take(EntryKind.Output)) return this.core.now;
    return super.transmit(bytes);
  }

  /**
   * The devices of this host take over at `now`: what was under way is done again, and the timer
   * runs.
   */
  goLive(now: Cycles): void {
    const { hypervisor } = this.#replayer;
    const { interrupts } = hypervisor;
    for (const due of this.#replayer.io.splice(0)) {
      interrupts.completeIo(this.vcpu, Math.max(now + 1, due));
    }
    const timer = this.meant(this.#timer);
    if (!Number.isNaN(timer)) interrupts.armTimer(this.vcpu, Math.max(now + 1, timer));
  }

  #told(otherwise: () => Cycles): Cycles {
    const entry = this.#replayer.take(EntryKind.Told);
    return entry ? entry.value : otherwise();
  }
}

/**
 * A secondary's guest: executes up to the point of the next entry and takes it there. It never runs
 * further than the log that has been received, and sleeps when it has come so far.
 */
export class ReplayedGuest implements Guest {
  readonly #guest: Guest;
  readonly #replayer: Replayer;
  /** The guest waits in HLT: an event needs no counter to find its point. */
  #halted = false;

  constructor(guest: Guest, replayer: Replayer) {
    this.#guest = guest;
    this.#replayer = replayer;
  }

  get root(): number {
    return this.#guest.root;
  }

  get steps(): number {
    return this.#guest.steps;
  }

  stopAt(steps: number): void {
    this.#guest.stopAt(steps);
  }

  grantReferences(references: number): void {
    this.#guest.grantReferences(references);
  }

  interrupt(cpu: GuestCpu, vectors: number): void {
    this.#guest.interrupt(cpu, vectors);
  }

  run(cpu: GuestCpu): GuestStop {
    const replayer = this.#replayer;
    const { source } = replayer;
    const { core } = cpu;
    for (;;) {
      if (replayer.live) {
        this.#guest.stopAt(Infinity);
        return this.#guest.run(cpu);
      }
      if (core.time >= cpu.until) return GuestStop.Time;
      const entry = source.next();
      const { steps } = this.#guest;
      if (!entry) return GuestStop.Halt;
      if (entry.point < steps) {
        throw new ModelError(`the secondary is at step ${steps}, its log at ${entry.point}`);
      }
      if (entry.point > steps) {
        const stop = this.#execute(cpu, entry.point);
        if (stop === GuestStop.Halt && this.#guest.steps < entry.point) {
          throw new ModelError(
            `the secondary sleeps at ${this.#guest.steps}, before ${entry.point}`,
          );
        }
        if (stop !== GuestStop.Time && stop !== GuestStop.Halt) return stop;
        continue;
      }
      // What happens at this step is known in whole once a later one is.
      if (source.receivedPoint <= steps && !source.final) return GuestStop.Halt;
      if (isInterrupt(entry.kind)) {
        if (replayer.waits) return GuestStop.Halt;
        this.#inject(cpu);
      } else {
        const stop = this.#execute(cpu, steps + 1);
        if (stop !== GuestStop.Time && stop !== GuestStop.Halt) return stop;
      }
    }
  }

  #execute(cpu: GuestCpu, until: number): GuestStop {
    this.#guest.stopAt(until);
    const stop = this.#guest.run(cpu);
    this.#halted = stop === GuestStop.Halt;
    return stop;
  }

  /**
   * An interrupt at its point: a counter interrupts the guest shortly before, single steps take it
   * there, and the event is injected.
   */
  #inject(cpu: GuestCpu): void {
    const replayer = this.#replayer;
    const { hypervisor, log, source, vcpu } = replayer;
    const { costs, world } = hypervisor;
    const { core } = cpu;
    let vectors = 0;
    for (let more = true; more && source.next(); ) {
      const { kind, bytes, value } = source.consume(core.now);
      core.charge(Leaf.FtLog, log.entryCycles + Math.ceil(bytes / log.bytesPerCycle));
      vectors |= vectorOf(kind);
      more = (value & 1) !== 0;
      replayer.io.splice(0, value >> 1);
    }
    const exits = this.#halted ? 1 : 1 + log.singleSteps;
    for (let i = 0; i < exits; i++) {
      world.exit(vcpu, core, ExitReason.Intr);
      if (i === exits - 1) world.handle(core, ExitReason.Intr, costs.injectEvent);
      world.resume(vcpu, core, ExitReason.Intr);
    }
    vcpu.vm.counters.interrupts++;
    this.#halted = false;
    this.#guest.interrupt(cpu, vectors);
    core.settle();
  }
}

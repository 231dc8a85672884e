import { ModelError } from '../../base/errors.ts';
import type { Cycles } from '../../base/ids.ts';
import type { IoRequest } from '../../hypervisor/device-work.ts';
import type { DiskService } from '../../hypervisor/disk.ts';
import {
  type DiskIo,
  type Guest,
  type GuestCpu,
  GuestStop,
  type RequestSource,
  UNAWAITED,
  Vector,
} from '../../hypervisor/guest-port.ts';
import type { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { VcpuPort } from '../../hypervisor/vcpu-port.ts';
import type { Vcpu } from '../../hypervisor/vm.ts';
import { ExitReason, Leaf } from '../../stats/leaves.ts';
import { type Awaited, newlyBooted } from '../copy/guest-copy.ts';
import { WatchedGuest } from '../watched-guest.ts';
import { DiskRequests } from './disk-requests.ts';
import { EntryKind, isInterrupt, type LogEntry, vectorOf } from './log-entry.ts';
import type { LogParams } from './log-params.ts';
import type { RecordReplayParams } from './params.ts';
import { takeOver } from './take-over.ts';

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
  /** Requests of the guest to the disk, and when they are answered here. */
  readonly requests: DiskRequests;
  /** What the guest reads from and writes to. */
  readonly disk: DiskService;
  readonly #own: RecordReplayParams['disk'];
  /** Reads are its own: it waits for them, and asks to be woken then. */
  readonly #wakeAt: ((time: Cycles) => void) | undefined;

  /**
   * `wakeAt` has the vCPU woken: where this side reads the disk itself. `requests`: what the guest
   * has asked the disk. `shared`: the disk of both sides, where they have one.
   */
  constructor(
    hypervisor: Hypervisor,
    vcpu: Vcpu,
    log: LogParams,
    source: LogSource,
    disk: RecordReplayParams['disk'] = 'shared',
    wakeAt: (time: Cycles) => void = () => {},
    requests: DiskRequests = new DiskRequests(),
    shared: DiskService = hypervisor.disk,
  ) {
    this.hypervisor = hypervisor;
    this.vcpu = vcpu;
    this.log = log;
    this.source = source;
    this.holdsWrites = disk !== 'non-shared';
    this.requests = requests;
    this.disk = this.holdsWrites ? shared : hypervisor.disk;
    this.#own = disk;
    this.#wakeAt = disk === 'shared' ? undefined : wakeAt;
  }

  /**
   * Whether a request of the guest goes to the disk from here, before it executes for the world.
   */
  does({ write }: DiskIo): boolean {
    return this.#own === 'non-shared' || (this.#own === 'backup-reads' && !write);
  }

  /** The next entry reports reads that this side has not done yet: it has to wait for them. */
  get waits(): boolean {
    const entry = this.source.next();
    if (!this.#wakeAt || entry?.kind !== EntryKind.DiskRead) return false;
    const due = this.requests.dueOf(entry.value >> 1);
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
        `${vcpu.vm.name}: the replay asks for kind ${kinds.join(' or ')} at step ${steps}, ` +
          `the log has kind ${entry.kind} at ${entry.point}`,
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
  readonly taken: Set<Cycles>;
  readonly answered = new Set<Cycles>();
  /** What a guest that goes live still waits for. */
  readonly #ios: Set<number>;
  #timer: Cycles;
  #lastClock: Cycles;

  /** `awaited`: what the guest waits for already, if it is a copy of a running one. */
  constructor(
    replayer: Replayer,
    mmu: Mmu,
    requests: RequestSource | null,
    awaited: Awaited = newlyBooted(),
  ) {
    super(replayer.hypervisor, replayer.vcpu, mmu, requests);
    this.#replayer = replayer;
    this.taken = new Set(awaited.requests);
    this.#ios = new Set(awaited.ios);
    this.#timer = awaited.timer;
    this.#lastClock = awaited.lastClock;
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

  override startIo(request: DiskIo, io: number): void {
    this.#ios.add(io);
    super.startIo(request, io);
  }

  override send(bytes: number, io: number): void {
    if (io !== UNAWAITED) this.#ios.add(io);
    super.send(bytes, io);
  }

  override takeCompletion(): number {
    const { live, requests } = this.#replayer;
    if (live) return super.takeCompletion();
    const io = this.#told(() => super.takeCompletion());
    this.#ios.delete(io);
    requests.over(io);
    return io;
  }

  override setTimer(cyclesFromNow: Cycles): void {
    if (this.#replayer.live) super.setTimer(cyclesFromNow);
    else this.#timer = this.#lastClock + cyclesFromNow;
  }

  override clearTimer(): void {
    if (this.#replayer.live) super.clearTimer();
    else this.#timer = Number.NaN;
  }

  /**
   * What the guest writes the primary has written, and where that has read for both nobody reads
   * again. If this side becomes the primary, requests under way are done again.
   */
  protected override askDisk(request: IoRequest): void {
    const replayer = this.#replayer;
    const held = !replayer.live && request.write && replayer.holdsWrites;
    if (replayer.live || (held && !replayer.take(EntryKind.Output))) {
      replayer.requests.ask(request);
      super.askDisk(request);
      return;
    }
    const { now } = this.core;
    const due = replayer.does(request) ? replayer.disk.serve(request, now) : now + request.latency;
    replayer.requests.ask(request, due);
  }

  protected override diskAnswers(request: IoRequest, now: Cycles): void {
    this.#replayer.requests.answered(request, now);
  }

  protected override get disk(): DiskService {
    return this.#replayer.disk;
  }

  protected override transmit(bytes: number, io: number): void {
    const replayer = this.#replayer;
    if (replayer.live || !replayer.take(EntryKind.Output)) super.transmit(bytes, io);
  }

  protected override transmitAcks(acks: number): void {
    const replayer = this.#replayer;
    if (replayer.live || !replayer.take(EntryKind.Output)) super.transmitAcks(acks);
  }

  /**
   * The devices of this host take over at `now`: what was under way is done again, and the timer
   * runs.
   */
  goLive(now: Cycles): void {
    const { disk, hypervisor, requests } = this.#replayer;
    const { interrupts } = hypervisor;
    const under = requests.all;
    requests.answer(under.length);
    for (const request of under) if (this.#ios.has(request.io)) requests.ask(request);
    const waits = { ios: this.#ios, disk: under };
    takeOver(hypervisor, this.vcpu, waits, now, disk, (request, at) =>
      requests.answered(request, at),
    );
    this.#ios.clear();
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
export class ReplayedGuest extends WatchedGuest {
  readonly #replayer: Replayer;
  /** The guest waits in HLT: an event needs no counter to find its point. */
  #halted = false;

  constructor(guest: Guest, replayer: Replayer) {
    super(guest);
    this.#replayer = replayer;
  }

  /** Live: of this host's own devices. */
  override interrupt(cpu: GuestCpu, vectors: number): void {
    if ((vectors & Vector.Device) !== 0) this.#replayer.requests.takeAnswered(cpu.core.now);
    this.guest.interrupt(cpu, vectors);
  }

  override run(cpu: GuestCpu): GuestStop {
    const replayer = this.#replayer;
    const { source } = replayer;
    const { core } = cpu;
    for (;;) {
      if (replayer.live) {
        this.guest.stopAt(Infinity);
        return this.guest.run(cpu);
      }
      if (core.full || core.time >= cpu.until) return GuestStop.Time;
      const entry = source.next();
      const { steps } = this.guest;
      if (!entry) return GuestStop.Halt;
      if (entry.point < steps) {
        throw new ModelError(`the secondary is at step ${steps}, its log at ${entry.point}`);
      }
      // What happens within a step is known in whole once a later one is.
      const whole = source.receivedPoint > entry.point || source.final;
      const point = whole || isInterrupt(entry.kind) ? entry.point : entry.point - 1;
      if (point > steps) {
        const stop = this.#execute(cpu, point);
        if (stop === GuestStop.Halt && this.guest.steps < point) {
          throw new ModelError(`the secondary sleeps at ${this.guest.steps}, before ${point}`);
        }
        if (stop !== GuestStop.Time && stop !== GuestStop.Halt) return stop;
        continue;
      }
      if (!whole) return GuestStop.Halt;
      if (isInterrupt(entry.kind)) {
        if (replayer.waits) return GuestStop.Halt;
        this.#inject(cpu);
      } else {
        // What it asks when it is let run, before the next step: an interrupt may come first.
        this.#execute(cpu, steps);
        if (source.next() === entry) {
          throw new ModelError(`the secondary does not ask for what its log has at ${steps}`);
        }
      }
    }
  }

  #execute(cpu: GuestCpu, until: number): GuestStop {
    this.guest.stopAt(until);
    const stop = this.guest.run(cpu);
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
      replayer.requests.answer(value >> 1);
    }
    const exits = this.#halted ? 1 : 1 + log.singleSteps;
    for (let i = 0; i < exits; i++) {
      world.exit(vcpu, core, ExitReason.Intr);
      if (i === exits - 1) world.handle(core, ExitReason.Intr, costs.injectEvent);
      world.resume(vcpu, core, ExitReason.Intr);
    }
    vcpu.vm.counters.interrupts++;
    this.#halted = false;
    this.guest.interrupt(cpu, vectors);
    core.settle();
  }
}

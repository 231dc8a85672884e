import type { Cycles } from '../../base/ids.ts';
import type { Ticks } from '../../engine/timebase.ts';
import type { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { Vcpu } from '../../hypervisor/vm.ts';
import { Leaf } from '../../stats/leaves.ts';
import type { Output, OutputGate } from './gated-port.ts';
import { EntryKind, entryBytes } from './log-entry.ts';
import type { LogParams } from './log-params.ts';
import type { RecordReplayParams } from './params.ts';
import type { Recorded } from './primary-side.ts';

/** Where a recording vCPU writes: a pair's primary side, in time of the engine. */
export interface LogTarget {
  /** False: it runs alone, and nothing need be told. */
  readonly recording: boolean;
  record(event: Recorded, now: Cycles): void;
  output(event: Recorded, now: Cycles, release: (now: Cycles) => void): void;
}

/** What a recording vCPU has in common over its port and its guest: the log, and its price. */
export class Recorder implements OutputGate {
  readonly hypervisor: Hypervisor;
  readonly vcpu: Vcpu;
  readonly log: LogParams;
  readonly #target: () => LogTarget | null;
  /** The data of disk reads goes into the log: the other side does not read itself. */
  readonly shipsReads: boolean;
  /** Writes are outputs: both sides have one disk. */
  readonly holdsWrites: boolean;

  constructor(
    hypervisor: Hypervisor,
    vcpu: Vcpu,
    log: LogParams,
    target: () => LogTarget | null,
    disk: RecordReplayParams['disk'] = 'shared',
  ) {
    this.hypervisor = hypervisor;
    this.vcpu = vcpu;
    this.log = log;
    this.#target = target;
    this.shipsReads = disk === 'shared';
    this.holdsWrites = disk !== 'non-shared';
  }

  get recording(): boolean {
    return this.#target()?.recording ?? false;
  }

  get closed(): boolean {
    return this.recording;
  }

  /** Writes an entry and charges it. `pieces`: packets or disk requests; `payload`: their bytes. */
  record(kind: EntryKind, value: number, pieces: number, payload: number): void {
    const { core } = this;
    const bytes = entryBytes(this.log, kind, pieces, payload);
    this.#charge(kind, payload);
    const { timebase } = this.hypervisor.engine;
    this.#target()!.record(this.#event(kind, value, bytes), timebase.engine(core.now));
  }

  /** An answer leaves with what has been sent before it, and needs no entry of its own. */
  hold(what: Output, release: (now: Cycles) => void): void {
    const kind = what === 'answer' ? EntryKind.Told : EntryKind.Output;
    const since = this.core.now;
    const { timebase } = this.hypervisor.engine;
    this.#charge(kind, 0);
    const event = this.#event(kind, 0, entryBytes(this.log, kind, 1, 0));
    this.#target()!.output(event, timebase.engine(since), (time) => {
      release(timebase.local(time));
    });
  }

  get core() {
    return this.hypervisor.machine.cores[this.vcpu.pcpu]!;
  }

  /** How long the vCPU has executed, in time of the engine: what it is to replay, too. */
  get executed(): Ticks {
    const { core, vcpu } = this;
    return vcpu.statesAt(Math.max(core.now, vcpu.since))[0]!;
  }

  #event(kind: EntryKind, value: number, bytes: number): Recorded {
    return { point: this.vcpu.guest.steps, kind, value, bytes, stamp: this.executed };
  }

  /** What follows from earlier entries is no entry of a real log, and costs nothing. */
  #charge(kind: EntryKind, payload: number): void {
    if (kind === EntryKind.Told) return;
    const { entryCycles, bytesPerCycle } = this.log;
    // Data takes another way through a buffer of the monitor's, from which the guest gets it.
    const copies = Math.ceil((2 * payload) / bytesPerCycle);
    this.core.charge(Leaf.FtLog, entryCycles + copies);
  }
}

import type { Cycles } from '../../base/ids.ts';
import type { IoRequest } from '../../hypervisor/device-work.ts';
import {
  type Guest,
  type GuestCpu,
  type RequestSource,
  Vector,
} from '../../hypervisor/guest-port.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { WatchedGuest } from '../watched-guest.ts';
import { brings, DiskRequests } from './disk-requests.ts';
import { GatedPort } from './gated-port.ts';
import { EntryKind } from './log-entry.ts';
import type { Recorder } from './recorder.ts';

/**
 * The port of a primary's vCPU: whatever it tells the guest goes into the log, and what the guest
 * sends waits for the acknowledgement. When it runs alone it is a port like any other.
 */
export class RecordPort extends GatedPort {
  readonly #recorder: Recorder;
  readonly #disk: DiskRequests;

  /** `disk`: requests of the guest that are under way. */
  constructor(
    recorder: Recorder,
    mmu: Mmu,
    requests: RequestSource | null,
    disk: DiskRequests = new DiskRequests(),
  ) {
    super(recorder, recorder.hypervisor, recorder.vcpu, mmu, requests);
    this.#recorder = recorder;
    this.#disk = disk;
  }

  override clock(): Cycles {
    const recorder = this.#recorder;
    if (!recorder.recording) return super.clock();
    this.trapClock();
    return this.#told(EntryKind.Clock, this.told(this.core.now));
  }

  override takeRequest(): Cycles {
    return this.#told(EntryKind.Told, super.takeRequest());
  }

  override takeCompletion(): number {
    return this.#told(EntryKind.Told, super.takeCompletion());
  }

  protected override serveDisk(request: IoRequest, now: Cycles): void {
    this.#disk.ask(request);
    super.serveDisk(request, now);
  }

  protected override diskAnswers(request: IoRequest, now: Cycles): void {
    this.#disk.answered(request, now);
  }

  /** Takes the disk requests that are answered by now: all of them, the reads, their bytes. */
  takeAnswered(now: Cycles): { all: number; reads: number; bytes: number } {
    const done = this.#disk.takeAnswered(now);
    const reads = done.filter((request) => brings(request) > 0);
    const bytes = reads.reduce((sum, read) => sum + read.bytes, 0);
    return { all: done.length, reads: reads.length, bytes };
  }

  #told(kind: EntryKind, value: number): number {
    if (this.#recorder.recording) this.#recorder.record(kind, value, 1, 0);
    return value;
  }
}

/** A primary's guest: interrupts are logged before they are delivered. */
export class RecordedGuest extends WatchedGuest {
  readonly #recorder: Recorder;
  readonly #port: RecordPort;
  #packets: number;
  #bytes: number;

  constructor(guest: Guest, recorder: Recorder, port: RecordPort) {
    super(guest);
    this.#recorder = recorder;
    this.#port = port;
    const { counters, receivedBytes } = recorder.vcpu.vm;
    this.#packets = counters.packets_received;
    this.#bytes = receivedBytes;
  }

  override run(cpu: GuestCpu) {
    return this.guest.run(cpu);
  }

  override interrupt(cpu: GuestCpu, vectors: number): void {
    const recorder = this.#recorder;
    if (recorder.recording) this.#record(vectors);
    else if ((vectors & Vector.Device) !== 0) this.#port.takeAnswered(recorder.core.now);
    this.guest.interrupt(cpu, vectors);
  }

  /**
   * One entry for each source. Its value: 1 if more of them follow, and twice the disk requests
   * that
   * it answers.
   */
  #record(vectors: number): void {
    const recorder = this.#recorder;
    const { vm } = recorder.vcpu;
    const entries: { kind: EntryKind; pieces: number; payload: number; answers: number }[] = [];
    const add = (kind: EntryKind, pieces: number, payload: number, answers = 0) =>
      entries.push({ kind, pieces, payload, answers });
    if ((vectors & Vector.Timer) !== 0) add(EntryKind.Timer, 1, 0);
    if ((vectors & Vector.Device) !== 0) {
      const { all, reads, bytes } = this.#port.takeAnswered(recorder.core.now);
      if (reads > 0) add(EntryKind.DiskRead, reads, recorder.shipsReads ? bytes : 0, all);
      else add(EntryKind.Device, 1, 0, all);
    }
    if ((vectors & Vector.Network) !== 0) {
      const packets = vm.counters.packets_received - this.#packets;
      const bytes = vm.receivedBytes - this.#bytes;
      this.#packets += packets;
      this.#bytes += bytes;
      add(EntryKind.Packets, packets, bytes);
    }
    for (const [i, { kind, pieces, payload, answers }] of entries.entries()) {
      const more = i === entries.length - 1 ? 0 : 1;
      recorder.record(kind, more + 2 * answers, pieces, payload);
    }
  }
}

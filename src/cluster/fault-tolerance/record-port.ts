import type { Cycles } from '../../base/ids.ts';
import {
  type Guest,
  type GuestCpu,
  type RequestSource,
  Vector,
} from '../../hypervisor/guest-port.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { VcpuPort } from '../../hypervisor/vcpu-port.ts';
import { EntryKind } from './log-entry.ts';
import type { Recorder } from './recorder.ts';

/**
 * The port of a primary's vCPU: whatever it tells the guest goes into the log, and what the guest
 * sends waits for the acknowledgement. When it runs alone it is a port like any other.
 */
export class RecordPort extends VcpuPort {
  readonly #recorder: Recorder;
  /** Disk requests under way: when they are answered, and what they bring. */
  readonly #reads: { due: Cycles; bytes: number }[] = [];

  constructor(recorder: Recorder, mmu: Mmu, requests: RequestSource | null) {
    super(recorder.hypervisor, recorder.vcpu, mmu, requests);
    this.#recorder = recorder;
  }

  override clock(): Cycles {
    const recorder = this.#recorder;
    if (!recorder.recording) return super.clock();
    recorder.exitForClock();
    return this.#told(EntryKind.Clock, super.clock());
  }

  override takeRequest(): Cycles {
    return this.#told(EntryKind.Told, super.takeRequest());
  }

  /** An answer has left the host when its last packet has. */
  override endRequest(arrival: Cycles): void {
    if (!this.#recorder.recording) super.endRequest(arrival);
    else this.#recorder.output(EntryKind.Told, (now) => this.requests?.finish(arrival, now));
  }

  override startIo(bytes: number, latency: Cycles): Cycles {
    // A write, or an operation without bytes (a flush), changes the shared disk: it is an output.
    return this.#told(EntryKind.Told, super.startIo(bytes, latency));
  }

  override send(bytes: number): Cycles {
    return this.#told(EntryKind.Told, super.send(bytes));
  }

  protected override answerIo(bytes: number, due: Cycles): void {
    const recorder = this.#recorder;
    if (!recorder.recording) {
      super.answerIo(bytes, due);
      return;
    }
    if (bytes > 0) {
      this.#reads.push({ due, bytes });
      super.answerIo(bytes, due);
      return;
    }
    const begin = this.core.now;
    recorder.output(EntryKind.Output, (now) => super.answerIo(0, due + Math.max(0, now - begin)));
  }

  /** The guest's view of when a send is acknowledged takes the last output's hold along. */
  protected override transmit(bytes: number): Cycles {
    const recorder = this.#recorder;
    if (!recorder.recording) return super.transmit(bytes);
    const { network } = recorder.hypervisor;
    const { now } = this.core;
    recorder.output(EntryKind.Output, (at) => void network.acknowledge(this.vcpu, bytes, at));
    return now + recorder.held + network.acknowledged(bytes);
  }

  /** Disk requests answered by now: how many, and their bytes. */
  takeReads(now: Cycles): { pieces: number; bytes: number } {
    const done = this.#reads.filter(({ due }) => due <= now);
    for (const read of done) this.#reads.splice(this.#reads.indexOf(read), 1);
    return { pieces: done.length, bytes: done.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  #told(kind: EntryKind, value: number): number {
    if (this.#recorder.recording) this.#recorder.record(kind, value, 1, 0);
    return value;
  }
}

/** A primary's guest: interrupts are logged before they are delivered. */
export class RecordedGuest implements Guest {
  readonly #guest: Guest;
  readonly #recorder: Recorder;
  readonly #port: RecordPort;
  #packets: number;
  #bytes: number;

  constructor(guest: Guest, recorder: Recorder, port: RecordPort) {
    this.#guest = guest;
    this.#recorder = recorder;
    this.#port = port;
    const { counters, receivedBytes } = recorder.vcpu.vm;
    this.#packets = counters.packets_received;
    this.#bytes = receivedBytes;
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

  run(cpu: GuestCpu) {
    return this.#guest.run(cpu);
  }

  interrupt(cpu: GuestCpu, vectors: number): void {
    if (this.#recorder.recording) this.#record(vectors);
    this.#guest.interrupt(cpu, vectors);
  }

  /** One entry for each source; all but the last say (1) that more follow. */
  #record(vectors: number): void {
    const recorder = this.#recorder;
    const { vm } = recorder.vcpu;
    const entries: [EntryKind, number, number][] = [];
    if ((vectors & Vector.Timer) !== 0) entries.push([EntryKind.Timer, 1, 0]);
    if ((vectors & Vector.Device) !== 0) {
      const { pieces, bytes } = this.#port.takeReads(recorder.core.now);
      if (pieces > 0) entries.push([EntryKind.DiskRead, pieces, bytes]);
      else entries.push([EntryKind.Device, 1, 0]);
    }
    if ((vectors & Vector.Network) !== 0) {
      const packets = vm.counters.packets_received - this.#packets;
      const bytes = vm.receivedBytes - this.#bytes;
      this.#packets += packets;
      this.#bytes += bytes;
      entries.push([EntryKind.Packets, packets, bytes]);
    }
    for (const [i, [kind, pieces, bytes]] of entries.entries()) {
      recorder.record(kind, i === entries.length - 1 ? 0 : 1, pieces, bytes);
    }
  }
}

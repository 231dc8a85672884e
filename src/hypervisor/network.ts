import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { VirtualDevices } from './devices.ts';
import { Vector } from './guest-port.ts';
import {
  ACK_BYTES,
  ACK_ON_WIRE,
  acksOf,
  GIGABIT,
  linesOf,
  MSS,
  packetsOf,
  ROUND_TRIP,
  wireBytes,
  wireTime,
} from './packets.ts';
import type { Vcpu } from './vm.ts';
import { Wire } from './wire.ts';

type Task = (now: Cycles) => void;

/** Packets on their way to a vCPU, one after the other. */
interface Train {
  vcpu: Vcpu;
  /** Bytes that have not arrived yet. */
  left: number;
  /** Bytes of a packet, the last one excepted. */
  readonly size: number;
  /** From one packet to the next, where the host's wire does not say. */
  readonly gap: Cycles;
  /** Acknowledgements: the other side sends one now and then. */
  readonly acks: boolean;
  /** Called when the last packet has arrived. */
  readonly done: Task | undefined;
}

export interface NetworkDeps {
  readonly engine: HostEngine;
  readonly device: VirtualDevices['network'];
  readonly mhz: number;
  /**
   * Bits per second, each way, of the wire that all VMs of the host share; undefined: each message
   * has a gigabit wire to itself.
   */
  readonly bandwidth?: number | undefined;
  /** Makes interrupts pending on a vCPU. */
  raise(vcpu: Vcpu, vectors: number, now: Cycles): void;
}

/**
 * The host's wire to the outside. What comes in: requests, and acknowledgements of what a guest has
 * sent. Packets arrive at the speed of the wire, and one interrupt announces a batch of them. How
 * many batches there are follows from the bytes alone. Two interrupts that find the vCPU busy
 * become one, as on any machine. What goes out, and what comes in, is queued where all VMs share
 * one wire, batch by batch.
 */
export class Network {
  readonly #deps: NetworkDeps;
  readonly #arrival: EventKind;
  readonly #queue: EventKind;
  readonly #departure: EventKind;
  readonly #trains: Train[] = [];
  readonly #free: number[] = [];
  readonly #leaving: (Task | undefined)[] = [];
  readonly #gone: number[] = [];
  /** Undefined: no message waits for another. */
  readonly wires: { readonly in: Wire; readonly out: Wire } | undefined;

  constructor(deps: NetworkDeps) {
    const { bandwidth, engine, mhz } = deps;
    this.#deps = deps;
    this.#arrival = engine.defineEvent(Phase.Deliver, (now, id) => this.#arrive(id, now));
    this.#queue = engine.defineEvent(Phase.Deliver, (now, id) => {
      this.#enter(id, this.#batch(this.#trains[id]!) * ACK_ON_WIRE, now);
    });
    this.#departure = engine.defineEvent(Phase.Deliver, (now, slot) => this.#depart(slot, now));
    if (bandwidth !== undefined) {
      this.wires = { in: new Wire(mhz, bandwidth), out: new Wire(mhz, bandwidth) };
    }
  }

  /**
   * A message reaches the wire to the host; its packets arrive one after the other, the first ones
   * now if nothing can be before them. `done` is called when the last ones have.
   */
  receive(vcpu: Vcpu, bytes: number, now: Cycles, done?: Task): void {
    const gap = this.#cycles(wireTime(1, bytes));
    const id = this.#add({ vcpu, left: bytes, size: MSS, gap, acks: false, done });
    if (this.wires) this.#schedule(id, now);
    else this.#arrive(id, now);
  }

  /**
   * A guest sends `bytes` at `now`, which the other side acknowledges. Returns when the last
   * acknowledgement arrives if nothing else comes in.
   */
  send(vcpu: Vcpu, bytes: number, now: Cycles): Cycles {
    const begin = this.freeAt(now);
    this.wires?.out.send(wireBytes(bytes), now);
    const acks = acksOf(packetsOf(bytes));
    const gap = this.#ackGap(bytes);
    const left = acks * ACK_BYTES;
    const train = { vcpu, left, size: ACK_BYTES, gap, acks: true, done: undefined };
    this.#schedule(this.#add(train), begin + this.#cycles(ROUND_TRIP));
    return begin + this.acknowledged(bytes);
  }

  /** A guest acknowledges what it has received; nobody answers that. */
  sendAcks(acks: number, now: Cycles): void {
    this.wires?.out.send(acks * ACK_ON_WIRE, now);
  }

  /** From the begin of sending so many bytes to the last acknowledgement. */
  acknowledged(bytes: number): Cycles {
    return this.#cycles(ROUND_TRIP) + acksOf(packetsOf(bytes)) * this.#ackGap(bytes);
  }

  /** When what is sent at `now` begins to leave. */
  freeAt(now: Cycles): Cycles {
    return this.wires?.out.freeAt(now) ?? now;
  }

  /** Calls `task` when all that has been sent by `now` has left: at once if it has. */
  whenSent(now: Cycles, task: Task): void {
    const at = this.freeAt(now);
    if (at <= now && this.#leaving.length === this.#gone.length) {
      task(now);
      return;
    }
    const slot = this.#gone.pop() ?? this.#leaving.length;
    this.#leaving[slot] = task;
    this.#deps.engine.schedule(at, this.#departure, slot);
  }

  /** The host has lost its power: what waits in it never leaves. */
  stop(now: Cycles): void {
    this.wires?.out.clear(now);
    this.wires?.in.clear(now);
    this.#leaving.fill(undefined);
  }

  #depart(slot: number, now: Cycles): void {
    const task = this.#leaving[slot];
    this.#leaving[slot] = undefined;
    this.#gone.push(slot);
    task?.(now);
  }

  /** From one acknowledgement of a message to the next: as its packets arrive. */
  #ackGap(bytes: number): Cycles {
    const packets = packetsOf(bytes);
    const bandwidth = this.wires?.out.bandwidth ?? GIGABIT;
    return this.#cycles(wireTime(packets, bytes, bandwidth) / acksOf(packets));
  }

  #cycles(microseconds: number): Cycles {
    return Math.max(1, Math.round(microseconds * this.#deps.mhz));
  }

  #add(train: Train): number {
    const id = this.#free.pop() ?? this.#trains.length;
    this.#trains[id] = train;
    return id;
  }

  #batch({ left, size }: Train): number {
    return Math.min(Math.ceil(left / size), this.#deps.device.receivePackets);
  }

  /** The next batch has arrived when its last packet has. */
  #schedule(id: number, from: Cycles): void {
    const train = this.#trains[id]!;
    const packets = this.#batch(train);
    const alone = from + packets * train.gap;
    const { engine } = this.#deps;
    if (!this.wires) engine.schedule(alone, this.#arrival, id);
    else if (train.acks) engine.schedule(alone, this.#queue, id);
    else this.#enter(id, wireBytes(Math.min(train.left, packets * train.size)), from);
  }

  /** The next batch is at the wire to the host, which may be busy. */
  #enter(id: number, bytes: number, now: Cycles): void {
    this.#deps.engine.schedule(this.wires!.in.send(bytes, now), this.#arrival, id);
  }

  #arrive(id: number, now: Cycles): void {
    const train = this.#trains[id]!;
    const { vcpu } = train;
    const packets = this.#batch(train);
    const bytes = Math.min(train.left, packets * train.size);
    train.left = vcpu.done ? 0 : train.left - bytes;
    vcpu.vm.counters.packets_received += packets;
    vcpu.vm.receivedBytes += bytes;
    const { receivePacket, receiveLine } = this.#deps.device;
    vcpu.hostWork += packets * receivePacket + linesOf(bytes) * receiveLine;
    this.#deps.raise(vcpu, Vector.Network, now);
    if (train.left > 0) {
      this.#schedule(id, now);
      return;
    }
    this.#free.push(id);
    train.done?.(now);
  }
}

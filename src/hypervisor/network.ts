import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import { Vector } from './guest-port.ts';
import { Later, type Task } from './later.ts';
import {
  ACK_BYTES,
  ACK_ON_WIRE,
  acksOf,
  GIGABIT,
  MSS,
  packetsOf,
  ROUND_TRIP,
  wireBytes,
  wireTime,
} from './packets.ts';
import type { Vcpu } from './vm.ts';
import { Wire } from './wire.ts';

/** Packets on their way to a vCPU, one after the other. */
interface Train {
  vcpu: Vcpu;
  /** Bytes that have not arrived yet. */
  left: number;
  /** Bytes of a packet, the last one excepted. */
  readonly size: number;
  /** From one packet to the next, where no other comes between. */
  readonly gap: Cycles;
  /** Acknowledgements: the other side sends one now and then. */
  readonly acks: boolean;
  /** Called when the guest has the last packet. */
  readonly done: Task | undefined;
}

export interface Wires {
  readonly in: Wire;
  readonly out: Wire;
}

export interface NetworkDeps {
  readonly engine: HostEngine;
  readonly mhz: number;
  /**
   * Bits per second, each way, of the wire that all VMs of the host share; undefined: each message
   * has a gigabit wire to itself.
   */
  readonly bandwidth?: number | undefined;
  /** Brings packets from the card to the guest: DeviceWork. */
  bringIn(vcpu: Vcpu, packets: number, bytes: number, now: Cycles, then: Task): void;
  /** Makes interrupts pending on a vCPU. */
  raise(vcpu: Vcpu, vectors: number, now: Cycles): void;
}

/**
 * The host's wire to the outside. What comes in: requests, and acknowledgements of what a guest has
 * sent. Packets arrive at the speed of the wire. The card of the host announces them by one
 * interrupt for some packets, or for those that came within some time; then the host's work brings
 * them to the guest. How many batches there are follows from the bytes alone. Two interrupts that
 * find the vCPU busy become one, as on any machine. What goes out, and what comes in, is queued
 * where all VMs share one wire, batch by batch. A card that a VM has for itself has a wire of its
 * own.
 */
export class Network {
  readonly #deps: NetworkDeps;
  readonly #arrival: EventKind;
  readonly #queue: EventKind;
  readonly #trains: Train[] = [];
  readonly #free: number[] = [];
  readonly #leaving: Later;
  /** Undefined: no message waits for another. */
  readonly wires: Wires | undefined;
  /** By VM: of cards that are not shared. */
  readonly #own: Wires[] = [];

  constructor(deps: NetworkDeps) {
    const { engine } = deps;
    this.#deps = deps;
    this.#arrival = engine.defineEvent(Phase.Deliver, (now, id) => this.#arrive(id, now));
    this.#queue = engine.defineEvent(Phase.Deliver, (now, id) => {
      const packets = this.#batch(this.#trains[id]!);
      this.#enter(id, packets * ACK_ON_WIRE, now);
    });
    this.#leaving = new Later(engine);
    this.wires = this.#newWires();
  }

  #newWires(): Wires | undefined {
    const { bandwidth, mhz } = this.#deps;
    if (bandwidth === undefined) return undefined;
    return { in: new Wire(mhz, bandwidth), out: new Wire(mhz, bandwidth) };
  }

  #wiresOf({ vm: { devices, id } }: Vcpu): Wires | undefined {
    if (!this.wires || devices.network.kind !== 'passthrough') return this.wires;
    return (this.#own[id] ??= this.#newWires()!);
  }

  /**
   * A message reaches the wire to the host; its packets arrive one after the other, the first ones
   * now if nothing can be before them. `done` is called when the guest has the last ones.
   */
  receive(vcpu: Vcpu, bytes: number, now: Cycles, done?: Task): void {
    const bandwidth = this.#wiresOf(vcpu)?.in.bandwidth ?? GIGABIT;
    const gap = this.#cycles(wireTime(1, bytes, bandwidth));
    const id = this.#add({ vcpu, left: bytes, size: MSS, gap, acks: false, done });
    if (this.#wiresOf(vcpu)) this.#schedule(id, now);
    else this.#arrive(id, now);
  }

  /**
   * The card puts `bytes` of a guest on the wire at `now`, which the other side acknowledges.
   * `done` is called when the guest has the last acknowledgement.
   */
  send(vcpu: Vcpu, bytes: number, now: Cycles, done?: Task): void {
    const begin = this.#freeAt(vcpu, now);
    this.#wiresOf(vcpu)?.out.send(wireBytes(bytes), now);
    const acks = acksOf(packetsOf(bytes));
    const gap = this.#ackGap(vcpu, bytes);
    const left = acks * ACK_BYTES;
    const train = { vcpu, left, size: ACK_BYTES, gap, acks: true, done };
    this.#schedule(this.#add(train), begin + this.#cycles(ROUND_TRIP));
  }

  /** A guest acknowledges what it has received; nobody answers that. */
  sendAcks(vcpu: Vcpu, acks: number, now: Cycles): void {
    this.#wiresOf(vcpu)?.out.send(acks * ACK_ON_WIRE, now);
  }

  /** When what is sent at `now` begins to leave. */
  #freeAt(vcpu: Vcpu, now: Cycles): Cycles {
    return this.#wiresOf(vcpu)?.out.freeAt(now) ?? now;
  }

  /** Calls `task` when all that has been sent by `now` has left: at once if it has. */
  whenSent(vcpu: Vcpu, now: Cycles, task: Task): void {
    const at = this.#freeAt(vcpu, now);
    if (at <= now && this.#leaving.waiting === 0) task(now);
    else this.#leaving.at(at, task);
  }

  /** The host has lost its power: what waits in it never leaves. */
  stop(now: Cycles): void {
    for (const wires of [this.wires, ...this.#own]) {
      wires?.out.clear(now);
      wires?.in.clear(now);
    }
    this.#leaving.clear();
  }

  /** From one acknowledgement of a message to the next: as its packets arrive. */
  #ackGap(vcpu: Vcpu, bytes: number): Cycles {
    const packets = packetsOf(bytes);
    const bandwidth = this.#wiresOf(vcpu)?.out.bandwidth ?? GIGABIT;
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

  /** Packets that come before the card interrupts. */
  #batch(train: Train): number {
    const { receivePackets, receiveWait } = train.vcpu.vm.devices.network;
    const meanwhile = Math.floor(this.#cycles(receiveWait / 1e6) / train.gap);
    const most = receiveWait === 0 ? receivePackets : Math.min(receivePackets, 1 + meanwhile);
    return Math.min(Math.ceil(train.left / train.size), most);
  }

  /** The next batch has arrived when its last packet has. */
  #schedule(id: number, from: Cycles): void {
    const train = this.#trains[id]!;
    const packets = this.#batch(train);
    const alone = from + packets * train.gap;
    const { engine } = this.#deps;
    if (!this.#wiresOf(train.vcpu)) engine.schedule(alone, this.#arrival, id);
    else if (train.acks) engine.schedule(alone, this.#queue, id);
    else this.#enter(id, wireBytes(Math.min(train.left, packets * train.size)), from);
  }

  /** The next batch is at the wire to the host, which may be busy. */
  #enter(id: number, bytes: number, now: Cycles): void {
    const wires = this.#wiresOf(this.#trains[id]!.vcpu)!;
    this.#deps.engine.schedule(wires.in.send(bytes, now), this.#arrival, id);
  }

  /** A batch is in the card. */
  #arrive(id: number, now: Cycles): void {
    const train = this.#trains[id]!;
    const { done, vcpu } = train;
    const packets = this.#batch(train);
    const bytes = Math.min(train.left, packets * train.size);
    train.left = vcpu.done ? 0 : train.left - bytes;
    const last = train.left <= 0;
    this.#deps.bringIn(vcpu, packets, bytes, now, (at) => {
      vcpu.vm.counters.packets_received += packets;
      vcpu.vm.receivedBytes += bytes;
      this.#deps.raise(vcpu, Vector.Network, at);
      if (last) done?.(at);
    });
    if (last) this.#free.push(id);
    else this.#schedule(id, now);
  }
}

import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { VirtualDevices } from './devices.ts';
import { Vector } from './guest-port.ts';
import { ACK_BYTES, acksOf, linesOf, MSS, packetsOf, ROUND_TRIP, wireTime } from './packets.ts';
import type { Vcpu } from './vm.ts';

/** Packets on their way to a vCPU, one after the other. */
interface Train {
  vcpu: Vcpu;
  /** Bytes that have not arrived yet. */
  left: number;
  /** Bytes of a packet, the last one excepted. */
  readonly size: number;
  /** From one packet to the next. */
  readonly gap: Cycles;
}

export interface NetworkDeps {
  readonly engine: HostEngine;
  readonly device: VirtualDevices['network'];
  readonly mhz: number;
  /** Makes interrupts pending on a vCPU. */
  raise(vcpu: Vcpu, vectors: number, now: Cycles): void;
}

/**
 * What comes in from the network: requests, and acknowledgements of what a guest has sent. Packets
 * arrive at the speed of the wire, and one interrupt announces a batch of them. How many batches
 * there are follows from the bytes alone. Two interrupts that find the vCPU busy become one, as on
 * any machine.
 */
export class Network {
  readonly #deps: NetworkDeps;
  readonly #arrival: EventKind;
  readonly #trains: Train[] = [];
  readonly #free: number[] = [];

  constructor(deps: NetworkDeps) {
    this.#deps = deps;
    this.#arrival = deps.engine.defineEvent(Phase.Deliver, (now, id) => this.#arrive(id, now));
  }

  /** A message reaches the host; its first packets arrive now. Returns when the last ones do. */
  receive(vcpu: Vcpu, bytes: number, now: Cycles): Cycles {
    const gap = this.#cycles(wireTime(1, bytes));
    const train = { vcpu, left: bytes, size: MSS, gap };
    const behind = packetsOf(bytes) - this.#batch(train);
    this.#arrive(this.#add(train), now);
    return now + behind * gap;
  }

  /**
   * The other side acknowledges `bytes` that were sent at `now`. Returns when the last
   * acknowledgement arrives.
   */
  acknowledge(vcpu: Vcpu, bytes: number, now: Cycles): Cycles {
    const packets = packetsOf(bytes);
    const acks = acksOf(packets);
    const gap = this.#cycles(wireTime(packets, bytes) / acks);
    const id = this.#add({ vcpu, left: acks * ACK_BYTES, size: ACK_BYTES, gap });
    this.#schedule(id, now + this.#cycles(ROUND_TRIP));
    return now + this.acknowledged(bytes);
  }

  /** From the last byte sent to the last acknowledgement of so many. */
  acknowledged(bytes: number): Cycles {
    const packets = packetsOf(bytes);
    const acks = acksOf(packets);
    const gap = this.#cycles(wireTime(packets, bytes) / acks);
    return this.#cycles(ROUND_TRIP) + acks * gap;
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
    this.#deps.engine.schedule(from + this.#batch(train) * train.gap, this.#arrival, id);
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
    if (train.left > 0) this.#schedule(id, now);
    else this.#free.push(id);
  }
}

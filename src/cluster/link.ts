import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { type Engine, type EventHandle, type EventKind, Phase } from '../engine/engine.ts';
import { wireBytes } from '../hypervisor/packets.ts';
import { Wire } from '../hypervisor/wire.ts';

export interface LinkOptions {
  readonly name: string;
  /** Numbers of the two hosts. */
  readonly between: readonly [number, number];
  /** Bits in a second, each way. */
  readonly bandwidth: number;
  /** Picoseconds from the last bit sent to the last bit received. */
  readonly latency: number;
}

/** What one host has sent: bytes of messages. What is neither arrived nor lost is on its way. */
export interface LinkCount {
  sent: number;
  arrived: number;
  lost: number;
  /** Sent and not lost before the wire, with the headers of its packets. */
  onWire: number;
}

/** A message on its way. */
interface Message {
  readonly bytes: number;
  readonly arrival: EventHandle;
  readonly onArrive: (now: Cycles) => void;
}

/** One way: messages follow each other on the wire and arrive in that order. */
class Way {
  readonly count: LinkCount = { sent: 0, arrived: 0, lost: 0, onWire: 0 };
  readonly arrival: EventKind;
  readonly messages: Message[] = [];
  readonly wire: Wire;

  constructor(engine: Engine, wire: Wire) {
    this.wire = wire;
    this.arrival = engine.defineEvent(Phase.Deliver, (now) => {
      const { bytes, onArrive } = this.messages.shift()!;
      this.count.arrived += bytes;
      onArrive(now);
    });
  }
}

/**
 * A wire between two hosts, with the same bandwidth both ways. Each way sends one message after the
 * other, in packets of Ethernet; nothing is lost but by a cut.
 */
export class Link {
  readonly name: string;
  readonly between: readonly [number, number];
  /** Cycles from the last bit sent to the last bit received. */
  readonly latency: Cycles;
  readonly #engine: Engine;
  readonly #ways: readonly [Way, Way];
  readonly #listeners: ((now: Cycles) => void)[] = [];
  #up = true;

  /** `mhz`: cycles of the engine in a microsecond. */
  constructor(engine: Engine, mhz: number, options: LinkOptions) {
    this.name = options.name;
    this.between = options.between;
    this.latency = Math.round((options.latency * mhz) / 1e6);
    this.#engine = engine;
    const way = () => new Way(engine, new Wire(mhz, options.bandwidth));
    this.#ways = [way(), way()];
  }

  /** False between a cut and the next restore. */
  get up(): boolean {
    return this.#up;
  }

  /** The host at the other end. */
  peerOf(host: number): number {
    return this.between[this.#side(host) === 0 ? 1 : 0];
  }

  /** What a host has sent so far. */
  sentBy(host: number): Readonly<LinkCount> {
    return this.#ways[this.#side(host)].count;
  }

  /** Cycles that a message of so many bytes takes on the wire, without latency. */
  cyclesOf(bytes: number): Cycles {
    return this.#ways[0].wire.cyclesOf(wireBytes(bytes));
  }

  /** How long what `host` sends at `now` waits for the wire. */
  queued(host: number, now: Cycles): Cycles {
    return this.#ways[this.#side(host)].wire.freeAt(now) - now;
  }

  /**
   * Sends a message from a host to the other. `onArrive` is called when its last bit has arrived;
   * never if the link is cut before that. Returns when the wire is free again.
   */
  send(host: number, bytes: number, now: Cycles, onArrive: (now: Cycles) => void): Cycles {
    const way = this.#ways[this.#side(host)];
    way.count.sent += bytes;
    if (!this.#up) {
      way.count.lost += bytes;
      return now;
    }
    way.count.onWire += wireBytes(bytes);
    const sent = way.wire.send(wireBytes(bytes), now);
    const arrival = this.#engine.schedule(sent + this.latency, way.arrival, 0);
    way.messages.push({ bytes, arrival, onArrive });
    return sent;
  }

  /** The wire breaks: all that is on it is lost, and so is whatever is sent until `restore`. */
  cut(now: Cycles): void {
    if (!this.#up) return;
    this.#up = false;
    for (const way of this.#ways) {
      for (const { bytes, arrival } of way.messages.splice(0)) {
        this.#engine.cancel(arrival);
        way.count.lost += bytes;
      }
      way.wire.clear(now);
    }
    for (const listener of [...this.#listeners]) listener(now);
  }

  restore(): void {
    this.#up = true;
  }

  /** Calls `listener` at each cut: both ends see the carrier go. Returns what ends that. */
  onCut(listener: (now: Cycles) => void): () => void {
    this.#listeners.push(listener);
    return () => {
      const at = this.#listeners.indexOf(listener);
      if (at >= 0) this.#listeners.splice(at, 1);
    };
  }

  #side(host: number): 0 | 1 {
    if (host === this.between[0]) return 0;
    if (host === this.between[1]) return 1;
    throw new ModelError(`host ${host} is at neither end of the link ${this.name}`);
  }
}

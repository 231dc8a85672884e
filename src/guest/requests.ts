import type { Cycles } from '../base/ids.ts';
import { stream } from '../base/random.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { RequestSource } from '../hypervisor/guest-port.ts';
import type { Arrivals } from './workloads/workload.ts';

interface Incoming {
  readonly arrival: Cycles;
  /** It was on its way to a server that is not there any more. */
  lost: boolean;
}

/** A request begins to arrive at `now`; `complete` is called when all of it has. */
export type Deliver = (now: Cycles, complete: (now: Cycles) => void) => void;

/** Requests that never came to a server: those that arrived after a given time. */
export interface Loss {
  readonly after: Cycles;
  /** When a client sends a request again, by the time when it first arrived. */
  again(arrival: Cycles): Cycles;
  readonly deliver: Deliver;
}

/**
 * Where a server's requests come from. Open: a Poisson process with a random stream of its own, so
 * that its times are the same whatever the server does. Closed: clients that wait for an answer,
 * think, and ask again. Window: a sender with so many pieces of a stream under way, who sends the
 * next one as soon as one is acknowledged. Every request is kept: when it arrived and when it was
 * finished.
 */
export class Requests implements RequestSource {
  readonly #engine: HostEngine;
  readonly #arrivals: Arrivals;
  readonly #random: () => number;
  readonly #mhz: number;
  readonly #arrive: EventKind;
  #deliver: Deliver;
  /** Requests whose last packets are still on the wire. */
  readonly #incoming = new Set<Incoming>();
  /** Requests that were lost with a server, until all of them have come again. */
  readonly #resent = new Set<Incoming>();
  /** Arrival times of requests nobody serves yet, oldest first. */
  readonly #waiting: Cycles[] = [];
  /** Arrival times of requests that are being served. */
  readonly #inService: Cycles[] = [];
  /**
   * Finished requests in the order of their ends: when they arrived, and when they were finished.
   */
  readonly #arrivalsOf = new Series();
  readonly #ends = new Series();
  /** Of each request. */
  readonly bytes: number;
  arrived = 0;
  /** When the last one that is foreseen arrives. */
  #latest: Cycles = 0;

  constructor(
    engine: HostEngine,
    arrivals: Arrivals,
    options: {
      seed: string;
      path: string;
      mhz: number;
      bytes: number;
      deliver: Deliver;
    },
  ) {
    this.#engine = engine;
    this.#arrivals = arrivals;
    this.#random = stream(options.seed, `${options.path}/arrivals`);
    this.#mhz = options.mhz;
    this.bytes = options.bytes;
    this.#deliver = options.deliver;
    this.#arrive = engine.defineEvent(Phase.Deliver, (now) => this.#onArrival(now));
    for (let i = 0; i < atOnce(arrivals); i++) this.#next(0);
  }

  #next(now: Cycles): void {
    const arrivals = this.#arrivals;
    if (arrivals.kind === 'window') {
      // No two at a time: requests are told apart by when they arrive.
      const at = now + Math.round((arrivals.roundTripPicoseconds / 1e6) * this.#mhz);
      this.#latest = Math.max(at, this.#latest + 1);
      this.#engine.schedule(this.#latest, this.#arrive, 0);
      return;
    }
    const mean =
      arrivals.kind === 'open'
        ? (this.#mhz * 1e6) / arrivals.perSecond
        : (arrivals.thinkPicoseconds / 1e6) * this.#mhz;
    const gap = Math.max(1, Math.round(-Math.log1p(-this.#random()) * mean));
    this.#engine.schedule(now + gap, this.#arrive, 0);
  }

  #onArrival(now: Cycles): void {
    this.arrived++;
    if (this.#arrivals.kind === 'open') this.#next(now);
    const incoming = { arrival: now, lost: false };
    this.#incoming.add(incoming);
    this.#deliver(now, () => {
      this.#incoming.delete(incoming);
      if (!incoming.lost) this.#waiting.push(now);
    });
  }

  /** The oldest waiting request's arrival time; NaN if there is none. */
  take(): Cycles {
    const arrival = this.#waiting.shift();
    if (arrival === undefined) return Number.NaN;
    this.#inService.push(arrival);
    return arrival;
  }

  finish(arrival: Cycles, now: Cycles): void {
    this.#inService.splice(this.#inService.indexOf(arrival), 1);
    this.#arrivalsOf.push(arrival);
    this.#ends.push(now);
    if (this.#arrivals.kind !== 'open') this.#next(now);
  }

  /**
   * Another server goes on from here, and requests come to it by `deliver`. It knows the requests
   * that are `taken`, and has sent the answers to those that are `answered`, though they may not
   * have left. Of those it does not know, what arrived after `lost.after` has never come to it: the
   * clients send that `again`, which `lost.deliver` brings.
   */
  moveTo(
    server: {
      deliver: Deliver;
      taken: ReadonlySet<Cycles>;
      answered: ReadonlySet<Cycles>;
      lost?: Loss;
    },
    now: Cycles,
  ): void {
    this.#deliver = server.deliver;
    for (const arrival of [...this.#inService]) {
      if (server.answered.has(arrival)) this.finish(arrival, now);
      else if (!server.taken.has(arrival)) {
        this.#inService.splice(this.#inService.indexOf(arrival), 1);
        this.#waiting.push(arrival);
      }
    }
    this.#waiting.sort((a, b) => a - b);
    if (server.lost) this.#sendAgain(server.lost);
  }

  #sendAgain({ after, again, deliver }: Loss): void {
    const first = this.#waiting.findIndex((arrival) => arrival > after);
    const lost = first < 0 ? [] : this.#waiting.splice(first);
    for (const incoming of this.#incoming) {
      if (incoming.lost || incoming.arrival <= after) continue;
      incoming.lost = true;
      lost.push(incoming.arrival);
    }
    for (const arrival of lost) {
      const resent = { arrival, lost: false };
      this.#resent.add(resent);
      const arrive = this.#engine.defineEvent(Phase.Deliver, (now) => {
        deliver(now, () => {
          this.#resent.delete(resent);
          this.#waiting.push(arrival);
          this.#waiting.sort((a, b) => a - b);
        });
      });
      this.#engine.schedule(again(arrival), arrive, 0);
    }
  }

  /** Requests finished by `time`, from the start of the run. */
  finishedBy(time: Cycles): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends.at(middle) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** When requests were finished in the window (`from`, `to`], in order. */
  endsIn(from: Cycles, to: Cycles): number[] {
    return this.#ends.from(this.finishedBy(from), this.finishedBy(to));
  }

  /** Requests that waited or were being served at `time`, up to which `arrived` had arrived. */
  queuedAt(time: Cycles, arrived: number): number {
    return arrived - this.finishedBy(time);
  }

  /**
   * Latencies in ns, ascending: those of the requests finished in the window (`from`, `to`], and
   * the ages at `to` of those not finished by then, whenever they arrived: their latency is at
   * least that.
   */
  latencies(from: Cycles, to: Cycles): { served: number[]; unfinished: number[] } {
    const ns = (cycles: Cycles) => (cycles * 1000) / this.#mhz;
    const ascending = (a: number, b: number) => a - b;
    const [first, last] = [this.finishedBy(from), this.finishedBy(to)];
    const late = this.#arrivalsOf.from(last, this.#ends.length);
    const ends = this.endsIn(from, to);
    const onTheWay = [...this.#incoming, ...this.#resent].filter(({ lost }) => !lost);
    const here = [...onTheWay.map(({ arrival }) => arrival), ...this.#inService, ...this.#waiting];
    const open = [...late, ...here].filter((at) => at <= to);
    return {
      served: this.#arrivalsOf
        .from(first, last)
        .map((arrival, i) => ns(ends[i]! - arrival))
        .sort(ascending),
      unfinished: open.map((arrival) => ns(to - arrival)).sort(ascending),
    };
  }
}

/** How many requests can be under way at a time without one that ends. */
function atOnce(arrivals: Arrivals): number {
  switch (arrivals.kind) {
    case 'open':
      return 1;
    case 'closed':
      return arrivals.clients;
    case 'window':
      return arrivals.pieces;
  }
}

/** A list of numbers that only grows: eight bytes each. */
class Series {
  #values = new Float64Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const grown = new Float64Array(2 * this.length);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.length++] = value;
  }

  at(i: number): number {
    return this.#values[i]!;
  }

  from(begin: number, end: number): number[] {
    return Array.from(this.#values.subarray(begin, end));
  }
}

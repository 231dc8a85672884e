import type { Cycles } from '../base/ids.ts';
import { stream } from '../base/random.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { RequestSource } from '../hypervisor/guest-port.ts';
import type { Arrivals } from './workloads/workload.ts';

/**
 * Where a server's requests come from. Open: a Poisson process with a random stream of its own, so
 * that its times are the same whatever the server does. Closed: clients that wait for an answer,
 * think, and ask again. Every request is kept: when it arrived and when it was finished.
 */
export class Requests implements RequestSource {
  readonly #engine: HostEngine;
  readonly #arrivals: Arrivals;
  readonly #random: () => number;
  readonly #mhz: number;
  readonly #arrive: EventKind;
  readonly #complete: EventKind;
  #deliver: (now: Cycles) => Cycles;
  /** Arrival times of requests whose last packets are still on the wire, oldest first. */
  readonly #incoming: Cycles[] = [];
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

  constructor(
    engine: HostEngine,
    arrivals: Arrivals,
    options: {
      seed: string;
      path: string;
      mhz: number;
      bytes: number;
      /** A request begins to arrive; returns when all of it has. */
      deliver: (now: Cycles) => Cycles;
    },
  ) {
    this.#engine = engine;
    this.#arrivals = arrivals;
    this.#random = stream(options.seed, `${options.path}/arrivals`);
    this.#mhz = options.mhz;
    this.bytes = options.bytes;
    this.#deliver = options.deliver;
    this.#arrive = engine.defineEvent(Phase.Deliver, (now) => this.#onArrival(now));
    this.#complete = engine.defineEvent(Phase.Deliver, () => {
      this.#waiting.push(this.#incoming.shift()!);
    });
    const clients = arrivals.kind === 'closed' ? arrivals.clients : 1;
    for (let i = 0; i < clients; i++) this.#next(0);
  }

  #next(now: Cycles): void {
    const mean =
      this.#arrivals.kind === 'open'
        ? (this.#mhz * 1e6) / this.#arrivals.perSecond
        : (this.#arrivals.thinkPicoseconds / 1e6) * this.#mhz;
    const gap = Math.max(1, Math.round(-Math.log1p(-this.#random()) * mean));
    this.#engine.schedule(now + gap, this.#arrive, 0);
  }

  #onArrival(now: Cycles): void {
    this.arrived++;
    if (this.#arrivals.kind === 'open') this.#next(now);
    const complete = this.#deliver(now);
    if (complete <= now) {
      this.#waiting.push(now);
      return;
    }
    this.#incoming.push(now);
    this.#engine.schedule(complete, this.#complete, 0);
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
    if (this.#arrivals.kind === 'closed') this.#next(now);
  }

  /**
   * Another server goes on from here, and requests come to it by `deliver`. It knows the requests
   * that are `taken`, and has sent the answers to those that are `answered`, though they may not
   * have left. What it does not know the clients send again.
   */
  moveTo(
    server: {
      deliver: (now: Cycles) => Cycles;
      taken: ReadonlySet<Cycles>;
      answered: ReadonlySet<Cycles>;
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
    const ends = this.#ends.from(first, last);
    const open = [...late, ...this.#inService, ...this.#waiting].filter((at) => at <= to);
    return {
      served: this.#arrivalsOf
        .from(first, last)
        .map((arrival, i) => ns(ends[i]! - arrival))
        .sort(ascending),
      unfinished: open.map((arrival) => ns(to - arrival)).sort(ascending),
    };
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

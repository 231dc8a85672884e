import type { Cycles } from '../base/ids.ts';
import { stream } from '../base/random.ts';
import { type Engine, type EventKind, Phase } from '../engine/engine.ts';
import type { Arrivals } from './workloads/workload.ts';

/**
 * Where a server's requests come from. Open: a Poisson process whose times are drawn from a stream of
 * their own, the same whatever the server does. Closed: clients that wait for an answer, think, and ask
 * again. Latencies are kept exactly.
 */
export class Requests {
  readonly #engine: Engine;
  readonly #arrivals: Arrivals;
  readonly #random: () => number;
  readonly #mhz: number;
  readonly #arrive: EventKind;
  readonly #complete: EventKind;
  readonly #deliver: (now: Cycles) => Cycles;
  /** Arrival times of requests whose last packets are still on the wire, oldest first. */
  readonly #incoming: Cycles[] = [];
  /** Arrival times of requests nobody serves yet, oldest first. */
  readonly #waiting: Cycles[] = [];
  #latencies: number[] = [];
  arrived = 0;

  constructor(
    engine: Engine,
    arrivals: Arrivals,
    options: {
      seed: string;
      path: string;
      mhz: number;
      /** A request begins to arrive; says when all of it has. */
      deliver: (now: Cycles) => Cycles;
    },
  ) {
    this.#engine = engine;
    this.#arrivals = arrivals;
    this.#random = stream(options.seed, `${options.path}/arrivals`);
    this.#mhz = options.mhz;
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
    return this.#waiting.shift() ?? Number.NaN;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  finish(arrival: Cycles, now: Cycles): void {
    this.#latencies.push(((now - arrival) * 1000) / this.#mhz);
    if (this.#arrivals.kind === 'closed') this.#next(now);
  }

  /** Forgets what was measured so far: end of warm-up. */
  resetLatencies(): void {
    this.#latencies = [];
  }

  /** Latencies of the window in nanoseconds, ascending. */
  sortedLatencies(): Float64Array {
    return Float64Array.from(this.#latencies).sort();
  }
}

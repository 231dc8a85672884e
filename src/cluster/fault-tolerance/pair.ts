import type { Cycles } from '../../base/ids.ts';
import type { Arbiter } from './arbiter.ts';
import { lagControls } from './lag-controls/index.ts';
import type { LagControl } from './lag-controls/lag-control.ts';
import type { HostWork, Message, Wire } from './messages.ts';
import type { RecordReplayParams } from './params.ts';
import { PrimarySide } from './primary-side.ts';
import type { Replica } from './replica.ts';
import { SecondarySide } from './secondary-side.ts';
import type { PairTimes, SideDeps } from './side.ts';
import type { Timers } from './timers.ts';

/** Where a pair stands, as an observer of both hosts sees it. */
export type PairState =
  /** Never protected yet. */
  | 'off'
  /** A secondary is being made. */
  | 'cloning'
  | 'running'
  /** Protected, and the secondary is far behind. */
  | 'lagging'
  /** The secondary has won and takes over. */
  | 'go-live'
  /** One runs, unprotected. */
  | 'alone'
  /** Nobody is left. */
  | 'lost';

/** A host and what executes the guest there. */
export interface End {
  readonly host: string;
  readonly replica: Replica;
}

export interface PairDeps {
  readonly params: Omit<RecordReplayParams, 'disk'>;
  readonly timers: Timers;
  /** Picoseconds -> cycles of the run. */
  toCycles(picoseconds: number): Cycles;
  wire(from: string, to: string): Wire;
  work(host: string): HostWork;
  arbiter(host: string): Arbiter;
  onState(state: PairState, now: Cycles): void;
  /** Something has changed at one of the sides. */
  onChange?(now: Cycles): void;
}

/**
 * A protected guest: its two sides, one generation after the other, and the controller of the lag.
 * It joins what the sides know for whoever watches; they themselves learn only from messages.
 */
export class Pair {
  readonly #deps: PairDeps;
  readonly #times: PairTimes;
  readonly control: LagControl;
  #generation = 0;
  #state: PairState = 'off';
  #cloning = false;
  #lagging = false;
  #primary: PrimarySide | null = null;
  #secondary: SecondarySide | null = null;
  #primaryReplica: Replica | null = null;
  /** Sides of earlier generations that have not halted: they may hold the arbiter's word. */
  readonly #earlier: (PrimarySide | SecondarySide)[] = [];

  constructor(deps: PairDeps) {
    const { params, timers, toCycles } = deps;
    this.#deps = deps;
    const scaled = (picoseconds: number) =>
      Math.max(1, Math.round(toCycles(picoseconds) * params.timeScale));
    const hostTimeout = scaled(params.hostTimeout);
    this.#times = {
      hostTimeout,
      heartbeat: Math.max(1, Math.floor(hostTimeout / params.heartbeats)),
      logTimeout: scaled(params.logTimeout),
      retransmit: scaled(params.retransmit),
      arbiterRetry: scaled(params.arbiterRetry),
      goLive: Math.max(1, toCycles(params.goLive)),
      control: scaled(params.controlInterval),
    };
    this.control = lagControls.create(params.lagControl, { cycles: scaled });
    const look = (now: Cycles) => {
      this.#look(now);
      timers.at(now + this.#times.control, look);
    };
    timers.at(this.#times.control, look);
  }

  get state(): PairState {
    return this.#state;
  }

  get generation(): number {
    return this.#generation;
  }

  /** The sides of the present generation. */
  get primary(): PrimarySide | null {
    return this.#primary;
  }

  get secondary(): SecondarySide | null {
    return this.#secondary;
  }

  /** A copy is on its way to another host; it is not protection yet. */
  beginCloning(now: Cycles): void {
    this.#cloning = true;
    this.#update(now);
  }

  /** The copy was given up. */
  endCloning(now: Cycles): void {
    this.#cloning = false;
    this.#update(now);
  }

  /**
   * From now on the primary records: the secondary is a copy of it at this moment, after it has
   * executed for `stamp`. The last `bytes` of the copy are still to be sent; the secondary exists
   * when they have arrived.
   */
  protect(primary: End, secondary: End, stamp: Cycles, now: Cycles, bytes = 0): void {
    const generation = ++this.#generation;
    if (this.#primary) this.#earlier.push(this.#primary);
    if (this.#secondary) this.#earlier.push(this.#secondary);
    this.#cloning = false;
    this.#lagging = false;
    this.#secondary = null;
    this.#primaryReplica = primary.replica;
    let theirs: SecondarySide | null = null;
    const toSecondary = (message: Message, at: Cycles) => theirs?.hear(message, at);
    const ours: PrimarySide = new PrimarySide(
      this.#side(primary.host, secondary.host, generation, toSecondary),
      primary.replica,
      now,
      stamp,
    );
    this.#primary = ours;
    const arrive = (at: Cycles) => {
      const toPrimary = (message: Message, then: Cycles) => ours.hear(message, then);
      theirs = new SecondarySide(
        this.#side(secondary.host, primary.host, generation, toPrimary),
        secondary.replica,
        at,
        stamp,
      );
      if (generation === this.#generation) this.#secondary = theirs;
      else this.#earlier.push(theirs);
      this.#update(at);
    };
    if (bytes === 0) arrive(now);
    else {
      this.#deps.wire(primary.host, secondary.host).send(bytes, now, arrive);
    }
    this.#update(now);
  }

  /** A host has lost its power. */
  hostLost(host: string, now: Cycles): void {
    for (const side of this.sides()) if (side.name === host) side.die(now);
    this.#update(now);
  }

  /** All sides there have been that may still act. */
  sides(): (PrimarySide | SecondarySide)[] {
    const all = [...this.#earlier, this.#primary, this.#secondary];
    return all.filter((side) => side !== null && side.state !== 'halted') as (
      | PrimarySide
      | SecondarySide
    )[];
  }

  #side(
    name: string,
    other: string,
    generation: number,
    deliver: (message: Message, now: Cycles) => void,
  ): SideDeps {
    const { arbiter, params, timers, wire, work } = this.#deps;
    return {
      name,
      generation,
      timers,
      times: this.#times,
      log: params.log,
      wire: wire(name, other),
      work: work(name),
      arbiter: arbiter(name),
      deliver,
      onChange: (now) => this.#update(now),
    };
  }

  /** The primary's host looks at the lag: it knows what the other side has told it. */
  #look(now: Cycles): void {
    const primary = this.#primary;
    if (primary?.state !== 'protected' || !primary.news) return;
    primary.news = false;
    const { control } = this;
    const before = control.limit;
    const { lag, replayed, written } = primary;
    control.next({ now, lag, executed: written, replayed });
    if (control.limit !== before) this.#primaryReplica!.limit(control.limit, now);
    if (lag > control.bad) this.#lagging = true;
    else if (lag < control.good) this.#lagging = false;
    this.#update(now);
  }

  #update(now: Cycles): void {
    this.#deps.onChange?.(now);
    const state = this.#derive();
    if (state === this.#state) return;
    this.#state = state;
    this.#deps.onState(state, now);
  }

  #derive(): PairState {
    if (this.#generation === 0) return this.#cloning ? 'cloning' : 'off';
    const states = [this.#primary?.state, this.#secondary?.state];
    if (states.includes('going-live')) return 'go-live';
    if (states.includes('alone')) return this.#cloning ? 'cloning' : 'alone';
    if (states.every((state) => state === undefined || state === 'halted')) return 'lost';
    return this.#lagging ? 'lagging' : 'running';
  }
}

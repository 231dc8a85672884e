import type { Cycles } from '../../base/ids.ts';
import type { Arbiter } from './arbiter.ts';
import type { StreamParams } from './log-params.ts';
import type { HostWork, Message, Sequenced, Wire } from './messages.ts';
import type { ReceivingSide } from './receiving-side.ts';
import type { SendingSide } from './sending-side.ts';
import type { PairTimes, Side, SideDeps } from './side.ts';
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

/** What every way of protecting says of the times in which a pair notices and decides. */
export interface DetectionParams {
  /** Picoseconds. */
  readonly hostTimeout: number;
  readonly logTimeout: number;
  readonly retransmit: number;
  readonly arbiterRetry: number;
  readonly goLive: number;
  readonly controlInterval: number;
  /** Heartbeats within the host timeout. */
  readonly heartbeats: number;
  /** Of all of these but `goLive`. */
  readonly timeScale: number;
}

export interface GenerationsDeps {
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
 * A protected guest: its two sides, one generation after the other. It joins what the sides know
 * for
 * whoever watches; they themselves learn only from messages.
 */
export abstract class Generations<
  E extends Sequenced,
  P extends SendingSide<E>,
  S extends ReceivingSide<E>,
> {
  protected readonly deps: GenerationsDeps;
  protected readonly times: PairTimes;
  readonly #log: StreamParams;
  #generation = 0;
  #state: PairState = 'off';
  #cloning = false;
  #primary: P | null = null;
  #secondary: S | null = null;
  /** Sides of earlier generations that have not halted: they may hold the arbiter's word. */
  readonly #earlier: (P | S)[] = [];

  constructor(deps: GenerationsDeps, detection: DetectionParams, log: StreamParams) {
    this.deps = deps;
    this.#log = log;
    const scaled = (picoseconds: number) =>
      Math.max(1, Math.round(deps.toCycles(picoseconds) * detection.timeScale));
    const hostTimeout = scaled(detection.hostTimeout);
    this.times = {
      hostTimeout,
      heartbeat: Math.max(1, Math.floor(hostTimeout / detection.heartbeats)),
      logTimeout: scaled(detection.logTimeout),
      retransmit: scaled(detection.retransmit),
      arbiterRetry: scaled(detection.arbiterRetry),
      goLive: Math.max(1, deps.toCycles(detection.goLive)),
      control: scaled(detection.controlInterval),
    };
  }

  get state(): PairState {
    return this.#state;
  }

  /** There is a secondary, or one is being made. */
  get guarded(): boolean {
    return !['off', 'alone', 'lost'].includes(this.#state);
  }

  /** Ends the primary, if it is protected. */
  stopPrimary(now: Cycles): void {
    if (this.#primary?.state === 'protected') this.#primary.die(now);
  }

  get generation(): number {
    return this.#generation;
  }

  /** The sides of the present generation. */
  get primary(): P | null {
    return this.#primary;
  }

  get secondary(): S | null {
    return this.#secondary;
  }

  /** A copy is on its way to another host; it is not protection yet. */
  beginCloning(now: Cycles): void {
    this.#cloning = true;
    this.update(now);
  }

  /** The copy was given up. */
  endCloning(now: Cycles): void {
    this.#cloning = false;
    this.update(now);
  }

  /** A host has lost its power. */
  hostLost(host: string, now: Cycles): void {
    for (const side of this.sides()) if (side.name === host) side.die(now);
    this.update(now);
  }

  /** All sides there have been that may still act. */
  sides(): (P | S)[] {
    const all = [...this.#earlier, this.#primary, this.#secondary];
    return all.filter((side): side is P | S => side !== null && side.state !== 'halted');
  }

  /**
   * The next generation begins. The secondary exists when the last `bytes` of its copy have arrived
   * over the link.
   */
  protected connect(
    { primary, secondary, bytes }: { primary: string; secondary: string; bytes: number },
    now: Cycles,
    ours: (deps: SideDeps<E>) => P,
    theirs: (deps: SideDeps<E>, at: Cycles) => S,
  ): void {
    const generation = ++this.#generation;
    if (this.#primary) this.#earlier.push(this.#primary);
    if (this.#secondary) this.#earlier.push(this.#secondary);
    this.#cloning = false;
    this.#secondary = null;
    let made: S | null = null;
    const to = (side: () => Side<E> | null) => (message: Message<E>, at: Cycles) =>
      side()?.hear(message, at);
    const first = ours(
      this.#side(
        primary,
        secondary,
        to(() => made),
      ),
    );
    this.#primary = first;
    const arrive = (at: Cycles) => {
      made = theirs(
        this.#side(
          secondary,
          primary,
          to(() => first),
        ),
        at,
      );
      if (generation === this.#generation) this.#secondary = made;
      else this.#earlier.push(made);
      this.update(at);
    };
    if (bytes === 0) arrive(now);
    else this.deps.wire(primary, secondary).send(bytes, now, arrive);
    this.update(now);
  }

  #side(name: string, other: string, deliver: SideDeps<E>['deliver']): SideDeps<E> {
    const { arbiter, timers, wire, work } = this.deps;
    return {
      name,
      generation: this.#generation,
      timers,
      times: this.times,
      log: this.#log,
      wire: wire(name, other),
      work: work(name),
      arbiter: arbiter(name),
      deliver,
      onChange: (now) => this.update(now),
    };
  }

  /** The secondary is far behind. */
  protected abstract readonly lagging: boolean;
  /** Executed time of the primary that the secondary does not have. */
  abstract lagAt(now: Cycles): Cycles;
  /** Share of a pCPU that the primary may take. */
  abstract readonly cpuLimit: number;

  protected update(now: Cycles): void {
    this.deps.onChange?.(now);
    const state = this.#derive();
    if (state === this.#state) return;
    this.#state = state;
    this.deps.onState(state, now);
  }

  #derive(): PairState {
    if (this.#generation === 0) return this.#cloning ? 'cloning' : 'off';
    const states = [this.#primary?.state, this.#secondary?.state];
    if (states.includes('going-live')) return 'go-live';
    if (states.includes('alone')) return this.#cloning ? 'cloning' : 'alone';
    if (states.every((state) => state === undefined || state === 'halted')) return 'lost';
    return this.lagging ? 'lagging' : 'running';
  }
}

import type { Cycles } from '../../base/ids.ts';
import { type Arbiter, Arbitration } from './arbiter.ts';
import { Heartbeat } from './heartbeat.ts';
import type { StreamParams } from './log-params.ts';
import type { HostWork, Message, Sequenced, Wire } from './messages.ts';
import type { Timers } from './timers.ts';

/** Times of a pair, in cycles of the run. */
export interface PairTimes {
  readonly heartbeat: Cycles;
  readonly hostTimeout: Cycles;
  readonly logTimeout: Cycles;
  readonly retransmit: Cycles;
  readonly arbiterRetry: Cycles;
  readonly goLive: Cycles;
  /** From one report of the secondary's progress to the next, where nothing else reports it. */
  readonly control: Cycles;
}

export interface SideDeps<E extends Sequenced> {
  /** Which side it is: the host's name. */
  readonly name: string;
  /** Protection begins anew with each secondary; what an earlier one says does not count. */
  readonly generation: number;
  readonly timers: Timers;
  readonly times: PairTimes;
  readonly log: StreamParams;
  readonly wire: Wire;
  readonly work: HostWork;
  readonly arbiter: Arbiter;
  /** Hands a message to the other side of the same generation, if it still exists. */
  deliver(message: Message<E>, now: Cycles): void;
  /** The side has reached another state. */
  onChange(now: Cycles): void;
}

/** Where a side of a pair stands. */
export type SideState =
  /** It hears the other side. */
  | 'protected'
  /** It hears nothing and asks the arbiter. */
  | 'deciding'
  /** A secondary that has won completes what it has and takes the devices over. */
  | 'going-live'
  /** It goes on without another. */
  | 'alone'
  /** It has lost, or its host has. */
  | 'halted';

/**
 * What both sides of a pair do: heartbeats, silence, the arbiter's word. A side knows only what it
 * has heard.
 */
export abstract class Side<E extends Sequenced> {
  protected readonly deps: SideDeps<E>;
  readonly #heartbeat: Heartbeat;
  #arbitration: Arbitration | null = null;
  #state: SideState = 'protected';

  constructor(deps: SideDeps<E>, now: Cycles) {
    this.deps = deps;
    this.#heartbeat = new Heartbeat(
      {
        timers: deps.timers,
        every: deps.times.heartbeat,
        timeout: deps.times.hostTimeout,
        send: (at) => this.say({ kind: 'heartbeat' }, deps.log.ackBytes, at),
        onSilence: (at) => this.suspect(at),
      },
      now,
    );
  }

  get name(): string {
    return this.deps.name;
  }

  get state(): SideState {
    return this.#state;
  }

  /** The host has lost its power. */
  die(now: Cycles): void {
    if (this.#state !== 'halted') this.#halt(now);
  }

  /** A message of the other side arrives. */
  hear(message: Message<E>, now: Cycles): void {
    if (this.#state === 'halted') return;
    if (message.kind === 'superseded') {
      this.#halt(now);
      return;
    }
    if (this.#state === 'alone' || this.#state === 'going-live') {
      this.say({ kind: 'superseded' }, this.deps.log.ackBytes, now);
      return;
    }
    // Once the arbiter is asked, only its word counts: the other side may be going live.
    if (this.#state === 'deciding') return;
    this.#heartbeat.heard(now);
    this.onMessage(message, now);
  }

  protected abstract onMessage(message: Message<E>, now: Cycles): void;
  /** The arbiter is being asked. */
  protected abstract onDeciding(): void;
  /** The arbiter has answered for this side. */
  protected abstract onWon(now: Cycles): void;
  protected abstract onHalted(now: Cycles): void;

  protected say(message: Message<E>, bytes: number, now: Cycles): void {
    this.deps.wire.send(bytes, now, (at) => this.deps.deliver(message, at));
  }

  protected enter(state: SideState, now: Cycles): void {
    this.#state = state;
    this.deps.onChange(now);
  }

  /** The other side seems to be lost. */
  protected suspect(now: Cycles): void {
    if (this.#state !== 'protected') return;
    const { arbiter, generation, name, timers, times } = this.deps;
    this.#heartbeat.stop();
    this.#state = 'deciding';
    this.onDeciding();
    this.deps.onChange(now);
    this.#arbitration = new Arbitration(
      { arbiter, timers, retry: times.arbiterRetry, generation, side: name },
      now,
      (won, at) => {
        if (won) this.onWon(at);
        else this.#halt(at);
      },
    );
  }

  #halt(now: Cycles): void {
    this.#heartbeat.stop();
    this.#arbitration?.stop();
    this.onHalted(now);
    this.enter('halted', now);
  }
}

import type { Cycles } from '../../base/ids.ts';
import type { Timer, Timers } from './timers.ts';

export interface HeartbeatDeps {
  readonly timers: Timers;
  /** From one heartbeat to the next. */
  readonly every: Cycles;
  /** Silence that makes the other side count as lost. */
  readonly timeout: Cycles;
  send(now: Cycles): void;
  onSilence(now: Cycles): void;
}

/** Tells the other side that this one lives, and notices when that one says nothing any more. */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  #beat: Timer;
  #watch: Timer;
  #heardAt: Cycles;

  /** Starts at `now`, when the other side counts as heard. */
  constructor(deps: HeartbeatDeps, now: Cycles) {
    this.#deps = deps;
    this.#heardAt = now;
    this.#beat = deps.timers.at(now + deps.every, (at) => this.#send(at));
    this.#watch = deps.timers.at(now + deps.timeout, (at) => this.#check(at));
  }

  /** Anything came from the other side. */
  heard(now: Cycles): void {
    this.#heardAt = now;
  }

  stop(): void {
    this.#beat.cancel();
    this.#watch.cancel();
  }

  #send(now: Cycles): void {
    this.#beat = this.#deps.timers.at(now + this.#deps.every, (at) => this.#send(at));
    this.#deps.send(now);
  }

  #check(now: Cycles): void {
    const due = this.#heardAt + this.#deps.timeout;
    if (due > now) this.#watch = this.#deps.timers.at(due, (at) => this.#check(at));
    else this.#deps.onSilence(now);
  }
}

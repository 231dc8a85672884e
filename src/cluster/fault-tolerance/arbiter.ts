import type { Cycles } from '../../base/ids.ts';
import type { Timer, Timers } from './timers.ts';

export type Answer = 'won' | 'lost' | 'unreachable';

/**
 * Where two sides that do not hear each other decide which goes on: a word on the shared disk, or a
 * third machine where the disks are not shared. Each time of protection has a word of its own.
 */
export interface Arbiter {
  /**
   * Writes `side` into the word `generation` if nobody has, at once or not at all. The side whose
   * name stands there has won, however often it asks.
   */
  testAndSet(
    generation: number,
    side: string,
    now: Cycles,
    answer: (answer: Answer, now: Cycles) => void,
  ): void;
}

export interface ArbitrationDeps {
  readonly arbiter: Arbiter;
  readonly timers: Timers;
  /** From an attempt that got no answer to the next. */
  readonly retry: Cycles;
  readonly generation: number;
  readonly side: string;
}

/**
 * Asks the arbiter until it answers. Once asked there is no way back: an attempt that brought no
 * answer may have succeeded all the same, so only the arbiter can end it.
 */
export class Arbitration {
  readonly #deps: ArbitrationDeps;
  readonly #decided: (won: boolean, now: Cycles) => void;
  #retry: Timer | null = null;
  #stopped = false;

  constructor(deps: ArbitrationDeps, now: Cycles, decided: (won: boolean, now: Cycles) => void) {
    this.#deps = deps;
    this.#decided = decided;
    this.#ask(now);
  }

  /** The side has ceased to be. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  #ask(now: Cycles): void {
    const { arbiter, generation, retry, side, timers } = this.#deps;
    arbiter.testAndSet(generation, side, now, (answer, at) => {
      if (this.#stopped) return;
      if (answer !== 'unreachable') this.#decided(answer === 'won', at);
      else this.#retry = timers.at(at + retry, (again) => this.#ask(again));
    });
  }
}

import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { type EventHandle, EventQueue, Phase } from './event-queue.ts';

export type EventKind = number & { readonly eventKind?: unique symbol };

/**
 * Something with its own clock that runs between events: a pCPU. It touches only its own state and
 * that of its VM. Whatever is shared it posts as an event at its local time, and stops there.
 */
export interface Runner {
  /** Local time; Infinity while it waits for an event to wake it. */
  readonly time: Cycles;
  /**
   * Runs until its local time reaches the engine's `horizon`, which comes nearer when the runner
   * schedules an earlier event. Must make progress. May overshoot by one indivisible step (a visit,
   * an exit).
   */
  advance(): void;
}

/** Why `run` returned. */
export const Outcome = { Reached: 0, Stopped: 1, Starved: 2 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/**
 * The loop: the next event if every runner has reached its time, else the runner that is furthest
 * behind, which may run ahead of the others by no more than the lookahead. With a lookahead no
 * longer than the least latency between cores (an IPI), nothing arrives in a runner's past.
 */
export class Engine {
  readonly queue = new EventQueue();
  readonly lookahead: Cycles;
  /** Time of the last event. */
  now: Cycles = 0;
  /** How far the runner that advances may go. */
  horizon: Cycles = 0;
  #runners: Runner[] = [];
  #handlers: ((now: Cycles, target: number) => void)[] = [];
  #phases: Phase[] = [];
  #stopped = false;
  #starved = false;
  #running: Runner | undefined;

  constructor(lookahead: Cycles) {
    this.lookahead = Math.max(1, lookahead);
  }

  /** Each layer defines its own kinds; `handler` is one closure per kind, none per event. */
  defineEvent(phase: Phase, handler: (now: Cycles, target: number) => void): EventKind {
    this.#handlers.push(handler);
    this.#phases.push(phase);
    return this.#handlers.length - 1;
  }

  /** Schedules an event, not before `now`. Throws ModelError if it is: see `scheduleSoon`. */
  schedule(at: Cycles, kind: EventKind, target: number): EventHandle {
    if (!(at >= this.now)) {
      throw new ModelError(`an event at cycle ${at} would lie before the last one, at ${this.now}`);
    }
    if (at < this.horizon) this.horizon = at;
    return this.queue.push(at, this.#phases[kind]!, kind, target);
  }

  /** As `schedule`; an event whose time has passed happens as soon as possible. */
  scheduleSoon(at: Cycles, kind: EventKind, target: number): EventHandle {
    return this.schedule(Math.max(at, this.now), kind, target);
  }

  /** Local time of whatever is acting: the runner that advances, or the event being handled. */
  get here(): Cycles {
    return this.#running ? Math.max(this.now, this.#running.time) : this.now;
  }

  cancel(handle: EventHandle): void {
    this.queue.cancel(handle);
  }

  /** Calls `task` every `period` cycles, starting one period from now. */
  every(period: Cycles, phase: Phase, task: (now: Cycles) => void): void {
    const kind = this.defineEvent(phase, (now) => {
      task(now);
      this.schedule(now + period, kind, 0);
    });
    this.schedule(this.now + period, kind, 0);
  }

  attach(runner: Runner): void {
    this.#runners.push(runner);
  }

  /** Ends `run` after the current event. */
  stop(): void {
    this.#stopped = true;
  }

  /** A runner needs outside input before it can go on: `run` returns `Starved`. */
  starve(): void {
    this.#starved = true;
  }

  /** Runs until simulated time `until`; can be called again to continue. */
  run(until: Cycles): Outcome {
    const runners = this.#runners;
    const queue = this.queue;
    this.#stopped = false;
    this.#starved = false;
    for (;;) {
      let slowest: Runner | undefined;
      let least = Infinity;
      let second = Infinity;
      for (let i = 0; i < runners.length; i++) {
        const time = runners[i]!.time;
        if (time < least) {
          second = least;
          least = time;
          slowest = runners[i];
        } else if (time < second) second = time;
      }
      const due = queue.peekTime();
      if (due <= least) {
        if (due > until) {
          this.now = until;
          return Outcome.Reached;
        }
        queue.pop();
        this.now = queue.time;
        this.#handlers[queue.kind]!(queue.time, queue.target);
        if (this.#stopped) return Outcome.Stopped;
        continue;
      }
      if (slowest === undefined || least >= until) {
        this.now = until;
        return Outcome.Reached;
      }
      this.horizon = Math.min(due, until, second + this.lookahead);
      this.#running = slowest;
      slowest.advance();
      this.#running = undefined;
      if (this.#starved) return Outcome.Starved;
      if (this.#stopped) return Outcome.Stopped;
    }
  }
}

export type { EventHandle };
export { Phase };

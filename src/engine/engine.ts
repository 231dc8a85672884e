import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { type EventHandle, EventQueue, Phase } from './event-queue.ts';
import type { EventKind, HostEngine, Runner } from './host-engine.ts';
import { Timebase } from './timebase.ts';

/** Why `run` returned. */
export const Outcome = { Reached: 0, Stopped: 1, Starved: 2 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/**
 * The loop: the next event if every runner has reached its time, else the runner that is furthest
 * behind, which may run ahead of the others by no more than the lookahead. With a lookahead no
 * longer than the least latency between cores (an IPI), nothing arrives in a runner's past.
 */
export class Engine implements Runner, HostEngine {
  readonly timebase = Timebase.same;
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
  /** Where the present `run` ends. */
  #until: Cycles = 0;
  readonly #parent: Engine | undefined;
  #children: Engine[] = [];
  #onLower: ((at: Cycles) => void)[] = [];

  /**
   * `parent`: an engine that this one is a runner of. It has its own events and runners, which
   * those of other children cannot touch, and so it keeps the order that it would have alone;
   * events of the parent wait for all of its children.
   */
  constructor(lookahead: Cycles, parent?: Engine) {
    this.lookahead = Math.max(1, lookahead);
    this.#parent = parent;
    if (!parent) return;
    parent.attach(this);
    parent.#children.push(this);
  }

  /**
   * As a runner of its parent: half a cycle before the next event, so that the events of a cycle
   * precede those of the parent in the same cycle.
   */
  get time(): Cycles {
    let least = this.queue.peekTime() - 0.5;
    for (const { time } of this.#runners) if (time < least) least = time;
    return least;
  }

  /** As a runner of its parent. */
  advance(): void {
    const outcome = this.run(this.#parent!.horizon);
    if (outcome === Outcome.Starved) this.#parent!.starve();
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
    if (at < this.horizon) this.#lower(at);
    return this.queue.push(at, this.#phases[kind]!, kind, target);
  }

  /** As `schedule`; an event whose time has passed happens as soon as possible. */
  scheduleSoon(at: Cycles, kind: EventKind, target: number): EventHandle {
    return this.schedule(Math.max(at, this.now), kind, target);
  }

  /** Nobody who runs goes further than `at`. */
  #lower(at: Cycles): void {
    this.horizon = at;
    for (const listener of this.#onLower) listener(at);
    for (const child of this.#children) {
      if (at < child.#until) child.#until = at;
      if (at < child.horizon) child.#lower(at);
    }
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

  /** Calls `listener` whenever an event brings the horizon nearer, with its time. */
  onLower(listener: (at: Cycles) => void): void {
    this.#onLower.push(listener);
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
    const { lookahead, queue } = this;
    this.#until = until;
    this.#stopped = false;
    this.#starved = false;
    for (;;) {
      let slowest: Runner | undefined;
      let least = Infinity;
      // When the first of the others may do something, and the first of all.
      let others = Infinity;
      let first = Infinity;
      const due = queue.peekTime();
      for (let i = 0; i < runners.length; i++) {
        const runner = runners[i]!;
        const { time } = runner;
        // Whoever the next event comes before anyway is not asked.
        const quiet = time + lookahead < due ? (runner.quiet ?? time) : time;
        if (time < least) {
          least = time;
          slowest = runner;
          others = first;
        } else if (quiet < others) others = quiet;
        if (quiet < first) first = quiet;
      }
      if (due <= least) {
        if (due > this.#until) {
          this.now = this.#until;
          return Outcome.Reached;
        }
        queue.pop();
        this.now = queue.time;
        this.#handlers[queue.kind]!(queue.time, queue.target);
        if (this.#stopped) return Outcome.Stopped;
        continue;
      }
      if (slowest === undefined || least >= this.#until) {
        this.now = this.#until;
        return Outcome.Reached;
      }
      this.horizon = Math.min(due, this.#until, others + lookahead);
      this.#running = slowest;
      slowest.advance();
      this.#running = undefined;
      if (this.#starved) return Outcome.Starved;
      if (this.#stopped) return Outcome.Stopped;
    }
  }
}

export type { EventHandle, EventKind, Runner };
export { Phase };

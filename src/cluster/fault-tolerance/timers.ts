import type { Cycles } from '../../base/ids.ts';
import { type Engine, type EventKind, Phase } from '../../engine/engine.ts';

type Task = (now: Cycles) => void;

/** Something that is to happen later and can be taken back. */
export interface Timer {
  cancel(): void;
}

/** Single tasks at given times, on the engine: what protocols wait for. */
export class Timers {
  readonly #engine: Engine;
  readonly #kind: EventKind;
  readonly #tasks: (Task | null)[] = [];
  readonly #free: number[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#kind = engine.defineEvent(Phase.Deliver, (now, slot) => this.#take(slot)(now));
  }

  /** Calls `task` at `time`, or as soon as possible when that has passed. */
  at(time: Cycles, task: Task): Timer {
    const slot = this.#free.pop() ?? this.#tasks.length;
    this.#tasks[slot] = task;
    const handle = this.#engine.scheduleSoon(Math.ceil(time), this.#kind, slot);
    let pending = true;
    return {
      cancel: () => {
        if (!pending || this.#tasks[slot] !== task) return;
        pending = false;
        this.#engine.cancel(handle);
        this.#take(slot);
      },
    };
  }

  #take(slot: number): Task {
    const task = this.#tasks[slot]!;
    this.#tasks[slot] = null;
    this.#free.push(slot);
    return task;
  }
}

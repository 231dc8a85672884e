import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';

export type Task = (now: Cycles) => void;

/** Single tasks at given times of a host. */
export class Later {
  readonly #engine: HostEngine;
  readonly #due: EventKind;
  readonly #tasks: (Task | undefined)[] = [];
  readonly #free: number[] = [];

  constructor(engine: HostEngine) {
    this.#engine = engine;
    this.#due = engine.defineEvent(Phase.Deliver, (now, slot) => {
      const task = this.#tasks[slot];
      this.#tasks[slot] = undefined;
      this.#free.push(slot);
      task?.(now);
    });
  }

  /** Tasks that are waiting. */
  get waiting(): number {
    return this.#tasks.length - this.#free.length;
  }

  /** Calls `task` at `time`, or as soon as possible after that. */
  at(time: Cycles, task: Task): void {
    const slot = this.#free.pop() ?? this.#tasks.length;
    this.#tasks[slot] = task;
    this.#engine.scheduleSoon(time, this.#due, slot);
  }

  /** What waits is never done. */
  clear(): void {
    this.#tasks.fill(undefined);
  }
}

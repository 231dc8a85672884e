import type { Cycles } from '../base/ids.ts';
import { type Process, State } from './process.ts';
import type { Requests } from './requests.ts';

/**
 * Processes of a guest that are not running: the runnable ones, first come first served, and those
 * that wait.
 */
export class RunQueue {
  readonly #runnable: Process[] = [];
  readonly #blocked = new Set<Process>();

  /** Who would run next. */
  get first(): Process | undefined {
    return this.#runnable[0];
  }

  get crowded(): boolean {
    return this.#runnable.length > 0;
  }

  get anyBlocked(): boolean {
    return this.#blocked.size > 0;
  }

  push(process: Process): void {
    this.#runnable.push(process);
  }

  take(): Process | null {
    return this.#runnable.shift() ?? null;
  }

  block(process: Process, state: State): void {
    process.state = state;
    this.#blocked.add(process);
  }

  unblock(process: Process): void {
    process.state = State.Runnable;
    this.#blocked.delete(process);
    this.#runnable.push(process);
  }

  /** When the next sleeper is to wake; Infinity if nobody sleeps. */
  get nextWakeUp(): Cycles {
    let next = Infinity;
    for (const process of this.#blocked) {
      if (process.state === State.Sleep) next = Math.min(next, process.due);
    }
    return next;
  }

  /**
   * Wakes sleepers and processes whose I/O is done, then one waiting server for each waiting
   * request.
   */
  wakeDue(now: Cycles, requests: Requests | null): void {
    for (const process of this.#blocked) {
      const { state } = process;
      if ((state === State.Io || state === State.Sleep) && process.due <= now) {
        this.unblock(process);
      }
    }
    if (!requests) return;
    for (const process of this.#blocked) {
      if (requests.waiting === 0) return;
      if (process.state !== State.Request) continue;
      process.request = requests.take();
      this.unblock(process);
    }
  }
}

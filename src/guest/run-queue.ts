import type { Cycles } from '../base/ids.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import { State, type Thread } from './process.ts';

/**
 * Threads of a guest that do not run: those that could, first come first served, and those that
 * wait.
 */
export class RunQueue {
  readonly #runnable: Thread[] = [];
  readonly #blocked = new Set<Thread>();

  /** Who would run next. */
  get first(): Thread | undefined {
    return this.#runnable[0];
  }

  get crowded(): boolean {
    return this.#runnable.length > 0;
  }

  get anyBlocked(): boolean {
    return this.#blocked.size > 0;
  }

  push(thread: Thread): void {
    this.#runnable.push(thread);
  }

  take(): Thread | null {
    return this.#runnable.shift() ?? null;
  }

  block(thread: Thread, state: State): void {
    thread.state = state;
    this.#blocked.add(thread);
  }

  /** The thread has ended, or is about to. */
  remove(thread: Thread): void {
    this.#blocked.delete(thread);
    const place = this.#runnable.indexOf(thread);
    if (place >= 0) this.#runnable.splice(place, 1);
  }

  unblock(thread: Thread): void {
    thread.state = State.Runnable;
    this.#blocked.delete(thread);
    this.#runnable.push(thread);
  }

  /** When the next sleeper is to wake; Infinity if nobody sleeps. */
  get nextWakeUp(): Cycles {
    let next = Infinity;
    for (const thread of this.#blocked) {
      if (thread.state === State.Sleep) next = Math.min(next, thread.due);
    }
    return next;
  }

  #completed(io: number): boolean {
    for (const thread of this.#blocked) {
      if (thread.state !== State.Io || thread.io !== io) continue;
      this.unblock(thread);
      return true;
    }
    return false;
  }

  /**
   * Wakes sleepers and threads whose I/O is done, then one waiting server for each waiting
   * request.
   */
  wakeDue(cpu: GuestCpu): void {
    const now = cpu.clock();
    let waitForIo = 0;
    for (const thread of this.#blocked) {
      if (thread.state === State.Io) waitForIo++;
      else if (thread.state === State.Sleep && thread.due <= now) this.unblock(thread);
    }
    while (waitForIo > 0) {
      const io = cpu.takeCompletion();
      if (Number.isNaN(io)) break;
      // Nobody: the thread that waited for it was ended meanwhile.
      if (this.#completed(io)) waitForIo--;
    }
    for (const thread of this.#blocked) {
      if (thread.state !== State.Request) continue;
      const request = cpu.takeRequest();
      if (Number.isNaN(request)) return;
      thread.request = request;
      this.unblock(thread);
    }
  }
}

import type { Cycles } from '../../base/ids.ts';
import type { Arbiter } from './arbiter.ts';
import type { Timers } from './timers.ts';

/**
 * The lock words of a pair on the disk that its hosts share (or on a third machine, where the disks
 * are not shared). A word is written once, by whoever comes first. It fences too: a host that is
 * not named in the present word writes nothing to the disk any more.
 */
export class SharedDisk implements Arbiter {
  readonly #timers: Timers;
  /** From a request to the disk, and from there to its answer. */
  readonly #latency: Cycles;
  readonly #words = new Map<number, string>();
  readonly #unreachable = new Set<string>();

  constructor(timers: Timers, latency: Cycles) {
    this.#timers = timers;
    this.#latency = latency;
  }

  /** The host that the word of a generation names, if one has won. */
  word(generation: number): string | undefined {
    return this.#words.get(generation);
  }

  /** Whether the disk refuses what a host writes: another one has won. */
  fences(generation: number, host: string): boolean {
    const word = this.#words.get(generation);
    return word !== undefined && word !== host;
  }

  /** A host loses its way to the disk, and finds it again. */
  cut(host: string): void {
    this.#unreachable.add(host);
  }

  restore(host: string): void {
    this.#unreachable.delete(host);
  }

  restoreAll(): void {
    this.#unreachable.clear();
  }

  testAndSet: Arbiter['testAndSet'] = (generation, side, now, answer) => {
    const asked = !this.#unreachable.has(side);
    this.#timers.at(now + this.#latency, (at) => {
      if (asked && !this.#words.has(generation)) this.#words.set(generation, side);
      this.#timers.at(at + this.#latency, (then) => {
        // The answer can be lost where the request was not.
        if (!asked || this.#unreachable.has(side)) answer('unreachable', then);
        else answer(this.#words.get(generation) === side ? 'won' : 'lost', then);
      });
    });
  };
}

import type { Cycles } from '../../base/ids.ts';

/** What a guest was told. */
export const Told = {
  /** By its clock. */
  Clock: 0,
  /** The arrival time of a request, or NaN: there is none. */
  Request: 1,
  /** The number of an I/O that is over, or NaN: none more is. */
  Completion: 2,
  /** Interrupts, as Vector bits. */
  Interrupt: 3,
} as const;
export type Told = (typeof Told)[keyof typeof Told];

/** A place in the life of a guest, between two steps. */
export interface Position {
  /** Steps of its program that it has completed. */
  readonly steps: number;
  /** How much it had been told by then. */
  readonly length: number;
}

/**
 * Everything undetermined that a guest was told since it booted, and at which step. Another guest
 * of
 * the same program that is told the same comes to the same state: see GuestCopy. It grows as long
 * as
 * the guest runs (17 bytes for each event), so only guests keep one that may be copied.
 */
export class GuestHistory {
  #kinds = new Uint8Array(256);
  #steps = new Float64Array(256);
  #values = new Float64Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  note(kind: Told, steps: number, value: number): void {
    if (this.#length === this.#kinds.length) this.#grow(2 * this.#length);
    this.#kinds[this.#length] = kind;
    this.#steps[this.#length] = steps;
    this.#values[this.#length++] = value;
  }

  kindAt(i: number): Told {
    return this.#kinds[i] as Told;
  }

  stepsAt(i: number): number {
    return this.#steps[i]!;
  }

  valueAt(i: number): Cycles {
    return this.#values[i]!;
  }

  /** It becomes the beginning of another one, up to `length`: the history of a copy. */
  adopt(other: GuestHistory, length: number): void {
    this.#kinds = other.#kinds.slice();
    this.#steps = other.#steps.slice();
    this.#values = other.#values.slice();
    this.#length = length;
  }

  #grow(room: number): void {
    const grown = <T extends Uint8Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#kinds = grown(new Uint8Array(room), this.#kinds);
    this.#steps = grown(new Float64Array(room), this.#steps);
    this.#values = grown(new Float64Array(room), this.#values);
  }
}

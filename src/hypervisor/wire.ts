import type { Cycles } from '../base/ids.ts';

/**
 * One direction of a wire: whatever is sent over it goes bit by bit, in the order in which it came.
 */
export class Wire {
  /** Bits per second. */
  readonly bandwidth: number;
  readonly #cyclesPerByte: number;
  /** When the last bit that waits will have been sent. */
  #busyUntil: Cycles = 0;
  #busy: Cycles = 0;
  /** Sent and still to be sent, with all headers. */
  bytes = 0;

  /** `mhz`: cycles of the engine in a microsecond; `bandwidth`: bits per second. */
  constructor(mhz: number, bandwidth: number) {
    this.bandwidth = bandwidth;
    this.#cyclesPerByte = (8 * mhz * 1e6) / bandwidth;
  }

  /** Cycles that so many bytes take. */
  cyclesOf(bytes: number): Cycles {
    return Math.ceil(bytes * this.#cyclesPerByte);
  }

  /** When something can begin to be sent that is ready at `now`. */
  freeAt(now: Cycles): Cycles {
    return Math.max(now, this.#busyUntil);
  }

  /** `bytes` are ready to be sent at `now`. Returns when the last bit has been. */
  send(bytes: number, now: Cycles): Cycles {
    const cycles = this.cyclesOf(bytes);
    this.#busyUntil = this.freeAt(now) + cycles;
    this.#busy += cycles;
    this.bytes += bytes;
    return this.#busyUntil;
  }

  /** How long it has been sending by `now`, after which nothing has been given to it. */
  busyBy(now: Cycles): Cycles {
    return this.#busy - Math.max(0, this.#busyUntil - now);
  }

  /** What waits at `now` is never sent. */
  clear(now: Cycles): void {
    this.#busy = this.busyBy(now);
    this.#busyUntil = Math.min(this.#busyUntil, now);
  }
}

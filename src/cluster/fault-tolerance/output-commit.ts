import type { Cycles } from '../../base/ids.ts';

interface Held {
  readonly sequence: number;
  readonly since: Cycles;
  readonly release: (now: Cycles) => void;
}

/**
 * Output commit: nothing that the guest sends leaves the host before the other side has
 * acknowledged the log up to it. The guest goes on meanwhile.
 */
export class OutputCommit {
  #held: Held[] = [];
  /** Outputs released, and how long they were held in all. */
  released = 0;
  heldCycles: Cycles = 0;

  get held(): number {
    return this.#held.length;
  }

  /** Holds an output whose entry in the log has the number `sequence`. */
  hold(sequence: number, now: Cycles, release: (now: Cycles) => void): void {
    this.#held.push({ sequence, since: now, release });
  }

  /** The log has been acknowledged up to `sequence`: what it covers leaves, in order. */
  acknowledge(sequence: number, now: Cycles): void {
    while (this.#held.length > 0 && this.#held[0]!.sequence <= sequence) {
      const { since, release } = this.#held.shift()!;
      this.released++;
      this.heldCycles += Math.max(0, now - since);
      release(now);
    }
  }

  /** There is nobody left to wait for. */
  releaseAll(now: Cycles): void {
    this.acknowledge(Infinity, now);
  }

  /** The host is lost: what was held never leaves. */
  drop(): void {
    this.#held = [];
  }
}

import type { Cycles } from '../../base/ids.ts';
import type { FaultToleranceRow } from '../../stats/result.ts';
import type { Pair } from './pair.ts';

/** Looks at a pair now and then, and at each change of its state. */
export class PairRows {
  readonly rows: FaultToleranceRow[] = [];
  readonly #name: string;
  readonly #pair: Pair;
  #at: Cycles = 0;
  #bytes = 0;
  #generation = 0;

  constructor(name: string, pair: Pair) {
    this.#name = name;
    this.#pair = pair;
  }

  /** A row of what happened since the last one. */
  look(now: Cycles): void {
    const { control, primary, secondary, state } = this.#pair;
    const protectedNow = primary?.recording ?? false;
    const bytes = primary?.bytesSent ?? 0;
    // Each generation has a log of its own.
    if (this.#pair.generation !== this.#generation) this.#bytes = 0;
    this.#generation = this.#pair.generation;
    this.rows.push({
      pair: this.#name,
      cycle: now,
      state,
      cycles: now - this.#at,
      lagCycles: protectedNow ? (primary?.lag ?? 0) : 0,
      logBytes: bytes - this.#bytes,
      heldOutputs: primary?.outputs.held ?? 0,
      releasedOutputs: primary?.outputs.released ?? 0,
      heldCycles: primary?.outputs.heldCycles ?? 0,
      primaryBufferBytes: primary?.bufferedBytes ?? 0,
      secondaryBufferBytes: secondary?.bufferedBytes ?? 0,
      limit: control.limit,
    });
    this.#at = now;
    this.#bytes = bytes;
  }
}

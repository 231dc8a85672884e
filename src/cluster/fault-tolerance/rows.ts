import type { Cycles } from '../../base/ids.ts';
import type { FaultToleranceRow } from '../../stats/result.ts';
import type { PairState } from './generations.ts';
import type { OutputCommit } from './output-commit.ts';

/** What of a pair stands in every row. */
interface Watched {
  readonly state: PairState;
  readonly generation: number;
  readonly cpuLimit: number;
  readonly primary: {
    readonly recording: boolean;
    readonly bytesSent: number;
    readonly bufferedBytes: number;
    readonly outputs: OutputCommit;
  } | null;
  readonly secondary: { readonly bufferedBytes: number } | null;
  lagAt(now: Cycles): Cycles;
}

/** What only the row of a checkpoint has. */
export type CheckpointCells = Pick<
  FaultToleranceRow,
  'checkpointBytes' | 'dirtyPages' | 'epochCycles' | 'pauseCycles'
>;

/** Looks at a pair now and then, at each change of its state, and at each checkpoint. */
export class PairRows {
  readonly rows: FaultToleranceRow[] = [];
  readonly #name: string;
  readonly #pair: Watched;
  #at: Cycles = 0;
  #bytes = 0;
  #generation = 0;

  constructor(name: string, pair: Watched) {
    this.#name = name;
    this.#pair = pair;
  }

  /** A row of what happened since the last one. */
  look(now: Cycles, checkpoint?: CheckpointCells): void {
    const { cpuLimit, primary, secondary, state } = this.#pair;
    const bytes = primary?.bytesSent ?? 0;
    // Each generation has a log of its own.
    if (this.#pair.generation !== this.#generation) this.#bytes = 0;
    this.#generation = this.#pair.generation;
    this.rows.push({
      pair: this.#name,
      cycle: now,
      state,
      cycles: now - this.#at,
      lagCycles: this.#pair.lagAt(now),
      logBytes: bytes - this.#bytes,
      heldOutputs: primary?.outputs.held ?? 0,
      releasedOutputs: primary?.outputs.released ?? 0,
      heldCycles: primary?.outputs.heldCycles ?? 0,
      primaryBufferBytes: primary?.recording ? primary.bufferedBytes : 0,
      secondaryBufferBytes: secondary?.bufferedBytes ?? 0,
      limit: cpuLimit,
      ...checkpoint,
    });
    this.#at = now;
    this.#bytes = bytes;
  }
}

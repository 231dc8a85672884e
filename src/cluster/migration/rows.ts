import type { Cycles } from '../../base/ids.ts';

/** How a migration ended, or that it has not. */
export type Outcome = 'moved' | 'failed' | 'aborted' | 'lost' | 'unfinished';

/** What one round did; the last one with the VM stopped. Times are those of the engine. */
export interface RoundRecord {
  readonly round: number;
  /** The VM stood still. */
  readonly stopped: boolean;
  readonly at: Cycles;
  readonly cycles: Cycles;
  /** Pages sent, and of these those that were named only. */
  readonly pages: number;
  readonly emptyPages: number;
  /** Passed over: dirty again. */
  readonly skipped: number;
  readonly bytes: number;
  /** Stored to since the round before read the log; undefined: it was not read again. */
  readonly dirtied: number | undefined;
  /** Share of the time in which the guest was held. */
  readonly stun: number;
}

/** A migration, as far as it has come. */
export interface MigrationRecord {
  readonly vm: string;
  readonly from: string;
  readonly to: string;
  readonly policy: string;
  readonly start: Cycles;
  end: Cycles;
  /** From its last instruction at the source to the first that it may execute at the target. */
  downtime: Cycles;
  /** Of all messages: rounds, state, pages on demand. */
  bytes: number;
  outcome: Outcome;
  /** Why it ended so. */
  why: string;
  readonly rounds: RoundRecord[];
  /** Pages that came because a fault asked for them, and how long those waited. */
  faults: number;
  waited: Cycles;
}

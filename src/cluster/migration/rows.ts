import type { Cycles } from '../../base/ids.ts';
import type { MigrationRow } from '../../stats/result.ts';

/** How a migration ended, or that it has not. */
export type Outcome = 'moved' | 'cloned' | 'failed' | 'aborted' | 'lost' | 'unfinished';

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

/** Rows of a migration at `now`: one for each round that is over, and one for the whole. */
export function rowsOf(record: MigrationRecord, now: Cycles): MigrationRow[] {
  const { downtime, faults, from, outcome, policy, rounds, start, to, vm, waited } = record;
  const end = outcome === 'unfinished' ? now : record.end;
  const sum = (pick: (round: RoundRecord) => number) =>
    rounds.reduce((total, round) => total + pick(round), 0);
  const dirtied = rounds.filter((round) => round.dirtied !== undefined);
  const common = { vm, from, to, policy };
  return [
    ...rounds.map(
      (round): MigrationRow => ({
        ...{ ...common, round: round.round, cycle: round.at, cycles: round.cycles },
        ...{ downtimeCycles: round.stopped ? downtime : 0, pages: round.pages },
        ...{ emptyPages: round.emptyPages, skippedPages: round.skipped },
        ...{ dirtiedPages: round.dirtied, bytes: round.bytes, stunned: round.stun },
        ...{ remoteFaults: 0, remoteWaitCycles: 0, outcome: undefined, why: undefined },
      }),
    ),
    {
      ...{ ...common, round: undefined, cycle: start, cycles: end - start },
      ...{ downtimeCycles: downtime, pages: sum(({ pages }) => pages) },
      ...{ emptyPages: sum(({ emptyPages }) => emptyPages), skippedPages: sum((r) => r.skipped) },
      dirtiedPages: dirtied.length > 0 ? sum((round) => round.dirtied ?? 0) : undefined,
      ...{ bytes: record.bytes, stunned: Math.max(0, ...rounds.map(({ stun }) => stun)) },
      ...{ remoteFaults: faults, remoteWaitCycles: waited, outcome, why: record.why },
    },
  ];
}

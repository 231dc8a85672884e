import type { MigrationRow } from '../stats/result.ts';

/** Live migrations of a run, each with its rounds: for the summary of a run and for its report. */
export interface Move {
  /** The row of the whole. */
  readonly whole: MigrationRow;
  readonly rounds: readonly MigrationRow[];
}

/** In the order of their rows, where rounds stand before the row of the whole. */
export function movesOf(rows: readonly MigrationRow[]): Move[] {
  const moves: Move[] = [];
  let rounds: MigrationRow[] = [];
  for (const row of rows) {
    if (row.round !== undefined) rounds.push(row);
    else {
      moves.push({ whole: row, rounds });
      rounds = [];
    }
  }
  return moves;
}

/** What became of it: the outcome in words. */
export function outcomeWords({ outcome, from, to }: MigrationRow): string {
  switch (outcome) {
    case 'moved':
      return `moved to ${to}`;
    case 'cloned':
      return `a second copy is on ${to}`;
    case 'failed':
      return `given up, it stays on ${from}`;
    case 'aborted':
      return `broken off, it stays on ${from}`;
    case 'lost':
      return 'lost with its host';
    default:
      return 'under way at the end';
  }
}

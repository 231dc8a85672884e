import type { FaultToleranceRow, MigrationRow } from '../stats/result.ts';
import { type Row, table } from './tables.ts';

/** Reads the tables of protected pairs and of live migrations back; other columns stay unread. */

function number(row: Row, column: string, otherwise = 0): number {
  const value = Number(row[column] || otherwise);
  return Number.isFinite(value) ? value : otherwise;
}

/** Rows of ft.csv. Throws ConfigError. */
export function pairRows(directory: string): FaultToleranceRow[] {
  const columns = ['pair', 'cycle', 'state', 'duration_cycles', 'lag_cycles', 'log_bytes'];
  return table(directory, 'ft.csv', columns).map((row) => ({
    pair: row['pair']!,
    cycle: number(row, 'cycle'),
    state: row['state']!,
    cycles: number(row, 'duration_cycles'),
    lagCycles: number(row, 'lag_cycles'),
    logBytes: number(row, 'log_bytes'),
    heldOutputs: number(row, 'held_outputs'),
    releasedOutputs: number(row, 'released_outputs'),
    heldCycles: number(row, 'held_cycles'),
    primaryBufferBytes: number(row, 'primary_buffer_bytes'),
    secondaryBufferBytes: number(row, 'secondary_buffer_bytes'),
    limit: number(row, 'cpu_limit', 1),
    // Rows of checkpoints have more.
    ...(row['epoch_cycles'] && {
      epochCycles: number(row, 'epoch_cycles'),
      dirtyPages: number(row, 'dirty_pages'),
      checkpointBytes: number(row, 'checkpoint_bytes'),
      pauseCycles: number(row, 'pause_cycles'),
    }),
  }));
}

/** Rows of migration.csv. Throws ConfigError. */
export function moveRows(directory: string): MigrationRow[] {
  const columns = ['vm', 'from', 'to', 'policy', 'round', 'cycle', 'duration_cycles', 'outcome'];
  return table(directory, 'migration.csv', columns).map((row) => ({
    vm: row['vm']!,
    from: row['from']!,
    to: row['to']!,
    policy: row['policy']!,
    round: row['round'] === 'total' ? undefined : number(row, 'round'),
    cycle: number(row, 'cycle'),
    cycles: number(row, 'duration_cycles'),
    downtimeCycles: number(row, 'downtime_cycles'),
    pages: number(row, 'pages'),
    emptyPages: number(row, 'empty_pages'),
    skippedPages: number(row, 'skipped_pages'),
    dirtiedPages: row['dirtied_pages'] ? number(row, 'dirtied_pages') : undefined,
    bytes: number(row, 'bytes'),
    stunned: number(row, 'stunned'),
    remoteFaults: number(row, 'remote_faults'),
    remoteWaitCycles: number(row, 'remote_wait_cycles'),
    outcome: row['outcome'] || undefined,
    why: row['why'] || undefined,
  }));
}

import { createHash } from 'node:crypto';
import type { SamplingOutcome } from '../stats/result.ts';
import { packageVersion } from './package-files.ts';

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export interface RunRecord {
  readonly name: string;
  readonly seed: string;
  /** The complete scenario, as written to resolved.yaml. */
  readonly resolved: string;
  readonly startedAt: Date;
  readonly wallSeconds: number;
  /** Arguments of the command that repeats the run. */
  readonly command: readonly string[];
  /** What the measured window was too short for. */
  readonly notes: readonly string[];
  /** Undefined: everything was simulated in detail. */
  readonly sampling?: SamplingOutcome | undefined;
}

/**
 * Text of manifest.json: what made the results beside it. The only file of a run that is not the
 * same every time.
 */
export function manifestJson(record: RunRecord): string {
  const manifest = {
    tool: 'worldswitch',
    version: packageVersion(),
    scenario: record.name,
    seed: record.seed,
    configSha256: sha256(record.resolved),
    command: record.command,
    notes: record.notes,
    ...(record.sampling ? { sampling: record.sampling } : {}),
    startedAt: record.startedAt.toISOString(),
    wallSeconds: record.wallSeconds,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

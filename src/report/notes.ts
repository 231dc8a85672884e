import type { RunResult } from '../stats/result.ts';

/** What the measured window was too short for, a line each. */
export function noteLines({ findings }: RunResult): string[] {
  return findings.map(({ message }) => message);
}

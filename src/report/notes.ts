import type { RunResult } from '../stats/result.ts';
import { wrapped } from './table.ts';

const WIDTH = 96;

/** What the measured window was too short for, a note each; further lines of a note are set in. */
export function noteLines({ findings }: Pick<RunResult, 'findings'>): string[] {
  return findings.flatMap(({ message }) =>
    wrapped(message, WIDTH).map((line, i) => (i === 0 ? line : `  ${line}`)),
  );
}

import type { RunResult } from '../stats/result.ts';

const WIDTH = 96;

/**
 * What the measured window was too short for: a note each, wrapped; further lines of one are set
 * in.
 */
export function noteLines({ findings }: RunResult): string[] {
  return findings.flatMap(({ message }) => {
    const lines = [''];
    for (const word of message.split(' ')) {
      const line = lines.at(-1)!;
      if (line.length + word.length >= WIDTH) lines.push(`  ${word}`);
      else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
    }
    return lines;
  });
}

import { textStart } from '../../base/content.ts';
import { champsim, champsimCloudsuite } from './champsim.ts';
import { judgeLayout } from './champsim-layout.ts';
import { csv } from './csv.ts';
import { drcachesim } from './drcachesim.ts';
import type { TraceFormat } from './format.ts';
import { lackey } from './lackey.ts';

/** The formats `trace import` reads, in the order in which a guess tries them. */
export const traceFormats: readonly TraceFormat[] = [
  lackey,
  csv,
  drcachesim,
  champsim,
  champsimCloudsuite,
];

/** Bytes at the beginning of a text that a guess looks at first, and of any file at most. */
export const GUESS_BYTES = 4096;
export const GUESS_MOST = 2 ** 20;

/** Whether bytes are those of a binary file. */
export const isBinary = (head: Uint8Array): boolean => head.includes(0);

/**
 * The format of a file that begins with these (uncompressed) bytes; undefined when it is none of
 * them. `whole`: nothing follows. Lines of text are examined until one decides; of records, all
 * are.
 */
export function guessFormat(head: Uint8Array, whole = true): TraceFormat | undefined {
  if (isBinary(head)) {
    const { name } = judgeLayout(head, whole);
    return traceFormats.find((format) => format.name === name);
  }
  const lines = linesOf(head);
  for (const sort of ['sure', 'possible'] as const) {
    for (const line of lines) {
      const found = traceFormats.find(({ lines: known }) => known?.[sort]?.test(line));
      if (found) return found;
    }
  }
  return undefined;
}

/** The lines that count: neither empty nor a comment. */
function linesOf(head: Uint8Array): string[] {
  const text = new TextDecoder('latin1').decode(head.subarray(textStart(head)));
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, '').slice(0, 400))
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

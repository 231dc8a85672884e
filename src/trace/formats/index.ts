import { champsim } from './champsim.ts';
import { csv } from './csv.ts';
import { drcachesim } from './drcachesim.ts';
import type { TraceFormat } from './format.ts';
import { lackey } from './lackey.ts';

/** The formats `trace import` reads, in the order in which a guess tries them. */
export const traceFormats: readonly TraceFormat[] = [lackey, csv, drcachesim, champsim];

/** Bytes at the beginning of a file that a guess looks at. */
export const GUESS_BYTES = 4096;

/** The format of a file that begins with these (uncompressed) bytes; undefined when it is none of them. */
export function guessFormat(head: Uint8Array): TraceFormat | undefined {
  const text = String.fromCharCode(...head.subarray(0, GUESS_BYTES));
  const isText = !text.includes('\0');
  return traceFormats.find((format) => (format === champsim) !== isText && format.matches(text));
}

import { Kind } from '../page-trace-writer.ts';
import { AccessLines, decimalAt, type ReadLine } from './access-lines.ts';
import type { TraceFormat } from './format.ts';

/**
 * HOT. The text that DynamoRIO's drmemtrace prints with `-tool view` (dynamorio.org, "Tools"): per record its
 * number, the instruction count, a colon, the thread, then for example
 * `ifetch       3 byte(s) @ 0x00007f3c6e1d72d0 48 89 e7 mov %rsp, %rdi` or
 * `write        8 byte(s) @ 0x00007ffe8d5d7e58 by PC 0x…`, or `<marker: …>`. Older versions print
 * `12: T345 ifetch …`. The threads of a program share one address space, so they are one stream.
 */
export const drcachesim: TraceFormat = {
  name: 'drcachesim',
  summary: 'text of DynamoRIO drmemtrace (drcachesim) -tool view',
  matches: (head) =>
    /^(?:.*\n)*?(Output format:|<--?record#|\s*\d+(\s+\d+)?: +\S+ +\S+)/.test(head),
  create: (name, recorder) => new AccessLines(name, 'text of the view tool', recorder, reader()),
};

const BLANK = 32;
const COLON = 58;
const AT = 64;
const LESS = 60;
const [DIGIT_0, DIGIT_9] = [48, 57];
const text = (bytes: Uint8Array, start: number, end: number) =>
  String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 200)));
const HEADING = /^(Output format:|<-*record#|-{8})/;
const NOT_A_RECORD = 'not a record of the view tool';

function reader(): ReadLine {
  // After the last record come statistics.
  let over = false;
  return (lines, bytes, start, end) => {
    if (over) return;
    let at = blanks(bytes, start, end);
    if (at === end) return;
    if (!isDigit(bytes[at]!)) {
      const line = text(bytes, start, end);
      if (line.startsWith('View tool results')) over = true;
      // Before the first record the program itself may have printed something.
      else if (!HEADING.test(line) && lines.recorder.position > 0) {
        lines.refuse(NOT_A_RECORD, bytes, start, end);
      }
      return;
    }
    while (at < end && bytes[at] !== COLON) {
      if (!isDigit(bytes[at]!) && bytes[at] !== BLANK)
        lines.refuse(NOT_A_RECORD, bytes, start, end);
      at++;
    }
    if (at === end) lines.refuse(NOT_A_RECORD, bytes, start, end);
    at = blanks(bytes, word(bytes, blanks(bytes, at + 1, end), end), end);
    // A fetch, a read or a write: told apart by two letters.
    const first = bytes[at]!;
    let kind: Kind;
    if (first === 0x69 && bytes[at + 1] === 0x66) kind = Kind.Fetch;
    else if (first === 0x72 && bytes[at + 1] === 0x65) kind = Kind.Load;
    else if (first === 0x77 && bytes[at + 1] === 0x72) kind = Kind.Store;
    else return other(lines, bytes, at, end);
    at = blanks(bytes, word(bytes, at, end), end);
    const size = decimalAt(bytes, at, end);
    while (at < end && bytes[at] !== AT) at++;
    const address = at + 4;
    const next = size < 0 || address >= end ? address : lines.hexAddress(bytes, address, end);
    if (next === address || bytes[at + 3] !== 0x78) lines.refuse(NOT_A_RECORD, bytes, start, end);
    lines.access(kind, size, bytes, start, end);
  };
}

/** Markers; prefetches, cache flushes and instructions that were not fetched touch nothing. */
function other(lines: AccessLines, bytes: Uint8Array, start: number, end: number): void {
  if (bytes[start] !== LESS) return;
  const call = /^<marker: system call (\d+)>/.exec(text(bytes, start, end));
  if (call) lines.recorder.event(`sys syscall-${call[1]}`);
}

const isDigit = (byte: number) => byte >= DIGIT_0 && byte <= DIGIT_9;

function blanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === BLANK) at++;
  return at;
}

function word(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== BLANK) at++;
  return at;
}

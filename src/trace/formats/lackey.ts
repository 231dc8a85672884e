import { Kind } from '../page-trace-writer.ts';
import { AccessLines, decimalAt, type ReadLine } from './access-lines.ts';
import type { TraceFormat } from './format.ts';
import { LackeySyscalls } from './lackey-syscalls.ts';

/**
 * HOT. The output of `valgrind --tool=lackey --trace-mem=yes` (Valgrind manual, chapter Lackey): `I  addr,size`,
 * ` L addr,size`, ` S …`, ` M …`, addresses in hexadecimal; Valgrind's own messages between them; system
 * calls when `--trace-syscalls=yes` was given too.
 */
export const lackey: TraceFormat = {
  name: 'lackey',
  summary: 'valgrind --tool=lackey --trace-mem=yes, with --trace-syscalls=yes for the events',
  matches: (head) =>
    /^(==\d+==|--\d+--|I {2}[0-9a-f]+,\d| [LSM] [0-9a-f]+,\d|SYSCALL\[)/.test(head),
  create: (name, recorder) => new AccessLines(name, 'lackey output', recorder, reader()),
};

const BLANK = 32;
const COMMA = 44;
const LETTER = { I: 73, L: 76, S: 83, M: 77 };
/** `==`, `--` and `**` in front of a process number. */
const MESSAGE = new Set(['=', '-', '*'].map((letter) => letter.charCodeAt(0)));
const NOT_LACKEY =
  'not a line of lackey output; give valgrind --log-file to keep the program apart';

function reader(): ReadLine {
  const syscalls = new LackeySyscalls();
  return (lines, bytes, start, end) => {
    const first = bytes[start]!;
    const second = bytes[start + 1]!;
    let kind: Kind;
    if (first === LETTER.I && second === BLANK) kind = Kind.Fetch;
    else if (first !== BLANK) return message(syscalls, lines, bytes, start, end);
    else if (second === LETTER.L) kind = Kind.Load;
    else if (second === LETTER.S) kind = Kind.Store;
    else if (second === LETTER.M) kind = Kind.Modify;
    else return message(syscalls, lines, bytes, start, end);
    const comma = lines.hexAddress(bytes, start + 3, end);
    const size = decimalAt(bytes, comma + 1, end);
    if (comma <= start + 3 || bytes[comma] !== COMMA || size < 0) {
      lines.refuse(NOT_LACKEY, bytes, start, end);
    }
    lines.access(kind, size, bytes, start, end);
  };
}

function message(
  syscalls: LackeySyscalls,
  lines: AccessLines,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if (end === start) return;
  const first = bytes[start]!;
  if (MESSAGE.has(first) && bytes[start + 1] === first) return;
  const text = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 8192)));
  // The rest of a system call that Valgrind commented on.
  if (text.startsWith(' -->')) return;
  if (!text.startsWith('SYSCALL[')) lines.refuse(NOT_LACKEY, bytes, start, end);
  const event = syscalls.parse(text);
  if (event) lines.recorder.event(event.text, event.page, event.gone);
}

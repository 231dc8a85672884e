import { Kind } from '../page-trace-writer.ts';
import {
  AccessLines,
  decimalAt,
  lineText,
  type ReadLine,
  skipBlanks,
  skipDigits,
} from './access-lines.ts';
import { anyOf, type TraceFormat } from './format.ts';
import { LackeySyscalls } from './lackey-syscalls.ts';

/**
 * HOT. The output of `valgrind --tool=lackey --trace-mem=yes` (Valgrind manual, chapter Lackey): `I
 * addr,size`, ` L addr,size`, ` S …`, ` M …`, addresses in hexadecimal, with any number of blanks
 * before and after the letter, since people reformat these lines; `#` begins a comment of theirs.
 * Between them stand Valgrind's own messages, with or without time stamps, `SB addr` of
 * `--trace-superblocks=yes`, and system calls when `--trace-syscalls=yes` was given too.
 */
export const lackey: TraceFormat = {
  name: 'lackey',
  summary: 'valgrind --tool=lackey --trace-mem=yes, with --trace-syscalls=yes for the events',
  lines: {
    sure: anyOf(
      /^(?:==|--|\*\*)(?:[\d:.]+ +)?\d+(?:==|--|\*\*)/,
      /^SYSCALL\[\d+,\d+\]/,
      /^SB [0-9a-fA-F]+\s*$/,
      /^\s*[ILSM]\s+[0-9a-fA-F]+,\d+\s*$/,
    ),
  },
  create: (name, recorder) => new AccessLines(name, 'lackey output', recorder, reader()),
};

const COMMA = 44;
const HASH = 35;
const KINDS = new Int8Array(256).fill(-1);
for (const [letter, kind] of Object.entries({
  I: Kind.Fetch,
  L: Kind.Load,
  S: Kind.Store,
  M: Kind.Modify,
})) {
  KINDS[letter.charCodeAt(0)] = kind;
}
/**
 * What Valgrind says itself: `==pid== …`, `--pid-- …`, `**pid** …`, with `--time-stamp=yes`
 * `==00:00:00:01.234 pid== …`, with `-d` `--pid:level:module …`.
 */
const MESSAGE = /^(==|--|\*\*)(?:\d+:\d\d:\d\d:\d\d\.\d+ +)?(\d+)(?:\1|:\d+:)/;
const SUPERBLOCK = /^SB [0-9a-fA-F]+\s*$/;
const CALL = /^SYSCALL\[(\d+),\d+\]/;
/** The rest of a system call whose line Valgrind interrupted with a message. */
const CALL_ENDS = /^ *(?:\[[a-z-]+\] *)?--> (?:\[[a-z-]+\]|Success\(|Failure\()/;
/** The line break after a message is missing: the access that follows must not be lost with it. */
const GLUED = /[ILSM]\s+[0-9a-fA-F]+,\d+\s*$/;
const NOT_LACKEY =
  'not a line of lackey output; give valgrind --log-file to keep the program apart';

function reader(): ReadLine {
  const messages = new Messages();
  return (lines, bytes, start, end) => {
    const letter = skipBlanks(bytes, start, end);
    if (letter === end || bytes[letter] === HASH) return;
    const kind = KINDS[bytes[letter]!]!;
    const at = skipBlanks(bytes, letter + 1, end);
    if (kind < 0 || at === letter + 1) {
      messages.read(lines, bytes, start, end);
      return;
    }
    const comma = lines.hexAddress(bytes, at, end);
    const size = decimalAt(bytes, comma + 1, end);
    const close = skipBlanks(bytes, skipDigits(bytes, comma + 1, end), end);
    if (comma === at || bytes[comma] !== COMMA || size < 1 || close !== end) {
      lines.refuse(NOT_LACKEY, bytes, start, end);
    }
    lines.access(kind as Kind, size, bytes, start, end);
  };
}

/** Everything that is not an access. */
class Messages {
  readonly #syscalls = new LackeySyscalls();
  #process = '';

  read(lines: AccessLines, bytes: Uint8Array, start: number, end: number): void {
    const text = lineText(bytes, start, end, 8192);
    const message = MESSAGE.exec(text);
    if (message) {
      this.#of(message[2]!, lines);
      return;
    }
    if (SUPERBLOCK.test(text)) return;
    if (GLUED.test(text)) lines.refuse('an access behind a system call', bytes, start, end);
    if (CALL_ENDS.test(text)) return;
    const call = CALL.exec(text);
    if (!call) lines.refuse(NOT_LACKEY, bytes, start, end);
    this.#of(call[1]!, lines);
    const event = this.#syscalls.parse(text);
    if (event === undefined)
      lines.refuse('not a system call as Valgrind prints them', bytes, start, end);
    if (event) lines.recorder.event(event.text, event.page, event.gone);
  }

  /** Lines of accesses do not say whose they are, so one file can hold one process only. */
  #of(process: string, lines: AccessLines): void {
    if (this.#process === '') this.#process = process;
    if (process === this.#process) return;
    lines.fail(
      `process ${process} writes into the file of process ${this.#process}, and lines of ` +
        'accesses ' +
        'do not say whose they are; give valgrind --log-file=%p.log, which makes a file for each',
    );
  }
}

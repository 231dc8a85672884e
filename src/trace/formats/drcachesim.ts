import { Kind } from '../page-trace-writer.ts';
import { Programs } from '../programs.ts';
import type { TraceRecorder } from '../recorder.ts';
import {
  AccessLines,
  decimalAt,
  isWord,
  lineText,
  skipBlanks,
  skipDigits,
  skipWord,
} from './access-lines.ts';
import { anyOf, type ImportChoice, type TraceFormat } from './format.ts';

/**
 * HOT. The text that DynamoRIO's drmemtrace prints with `-tool view` (dynamorio.org, "Tools"). A
 * record is its number, the instruction count, a colon, the thread, then
 *
 * - `ifetch       3 byte(s) @ 0x00007f3c6e1d72d0 48 89 e7 mov %rsp, %rdi`,
 * - `write        8 byte(s) @ 0x00007ffe8d5d7e58 by PC 0x…`, `read …`, prefetches and flushes,
 * - `<marker: …>`, `<thread … exited>`, `<entry type …>`.
 *
 * Releases differ. Up to 8.0 there are no numbers, up to 9.0 no instruction count; up to 9.0 an
 * instruction is `0x00007fe61d582a4a  b8 38 00 00 00  mov …`, so its size is that of its bytes.
 * Long instructions go on with their bytes on a second line. The thread is `T345`, `345`, or with
 * several programs in a trace `W0.T345`. The threads of a program share one address space, so they
 * are one stream; programs do not, so one has to be chosen. `#` begins a comment of whoever kept
 * the text.
 */
export const drcachesim: TraceFormat = {
  name: 'drcachesim',
  summary: 'text of DynamoRIO drmemtrace (drcachesim) -tool view',
  lines: {
    sure: anyOf(
      /^Output format:/,
      /^<--?record#/,
      /^\s*\d+(?:\s+\d+)?:\s*(?:W\d+\.)?T?\d+\s+(?:<|0x|[\w-]+\s+\d+ byte)/,
      /^\s*(?:W\d+\.)?T\d+\s+(?:<|0x|[\w-]+\s+\d+ byte)/,
    ),
  },
  create: (name, recorder, choice) => createReader(name, recorder, choice),
};

const HASH = 35;
const COLON = 58;
const POINT = 46;
const LESS = 60;
const ZERO = 48;
const NINE = 57;
const LETTER_T = 84;
const LETTER_W = 87;
const SMALL_X = 120;
const MARKER = /^<(?:marker: [^<>]*|thread \d+ exited|entry type \d+)>\s*$/;
const CALL = /^<marker: system call (\d+)>/;
/** Records of what touches no page: hints, flushes, and instructions that were not fetched. */
const UNTOUCHED = new RegExp(
  [
    /^(?:pref(?:-(?:NTA|HW|[rwi](?:-L[123])?(?:-NT)?))?|[id]flush|non-fetched instr(?:uction)?)/,
    / +\d+ byte\(s\) @ 0x[0-9a-fA-F]+/,
  ]
    .map(({ source }) => source)
    .join(''),
);
const DIVIDER = /^-{8,}\s*$/;
const HEADING = /^(?:Output format:|<-+record#-+>.*<record details>)\s*$/;
/** What the traced program and the launcher print. */
const LAUNCHER = /^---- <application exited with code -?\d+> ----\s*$/;
const STATISTICS = /^\s*(?:\d+ : .*)?$/;
const NEXT_TOOL = /^={8,}\s*$/;
/**
 * Bytes of an instruction: pairs of digits, or one word on processors with instructions of one
 * length.
 */
const ENCODING = /^(?:[0-9a-f]{2}(?: [0-9a-f]{2})*|[0-9a-f]{4}(?:[0-9a-f]{4})?)(?=\s|$)/;
const NOT_A_RECORD = 'not a record of the view tool';
const NOT_FETCHED = /^ *non-fetched instruction\s*$/;

/** What a line turns out to be: not a record, or a record whose details begin at a place. */
const NO_RECORD = -1;

function createReader(name: string, recorder: TraceRecorder, choice: ImportChoice = {}) {
  const programs = new Programs(name, choice.program);
  const view = new View(programs);
  return new AccessLines(
    name,
    'text of the view tool',
    recorder,
    (lines, bytes, start, end) => view.read(lines, bytes, start, end),
    { programs, closing: (lines) => view.close(lines) },
  );
}

class View {
  readonly #programs: Programs;
  /** The program of the last record that names one, and whether its records are kept. */
  #program = -1;
  #kept = true;
  /**
   * The view tool has printed its results, after the last record; other tools print theirs after a
   * double line.
   */
  #over = false;
  #otherTool = false;
  /** The first line that is not the view tool's, and how many there are so far. */
  #stranger = '';
  #strangerLine = 0;
  #strangers = 0;
  /** There was a record, or the heading before the first one. */
  #begun = false;
  #records = 0;
  /**
   * The instruction before, if there was one; while its bytes may go on: its address and size so
   * far.
   */
  #instruction: 'none' | 'sized' | 'growing' = 'none';
  #page = 0;
  #offset = 0;
  #size = 0;

  constructor(programs: Programs) {
    this.#programs = programs;
  }

  read(lines: AccessLines, bytes: Uint8Array, start: number, end: number): void {
    const first = skipBlanks(bytes, start, end);
    if (first === end || bytes[first] === HASH) return;
    if (this.#over) {
      this.#afterwards(lines, bytes, start, end);
      return;
    }
    const at = this.#prefix(lines, bytes, first, end);
    if (at === NO_RECORD) this.#remark(lines, bytes, start, end);
    else this.#record(lines, bytes, at, start, end);
  }

  /** The input has ended. */
  close(lines: AccessLines): void {
    this.#fetch(lines);
    this.#settle(lines);
  }

  /**
   * Passes over number, instruction count and thread; returns where the details of the record
   * begin.
   */
  #prefix(lines: AccessLines, bytes: Uint8Array, first: number, end: number): number {
    let at = first;
    const numbered = isDigit(bytes[at]!);
    if (numbered) {
      at = skipBlanks(bytes, skipDigits(bytes, at, end), end);
      at = skipBlanks(bytes, skipDigits(bytes, at, end), end);
      if (at >= end || bytes[at] !== COLON) return NO_RECORD;
      at = skipBlanks(bytes, at + 1, end);
    }
    let program = -1;
    if (bytes[at] === LETTER_W) {
      program = decimalAt(bytes, at + 1, end);
      at = skipDigits(bytes, at + 1, end);
      if (program < 0 || bytes[at] !== POINT || bytes[at + 1] !== LETTER_T) return NO_RECORD;
      at += 2;
    } else if (bytes[at] === LETTER_T) {
      at++;
    } else if (!numbered) {
      return NO_RECORD;
    }
    const close = skipDigits(bytes, at, end);
    const details = skipBlanks(bytes, close, end);
    if (close === at || details === close || details === end) return NO_RECORD;
    if (program >= 0 && program !== this.#program) {
      this.#fetch(lines);
      this.#program = program;
      this.#kept = this.#programs.enter(`W${program}`, lines.line);
    }
    return details;
  }

  #record(lines: AccessLines, bytes: Uint8Array, at: number, start: number, end: number): void {
    this.#settle(lines);
    this.#begun = true;
    this.#records++;
    const word = skipWord(bytes, at, end);
    if (isWord(bytes, at, word, 'ifetch')) this.#sized(lines, Kind.Fetch, bytes, word, start, end);
    else if (isWord(bytes, at, word, 'read'))
      this.#sized(lines, Kind.Load, bytes, word, start, end);
    else if (isWord(bytes, at, word, 'write'))
      this.#sized(lines, Kind.Store, bytes, word, start, end);
    else if (bytes[at] === ZERO && bytes[at + 1] === SMALL_X) {
      this.#disassembled(lines, bytes, at, start, end);
    } else this.#other(lines, bytes, at, start, end);
  }

  /** `8 byte(s) @ 0x00007ffe8d5d7e58 …` */
  #sized(
    lines: AccessLines,
    kind: Kind,
    bytes: Uint8Array,
    word: number,
    start: number,
    end: number,
  ): void {
    this.#fetch(lines);
    let at = skipBlanks(bytes, word, end);
    const size = decimalAt(bytes, at, end);
    at = skipBlanks(bytes, skipDigits(bytes, at, end), end);
    const unit = skipWord(bytes, at, end);
    const sign = skipBlanks(bytes, unit, end);
    const address = skipBlanks(bytes, sign + 1, end) + 2;
    const whole =
      size >= 0 &&
      isWord(bytes, at, unit, 'byte(s)') &&
      isWord(bytes, sign, Math.min(end, sign + 1), '@') &&
      address < end &&
      bytes[address - 2] === ZERO &&
      bytes[address - 1] === SMALL_X;
    const next = whole ? lines.hexAddress(bytes, address, end) : address;
    if (next === address || (next < end && skipBlanks(bytes, next, end) === next)) {
      lines.refuse(NOT_A_RECORD, bytes, start, end);
    }
    if (kind === Kind.Fetch) {
      // Iterations of a string instruction after the first are not fetches.
      if (bytes[next + 1] === 110 && NOT_FETCHED.test(lineText(bytes, next, end))) return;
    } else if (next < end && !/^ +(by PC 0x[0-9a-fA-F]+ *)?$/.test(lineText(bytes, next, end))) {
      lines.refuse(NOT_A_RECORD, bytes, start, end);
    }
    this.#programs.count();
    this.#instruction = kind === Kind.Fetch ? 'sized' : 'none';
    if (this.#kept) lines.access(kind, size, bytes, start, end);
  }

  /** `0x00007fe61d582a4a  b8 38 00 00 00       mov …` */
  #disassembled(
    lines: AccessLines,
    bytes: Uint8Array,
    at: number,
    start: number,
    end: number,
  ): void {
    this.#fetch(lines);
    const next = lines.hexAddress(bytes, at + 2, end);
    const code = skipBlanks(bytes, next, end);
    const found = ENCODING.exec(lineText(bytes, code, end, 100));
    if (next === at + 2 || code === next || !found) lines.refuse(NOT_A_RECORD, bytes, start, end);
    this.#instruction = 'growing';
    this.#page = lines.page;
    this.#offset = lines.offset;
    this.#size = encoded(found[0]);
  }

  /** Records the instruction whose last bytes may have stood on a line of their own. */
  #fetch(lines: AccessLines): void {
    if (this.#instruction === 'growing') {
      this.#programs.count();
      if (this.#kept) lines.fetchOf(this.#page, this.#offset, this.#size);
    }
    this.#instruction = 'none';
  }

  /** Markers, records that touch nothing, and the last bytes of a long instruction. */
  #other(lines: AccessLines, bytes: Uint8Array, at: number, start: number, end: number): void {
    const text = lineText(bytes, at, end);
    if (this.#rest(text)) return;
    this.#fetch(lines);
    if (bytes[at] === LESS && MARKER.test(text)) {
      const call = CALL.exec(text);
      if (call && this.#kept) lines.recorder.event(`sys syscall-${call[1]}`);
      return;
    }
    if (!UNTOUCHED.test(text)) lines.refuse(NOT_A_RECORD, bytes, start, end);
  }

  /** Whether these are the last bytes of the previous instruction. */
  #rest(text: string): boolean {
    const found = ENCODING.exec(text);
    if (!found || this.#instruction === 'none' || found[0].length !== text.trimEnd().length) {
      return false;
    }
    if (this.#instruction === 'growing') this.#size += encoded(found[0]);
    return true;
  }

  /** A line that is not a record. */
  #remark(lines: AccessLines, bytes: Uint8Array, start: number, end: number): void {
    const text = lineText(bytes, start, end);
    if (this.#rest(text.trimStart())) return;
    this.#fetch(lines);
    if (HEADING.test(text)) {
      if (this.#records > 0) {
        lines.refuse('a second output of the view tool begins here', bytes, start, end);
      }
      if (this.#strangers > 0) {
        const what = this.#strangers === 1 ? 'line' : 'lines';
        lines.notes.push(`${this.#strangers} ${what} before the heading of the view tool left out`);
      }
      this.#strangers = 0;
      this.#begun = true;
    } else if (text.startsWith('View tool results')) {
      this.#over = true;
    } else if (MARKER.test(text) || DIVIDER.test(text) || LAUNCHER.test(text)) {
      return;
    } else if (this.#begun) {
      lines.refuse(NOT_A_RECORD, bytes, start, end);
    } else {
      // The program may have printed something before the first record; the heading follows then.
      if (this.#strangers === 0) {
        this.#stranger = lines.shown(bytes, start, end);
        this.#strangerLine = lines.line;
      }
      this.#strangers++;
    }
  }

  /**
   * Refuses the lines before the first record, unless the heading showed that they were not the
   * view tool's.
   */
  #settle(lines: AccessLines): void {
    if (this.#strangers === 0) return;
    lines.fail(`${NOT_A_RECORD}: ${this.#stranger}`, this.#strangerLine);
  }

  /** A line after the results. */
  #afterwards(lines: AccessLines, bytes: Uint8Array, start: number, end: number): void {
    const text = lineText(bytes, start, end);
    if (drcachesim.lines!.sure.test(text)) {
      lines.refuse('a record after the results of the view tool', bytes, start, end);
    }
    if (NEXT_TOOL.test(text)) this.#otherTool = true;
    if (this.#otherTool || STATISTICS.test(text) || LAUNCHER.test(text)) return;
    lines.refuse(NOT_A_RECORD, bytes, start, end);
  }
}

const isDigit = (byte: number) => byte >= ZERO && byte <= NINE;

/** Bytes that the digits of an encoding stand for. */
const encoded = (text: string) => text.replaceAll(' ', '').length / 2;

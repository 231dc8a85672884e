import { Kind } from '../page-trace-writer.ts';
import { AccessLines, lineText, type ReadLine, skipBlanks } from './access-lines.ts';
import { anyOf, type TraceFormat } from './format.ts';

/**
 * HOT. Lines `address,kind` or `address,kind,size`, with or without a heading. Addresses are
 * hexadecimal with `0x`, else decimal; without a size an access has one byte. Any field may be in
 * quotes, as RFC 4180 has it. `#` begins a comment.
 */
export const csv: TraceFormat = {
  name: 'csv',
  summary: 'address,kind[,size] with kinds I, L, S, M (also R, W, read, write, …)',
  lines: {
    sure: /^\s*"?(?:0[xX][0-9a-fA-F]+|\d+|addr\w*)"?\s*,\s*"?[A-Za-z]+"?\s*(?:,[^,]*)?$|^sep=,$/i,
    possible: anyOf(
      /^\s*"?\w+"?\s*,\s*"?[A-Za-z]+"?\s*(?:,[^,]*)?$/,
      // With another separator, to say what is wrong with it.
      /^\s*"?(?:0[xX][0-9a-fA-F]+|\d+|addr\w*)"?\s*[;\t|]\s*"?[A-Za-z]+/,
    ),
  },
  create: (name, recorder) => new AccessLines(name, 'address,kind', recorder, reader()),
};

const WORDS: Readonly<Record<string, Kind>> = {
  i: Kind.Fetch,
  f: Kind.Fetch,
  x: Kind.Fetch,
  fetch: Kind.Fetch,
  ifetch: Kind.Fetch,
  instruction: Kind.Fetch,
  execute: Kind.Fetch,
  l: Kind.Load,
  r: Kind.Load,
  load: Kind.Load,
  read: Kind.Load,
  s: Kind.Store,
  w: Kind.Store,
  store: Kind.Store,
  write: Kind.Store,
  m: Kind.Modify,
  rw: Kind.Modify,
  modify: Kind.Modify,
};
const HEADING = [/^addr\w*$/i, /^(kind|type|op|access|rw)\w*$/i, /^(size|bytes|len)\w*$/i];
/** What Excel writes on the first line to name the separator. */
const SEPARATOR = /^sep=,$/i;
/** Kinds of one letter, by their code. */
const LETTERS = new Int8Array(256).fill(-1);
for (const [word, kind] of Object.entries(WORDS)) {
  if (word.length > 1) continue;
  LETTERS[word.charCodeAt(0)] = LETTERS[word.toUpperCase().charCodeAt(0)] = kind;
}
const BLANK = 32;
const TAB = 9;
const COMMA = 44;
const HASH = 35;
const ZERO = 48;
const SMALL_X = 120;
const CAPITAL_X = 88;
const QUOTE = 34;
const MOST_FIELDS = 3;
const NOT_COMMAS = 'not address,kind (separate the fields by commas)';
const NOT_A_LINE = 'not address,kind (write hexadecimal addresses with 0x)';

function reader(): ReadLine {
  const fields = new Fields();
  let headed = false;
  return (lines, bytes, start, end) => {
    const begin = skipBlanks(bytes, start, end);
    if (begin === end || bytes[begin] === HASH) return;
    if (!headed && lines.recorder.position === 0) {
      const text = lineText(bytes, start, end);
      if (SEPARATOR.test(text)) return;
      if (isHeading(text)) {
        headed = true;
        return;
      }
    }
    const wrong = fields.split(bytes, begin, end);
    if (wrong !== undefined) lines.refuse(wrong, bytes, start, end);
    const { from, to } = fields;
    if (fields.count < 2) {
      const other = /[;\t|]/.exec(lineText(bytes, start, end));
      lines.refuse(other ? NOT_COMMAS : NOT_A_LINE, bytes, start, end);
    }
    readAddress(lines, bytes, from[0]!, to[0]!, start, end);
    const kind =
      to[1] === from[1]! + 1 ? LETTERS[bytes[from[1]!]!]! : kindOf(bytes, from[1]!, to[1]!);
    if (kind < 0) lines.refuse('unknown kind, allowed are I, L, S, M, R, W', bytes, start, end);
    let size = 1;
    if (fields.count === 3) {
      size = decimal(bytes, from[2]!, to[2]!);
      if (size < 0) lines.refuse('not a size', bytes, start, end);
      if (size === 0) lines.refuse('an access has at least one byte', bytes, start, end);
    }
    lines.access(kind as Kind, size, bytes, start, end);
  };
}

/** Where the fields of a line lie, without quotes and the blanks around them. */
class Fields {
  readonly from = new Int32Array(MOST_FIELDS);
  readonly to = new Int32Array(MOST_FIELDS);
  count = 0;

  /** Returns what is wrong with the line; undefined = nothing. */
  split(bytes: Uint8Array, start: number, end: number): string | undefined {
    this.count = 0;
    for (let at = start; ; at++) {
      if (this.count === MOST_FIELDS) return 'more fields than address,kind,size';
      at = skipBlanks(bytes, at, end);
      let close: number;
      if (at < end && bytes[at] === QUOTE) {
        at++;
        close = at;
        while (close < end && bytes[close] !== QUOTE) close++;
        if (close === end) return 'a quoted field does not end';
        this.#put(bytes, at, close);
        at = skipBlanks(bytes, close + 1, end);
        if (at < end && bytes[at] !== COMMA) return 'text follows a quoted field';
      } else {
        close = at;
        while (close < end && bytes[close] !== COMMA) close++;
        this.#put(bytes, at, close);
        at = close;
      }
      if (at >= end) return undefined;
    }
  }

  #put(bytes: Uint8Array, start: number, end: number): void {
    let to = end;
    while (to > start && (bytes[to - 1] === BLANK || bytes[to - 1] === TAB)) to--;
    this.from[this.count] = Math.min(to, skipBlanks(bytes, start, end));
    this.to[this.count++] = to;
  }
}

function isHeading(text: string): boolean {
  const names = text.split(',').map((name) => /^\s*("?)(.*?)\1\s*$/s.exec(name)![2]!.trim());
  if (names.length < 2 || names.length > MOST_FIELDS) return false;
  return names.every((name, i) => HEADING[i]!.test(name));
}

function readAddress(
  lines: AccessLines,
  bytes: Uint8Array,
  from: number,
  to: number,
  start: number,
  end: number,
): void {
  const second = bytes[from + 1];
  let at = from;
  if (bytes[from] === ZERO && (second === SMALL_X || second === CAPITAL_X)) {
    at = lines.hexAddress(bytes, from + 2, to);
    if (at === from + 2) lines.refuse('not address,kind', bytes, start, end);
  } else {
    at = decimalAddress(lines, bytes, from, to, start, end);
  }
  if (at === from || at !== to) lines.refuse(NOT_A_LINE, bytes, start, end);
}

function decimalAddress(
  lines: AccessLines,
  bytes: Uint8Array,
  from: number,
  to: number,
  start: number,
  end: number,
): number {
  let high = 0;
  let low = 0;
  let at = from;
  for (; at < to; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    const next = low * 10 + digit;
    low = next >>> 0;
    high = high * 10 + (next - low) / 2 ** 32;
    if (high >= 2 ** 32) lines.refuse('the address has more than 64 bits', bytes, start, end);
  }
  if (at > from) lines.setAddress(high | 0, low | 0, bytes, start, end);
  return at;
}

/** The whole field as a number; -1 when it is not one. */
function decimal(bytes: Uint8Array, from: number, to: number): number {
  let value = from < to ? 0 : -1;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function kindOf(bytes: Uint8Array, from: number, to: number): number {
  const word = lineText(bytes, from, to, 20).toLowerCase();
  return Object.hasOwn(WORDS, word) ? WORDS[word]! : -1;
}

import { Kind } from '../page-trace-writer.ts';
import { AccessLines, decimalAt } from './access-lines.ts';
import type { TraceFormat } from './format.ts';

/**
 * HOT. Lines `address,kind` or `address,kind,size`, with or without a heading. Addresses are hexadecimal with
 * `0x`, else decimal; without a size an access has one byte. `#` begins a comment.
 */
export const csv: TraceFormat = {
  name: 'csv',
  summary: 'address,kind[,size] with kinds I, L, S, M (also R, W, read, write, …)',
  matches: (head) => /^(#.*\r?\n)*\s*"?\w+"?\s*,\s*"?[A-Za-z]+"?\s*(,[^,\n]*)?(\r?\n|$)/.test(head),
  create: (name, recorder) => new AccessLines(name, 'address,kind', recorder, read),
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
const HEADING = /^\W*addr\w*\W*,\W*(kind|type|op|access|rw)\w*\W*(,\W*(size|bytes|len)\w*\W*)?$/i;
/** Kinds of one letter, by their code. */
const LETTERS = new Int8Array(256).fill(-1);
for (const [word, kind] of Object.entries(WORDS)) {
  if (word.length > 1) continue;
  LETTERS[word.charCodeAt(0)] = LETTERS[word.toUpperCase().charCodeAt(0)] = kind;
}
const BLANK = 32;
const COMMA = 44;
const HASH = 35;
const ZERO = 48;
const SMALL_X = 120;
const CAPITAL_X = 88;
const LIMIT = 2 ** 48;

function read(lines: AccessLines, bytes: Uint8Array, start: number, end: number): void {
  let at = skipBlanks(bytes, start, end);
  if (at === end || bytes[at] === HASH) return;
  const begin = at;
  const second = bytes[at + 1];
  if (bytes[at] === ZERO && (second === SMALL_X || second === CAPITAL_X)) {
    at = lines.hexAddress(bytes, at + 2, end);
    if (at === begin + 2) lines.refuse('not address,kind', bytes, start, end);
  } else {
    at = decimalAddress(lines, bytes, at, end);
  }
  if (at === begin && lines.recorder.position === 0) {
    const heading = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 200)));
    if (HEADING.test(heading)) return;
  }
  const comma = skipBlanks(bytes, at, end);
  if (at === begin || bytes[comma] !== COMMA || comma >= end) {
    lines.refuse('not address,kind (write hexadecimal addresses with 0x)', bytes, start, end);
  }
  at = skipBlanks(bytes, comma + 1, end);
  let close = at;
  while (close < end && bytes[close] !== COMMA && bytes[close] !== BLANK) close++;
  const kind = close === at + 1 ? LETTERS[bytes[at]!]! : kindOf(bytes, at, close);
  if (kind < 0) {
    lines.refuse('unknown kind, allowed are I, L, S, M, R, W', bytes, start, end);
  }
  const rest = skipBlanks(bytes, close, end);
  let size = 1;
  if (rest < end) {
    size = decimalAt(bytes, skipBlanks(bytes, rest + 1, end), end);
    if (bytes[rest] !== COMMA || size < 0) lines.refuse('not a size', bytes, start, end);
  }
  lines.access(kind as Kind, size, bytes, start, end);
}

function decimalAddress(lines: AccessLines, bytes: Uint8Array, start: number, end: number): number {
  let address = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) break;
    address = address * 10 + digit;
    if (address >= LIMIT) lines.refuse('the address has more than 48 bits', bytes, start, end);
  }
  lines.page = Math.floor(address / 4096);
  lines.offset = address % 4096;
  return at;
}

function kindOf(bytes: Uint8Array, start: number, end: number): number {
  const word = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 20)));
  const plain = word.replaceAll('"', '').toLowerCase();
  return Object.hasOwn(WORDS, plain) ? WORDS[plain]! : -1;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] === BLANK) at++;
  return at;
}

import { shownBytes } from '../../base/content.ts';
import { TraceError } from '../../guest/workloads/trace-reader.ts';
import { LineSplitter } from '../line-splitter.ts';
import type { Programs } from '../programs.ts';
import type { TraceRecorder } from '../recorder.ts';
import { HALF_PAGES } from '../recorder.ts';
import { MAX_ACCESS, type TraceImporter } from './format.ts';

const DIGIT = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  DIGIT[text.charCodeAt(0)] = digit;
  DIGIT[text.toUpperCase().charCodeAt(0)] = digit;
}

/** Handles the line `bytes[start..end)` of a format. */
export type ReadLine = (lines: AccessLines, bytes: Uint8Array, start: number, end: number) => void;

const EMPTY = new Uint8Array(0);

interface LineOptions {
  readonly programs?: Programs;
  /** Called when the input has ended, after its last line. */
  readonly closing?: (lines: AccessLines) => void;
}

/** HOT. What the line formats share: cutting into lines, numbers, and errors with a place. */
export class AccessLines implements TraceImporter {
  /** Page and offset of the address that was parsed last. */
  page = 0;
  offset = 0;
  readonly recorder: TraceRecorder;
  readonly #splitter: LineSplitter;
  readonly #name: string;
  readonly #what: string;
  readonly #closing: (lines: AccessLines) => void;
  readonly notes: string[] = [];
  readonly programs: Programs | undefined;

  /** `what` the input should be, for messages. */
  constructor(
    name: string,
    what: string,
    recorder: TraceRecorder,
    read: ReadLine,
    { programs, closing = () => {} }: LineOptions = {},
  ) {
    this.#name = name;
    this.#what = what;
    this.recorder = recorder;
    this.programs = programs;
    this.#closing = closing;
    this.#splitter = new LineSplitter(name, (bytes, start, end) => read(this, bytes, start, end));
  }

  get line(): number {
    return this.#splitter.line;
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
  }

  finish(): void {
    this.#splitter.finish();
    if (this.line === 0) throw new TraceError(this.#name, 1, `not ${this.#what}: it is empty`);
    this.#closing(this);
    this.programs?.check();
    if (this.recorder.empty) {
      throw new TraceError(this.#name, this.line, `no memory accesses in ${this.line} lines`);
    }
  }

  /** Sets `page` and `offset` from hexadecimal digits; returns the place after them. */
  hexAddress(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let low = 0;
    let high = 0;
    while (at < end) {
      const digit = DIGIT[bytes[at]!]!;
      if (digit < 0) break;
      if (high >>> 28 !== 0) this.refuse('the address has more than 64 bits', bytes, start, end);
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
      at++;
    }
    this.setAddress(high, low, bytes, start, end);
    return at;
  }

  /**
   * Sets `page` and `offset` from the halves of an address; it is refused unless it is canonical.
   */
  setAddress(high: number, low: number, bytes: Uint8Array, start: number, end: number): void {
    const top = high >>> 15;
    if (top !== 0 && top !== 0x1ffff) {
      const wide = high >>> 16 ? 'has more than 48 bits and ' : '';
      const why = `the address ${wide}is not canonical (bits 63 to 47 are not equal)`;
      this.refuse(why, bytes, start, end);
    }
    this.page = (high & 0xffff) * 2 ** 20 + (low >>> 12);
    this.offset = low & 4095;
  }

  /** Records an access at the address parsed last. */
  access(kind: 0 | 1 | 2 | 3, size: number, bytes: Uint8Array, at: number, end: number): void {
    if (size > MAX_ACCESS) {
      this.refuse(`an access has at most ${MAX_ACCESS} bytes`, bytes, at, end);
    }
    const { page, offset } = this;
    if (offset + size > 4096) {
      const last = page + Math.floor((offset + size - 1) / 4096);
      if (last >= 2 * HALF_PAGES || (page < HALF_PAGES && last >= HALF_PAGES)) {
        this.refuse('the access ends past the canonical addresses', bytes, at, end);
      }
    }
    this.recorder.access(kind, page, offset, size === 0 ? 1 : size);
  }

  /** Records a fetch of `size` bytes that began on an earlier line. */
  fetchOf(page: number, offset: number, size: number): void {
    this.page = page;
    this.offset = offset;
    this.access(0, size, EMPTY, 0, 0);
  }

  /** The beginning of a line, kept for messages. */
  shown(bytes: Uint8Array, start: number, end: number): string {
    return shownBytes(bytes, start, end);
  }

  /** Throws TraceError with the place and the beginning of the line. */
  refuse(why: string, bytes: Uint8Array, start: number, end: number): never {
    const cut = this.#splitter.unended ? ' (the last line does not end: was the file cut?)' : '';
    this.fail(`${why}: ${shownBytes(bytes, start, end)}${cut}`);
  }

  /** Throws TraceError for the current line, or for an earlier one. */
  fail(message: string, line = this.line): never {
    throw new TraceError(this.#name, Math.max(1, line), message);
  }
}

/** Decimal digits from `start`; -1 when there is none. */
export function decimalAt(bytes: Uint8Array, start: number, end: number): number {
  let value = -1;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) break;
    value = Math.max(value, 0) * 10 + digit;
  }
  return value;
}

const BLANK = 32;
const TAB = 9;

/** The first place from `start` that is neither a blank nor a tab. */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === BLANK || bytes[at] === TAB)) at++;
  return at;
}

/** The first place from `start` that is a blank or a tab. */
export function skipWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== BLANK && bytes[at] !== TAB) at++;
  return at;
}

/** The first place from `start` that is not a decimal digit. */
export function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! >= 48 && bytes[at]! <= 57) at++;
  return at;
}

/** Whether `bytes[start..end)` is this word. */
export function isWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if (bytes[start + i] !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** The line as text, one letter per byte, at most `most` of them. */
export const lineText = (bytes: Uint8Array, start: number, end: number, most = 400): string =>
  String.fromCharCode(...bytes.subarray(start, Math.min(end, start + most)));

import { TraceError } from '../../guest/workloads/trace-reader.ts';
import { LineSplitter, quote } from '../line-splitter.ts';
import type { TraceRecorder } from '../recorder.ts';
import { MAX_ACCESS, type TraceImporter } from './format.ts';

const DIGIT = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  DIGIT[text.charCodeAt(0)] = digit;
  DIGIT[text.toUpperCase().charCodeAt(0)] = digit;
}

/** Handles the line `bytes[start..end)` of a format. */
export type ReadLine = (lines: AccessLines, bytes: Uint8Array, start: number, end: number) => void;

/** HOT. What the line formats share: cutting into lines, numbers, and complaints with a place. */
export class AccessLines implements TraceImporter {
  /** Page and offset of the address that was parsed last. */
  page = 0;
  offset = 0;
  readonly recorder: TraceRecorder;
  private readonly splitter: LineSplitter;
  private readonly name: string;
  private readonly what: string;

  /** `what` the input should be, for messages. */
  constructor(name: string, what: string, recorder: TraceRecorder, read: ReadLine) {
    this.name = name;
    this.what = what;
    this.recorder = recorder;
    this.splitter = new LineSplitter(name, (bytes, start, end) => read(this, bytes, start, end));
  }

  get line(): number {
    return this.splitter.line;
  }

  push(chunk: Uint8Array): void {
    this.splitter.push(chunk);
  }

  finish(): void {
    this.splitter.finish();
    if (this.line === 0) throw new TraceError(this.name, 1, `not ${this.what}: it is empty`);
    if (this.recorder.position === 0) {
      throw new TraceError(this.name, this.line, `no memory accesses in ${this.line} lines`);
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
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
      if (high > 0xffff) this.refuse('the address has more than 48 bits', bytes, start, end);
      at++;
    }
    this.page = high * 2 ** 20 + (low >>> 12);
    this.offset = low & 4095;
    return at;
  }

  /** Records an access at the address parsed last. */
  access(kind: 0 | 1 | 2 | 3, size: number, bytes: Uint8Array, at: number, end: number): void {
    if (size > MAX_ACCESS) {
      this.refuse(`an access has at most ${MAX_ACCESS} bytes`, bytes, at, end);
    }
    if (this.page === 2 ** 36 - 1 && this.offset + size > 4096) {
      this.refuse('the access ends past 48 bits', bytes, at, end);
    }
    this.recorder.access(kind, this.page, this.offset, size === 0 ? 1 : size);
  }

  /** Throws TraceError with the place and the beginning of the line. */
  refuse(why: string, bytes: Uint8Array, start: number, end: number): never {
    const cut = this.splitter.unended ? ' (the last line does not end: was the file cut?)' : '';
    throw new TraceError(this.name, this.line, `${why}: ${quote(bytes, start, end)}${cut}`);
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

import { textStart } from '../base/content.ts';
import { TraceError } from '../guest/workloads/trace-reader.ts';

/** Longest line of a text trace that is accepted: a system call may print long strings. */
const MAX_LINE = 65_536;
const NEWLINE = 10;
const RETURN = 13;

/**
 * HOT. Cuts chunks of bytes into lines and hands each over as `bytes[start..end)`, without its line
 * end. A byte-order mark before the first is left out.
 */
export class LineSplitter {
  /** Lines handed over so far: the number of the one being handled, from 1. */
  line = 0;
  /**
   * True while the last line is handled and it has no line end: the file may have been cut there.
   */
  unended = false;
  readonly #name: string;
  readonly #handle: (bytes: Uint8Array, start: number, end: number) => void;
  readonly #carry = new Uint8Array(MAX_LINE);
  #carried = 0;

  constructor(name: string, handle: (bytes: Uint8Array, start: number, end: number) => void) {
    this.#name = name;
    this.#handle = handle;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    if (this.#carried > 0) {
      const newline = chunk.indexOf(NEWLINE);
      this.#keep(chunk, 0, newline < 0 ? chunk.length : newline);
      if (newline < 0) return;
      const length = this.#carried;
      this.#carried = 0;
      this.#emit(this.#carry, 0, length);
      at = newline + 1;
    }
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, at);
      if (newline < 0) break;
      this.#emit(chunk, at, newline);
      at = newline + 1;
    }
    this.#keep(chunk, at, chunk.length);
  }

  /** The input has ended. */
  finish(): void {
    if (this.#carried === 0) return;
    this.unended = true;
    const length = this.#carried;
    this.#carried = 0;
    this.#emit(this.#carry, 0, length);
  }

  #emit(bytes: Uint8Array, start: number, end: number): void {
    this.line++;
    const from = this.line === 1 ? Math.min(textStart(bytes, start), end) : start;
    this.#handle(bytes, from, end > from && bytes[end - 1] === RETURN ? end - 1 : end);
  }

  #keep(chunk: Uint8Array, from: number, to: number): void {
    if (this.#carried + to - from > MAX_LINE) {
      throw new TraceError(this.#name, this.line + 1, `the line is longer than ${MAX_LINE} bytes`);
    }
    this.#carry.set(chunk.subarray(from, to), this.#carried);
    this.#carried += to - from;
  }
}

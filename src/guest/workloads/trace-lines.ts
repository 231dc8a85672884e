import type { TraceEvent } from './trace-events.ts';
import { Line, type TraceReader } from './trace-reader.ts';

/**
 * Lines up to which a looped trace is kept as numbers: a short one may be passed a million times a
 * second.
 */
const KEPT_LINES = 2 ** 18;
const FIRST_ROOM = 1024;

/** Where the lines of a trace come from, with what belongs to the line that `next` returned. */
export type LineSource = Pick<
  TraceReader,
  'page' | 'count' | 'space' | 'event' | 'line' | 'next' | 'rewind'
>;

/**
 * HOT. The lines of a looped trace, as a `TraceReader` finds them. The lines of a short trace are
 * read once: later passes take them from memory.
 */
export class TraceLines implements LineSource {
  page = 0;
  count = 0;
  space = 0;
  event: TraceEvent | undefined;
  readonly #reader: TraceReader;
  /** Lines are being kept, or come from memory by now. */
  #keeping = true;
  #kept = false;
  #length = 0;
  #at = 0;
  #kinds = new Uint8Array(FIRST_ROOM);
  /** Page of a visit, number of a space, index of an event. */
  #values = new Int32Array(FIRST_ROOM);
  #counts = new Float64Array(FIRST_ROOM);
  readonly #events: TraceEvent[] = [];

  constructor(reader: TraceReader) {
    this.#reader = reader;
  }

  /** Number of the line in the file, for messages. */
  get line(): number {
    return this.#reader.line;
  }

  next(): Line {
    if (this.#kept) return this.#again();
    const reader = this.#reader;
    const line = reader.next();
    this.page = reader.page;
    this.count = reader.count;
    this.space = reader.space;
    this.event = reader.event;
    if (this.#keeping && line < Line.Starved) this.#keep(line);
    return line;
  }

  /** Starts again from the first line. */
  rewind(): void {
    this.count = this.space = this.#at = 0;
    this.#kept = this.#keeping;
    if (!this.#kept) this.#reader.rewind();
  }

  #again(): Line {
    if (this.#at === this.#length) return Line.End;
    const i = this.#at++;
    const line = this.#kinds[i]! as Line;
    const value = this.#values[i]!;
    if (line <= Line.Store) {
      this.page = value;
      this.count = this.#counts[i]!;
    } else if (line === Line.Space) this.space = value;
    else this.event = this.#events[value];
    return line;
  }

  #keep(line: Line): void {
    const i = this.#length++;
    if (i === this.#kinds.length) {
      if (i === KEPT_LINES) {
        this.#keeping = false;
        this.#length = this.#events.length = 0;
        this.#kinds = new Uint8Array(0);
        this.#values = new Int32Array(0);
        this.#counts = new Float64Array(0);
        return;
      }
      this.#grow(2 * i);
    }
    this.#kinds[i] = line;
    if (line <= Line.Store) {
      this.#values[i] = this.page;
      this.#counts[i] = this.count;
    } else if (line === Line.Space) this.#values[i] = this.space;
    else this.#values[i] = this.#events.push(this.event!) - 1;
  }

  #grow(length: number): void {
    const kinds = this.#kinds;
    const values = this.#values;
    const counts = this.#counts;
    this.#kinds = new Uint8Array(length);
    this.#kinds.set(kinds);
    this.#values = new Int32Array(length);
    this.#values.set(values);
    this.#counts = new Float64Array(length);
    this.#counts.set(counts);
  }
}

import { foreignContent, shownBytes, textStart } from '../../base/content.ts';
import { EVENTS, RIGHTS, type TraceEvent } from './trace-events.ts';
import { otherFile, TraceError } from './trace-faults.ts';
import type { TraceFeed } from './workload.ts';

export type { TraceEvent };
export { TraceError };

/**
 * HOT. Reads the text of a page trace, format 1, from chunks of bytes cut at any place: runs of
 * touches (`I`, `L`, `S`, `M`), changes of address space (`P`), operating-system events (`X`) and
 * comments.
 *
 * Pages are numbered by up to 36 bits in a trace and by 31 in the model. Each 512 GiB of an address
 * space that is used at all (one entry of the top-level table, `page >> 27`) gets a top-level entry
 * of its own, 0..14 in order of first use. The low 27 bits stay, so the tables below the top and
 * the sets of every TLB are those of the program. A forked space starts with the numbering of its
 * parent.
 *
 * Bit 35 of a page number is the sign of the address: the upper half is the kernel's. A page may be
 * written with 52 bits, sign-extended, too. The kernel's pages are the same in all address spaces
 * of a computer, but the model gives each space its own, so only one space of a trace may use them.
 */

/** What `TraceReader.next` found; visits have the numbers of `Op`. */
export const Line = {
  Fetch: 0,
  Load: 1,
  Store: 2,
  Space: 3,
  Event: 4,
  Starved: 5,
  End: 6,
} as const;
export type Line = (typeof Line)[keyof typeof Line];

/** Longest line that is accepted. Visits need 30 bytes; comments hold command lines. */
export const MAX_LINE = 4096;
/** Most touches of one line: no recorder counts more, so the file is damaged. */
const MAX_COUNT = 2 ** 40;
const AFTER_TOTALS = 'lines follow the closing "# totals" line';
const TOP_ENTRIES = 15;
const PAGES_PER_TOP = 2 ** 27;
/** First slot of the top-level table that is the kernel's. */
const KERNEL_SLOT = 256;
const NO_PAGE =
  'a page number has at most 36 bits, or 52 of a canonical address (bits 51 to 35 are equal)';
const OWN_COPY =
  'the model would give each its own copy; leave them out (trace import --user-only)';
const NEWLINE = 10;
const BLANK = 32;

/** I, L, S, M -> 0..3; the first three are `Op.Fetch`, `Load` and `Store`. */
const KIND = new Int8Array(256).fill(-1);
for (const [kind, letter] of ['I', 'L', 'S', 'M'].entries()) KIND[letter.charCodeAt(0)] = kind;

/** First bytes of lines. */
const OPENINGS = /[#ILSMPX]/;

const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX[text.charCodeAt(0)] = digit;
  HEX[text.toUpperCase().charCodeAt(0)] = digit;
}

/** Which top-level entry of the model stands for which one of the program. */
interface Space {
  readonly tops: Int8Array;
  used: number;
}

export class TraceReader {
  /** Page and touches of the visit that `next` returned. */
  page = 0;
  count = 0;
  /** Whether that visit was a modify, which is a store to everyone but statistics. */
  modify = false;
  /** Address space of the lines that follow; 0 until the first `P`. */
  space = 0;
  event: TraceEvent | undefined;
  /** Lines read so far. */
  line = 0;

  readonly #feed: TraceFeed;
  readonly #withEvents: boolean;
  readonly #areas: number;
  readonly #totals = new Float64Array(4);
  /** The address space that uses pages of the kernel; -1: none does. */
  #kernelSpace = -1;
  #spaces = new Map<number, Space>();
  #tops: Int8Array;
  #fetchPage = -1;
  #dataPage = -1;
  #headed = false;
  #complete = false;

  /** Whole lines to parse: `bytes[at..whole)`. */
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #whole = 0;
  /** Chunk being parsed: [middle, tail) are whole lines, the rest is the start of one. */
  #chunk: Uint8Array | undefined;
  #middle = 0;
  #tail = 0;
  readonly #carry = new Uint8Array(MAX_LINE + 1);
  #carried = 0;

  /**
   * `withEvents` false: events are checked but their pages do not take up top-level entries. An
   * address space may use `areas` of these.
   */
  constructor(feed: TraceFeed, withEvents: boolean, areas = TOP_ENTRIES) {
    this.#feed = feed;
    this.#withEvents = withEvents;
    this.#areas = areas;
    this.#tops = this.#spaceOf(0).tops;
  }

  /** Starts again from the first byte. */
  rewind(): void {
    this.#feed.rewind();
    this.#totals.fill(0);
    this.#spaces = new Map();
    this.space = this.count = 0;
    this.#kernelSpace = -1;
    this.#tops = this.#spaceOf(0).tops;
    this.#fetchPage = this.#dataPage = -1;
    this.#headed = this.#complete = false;
    this.#at = this.#whole = this.line = this.#carried = 0;
    this.#chunk = undefined;
  }

  /** Reads on to the next line that matters. May be called again after `Starved`. */
  next(): Line {
    for (;;) {
      if (this.#at === this.#whole && !this.#refill()) {
        return this.#feed.ended ? this.#end() : Line.Starved;
      }
      const bytes = this.#bytes;
      let i = this.#at;
      this.line++;
      const letter = bytes[i]!;
      const kind = KIND[letter]!;
      if (kind < 0) {
        const found = this.#other(letter);
        if (found !== undefined) return found;
        continue;
      }
      if (this.#complete) this.#fail(AFTER_TOTALS);
      if (bytes[i + 1] !== BLANK) this.#refuse();
      i += 2;
      let count = 0;
      let digit = (bytes[i]! - 48) >>> 0;
      while (digit <= 9) {
        count = count * 10 + digit;
        digit = (bytes[++i]! - 48) >>> 0;
      }
      if (count === 0 || count > MAX_COUNT) this.#refuse('the count is out of range');
      let page = kind === 0 ? this.#fetchPage : this.#dataPage;
      if (bytes[i] === BLANK) {
        let low = 0;
        let high = 0;
        let hex = HEX[bytes[++i]!]!;
        if (hex < 0) this.#refuse();
        while (hex >= 0) {
          high = (high << 4) | (low >>> 28);
          low = (low << 4) | hex;
          if (high > 0xfffff) this.#refuse(NO_PAGE);
          hex = HEX[bytes[++i]!]!;
        }
        if (high > 15) {
          if (high >>> 3 !== 0x1ffff) this.#refuse(NO_PAGE);
          high &= 15;
        }
        const slot = (high << 5) | (low >>> 27);
        let top = this.#tops[slot]!;
        if (top < 0) top = this.#newTop(slot);
        page = (top << 27) | (low & (PAGES_PER_TOP - 1));
        if (kind === 0) this.#fetchPage = page;
        else this.#dataPage = page;
      } else if (page < 0) {
        this.#refuse('the first line of a stream must name its page');
      }
      if (bytes[i] !== NEWLINE) this.#refuse();
      if (i - this.#at > MAX_LINE) this.#fail(`the line is longer than ${MAX_LINE} bytes`);
      this.#at = i + 1;
      this.#totals[kind] = this.#totals[kind]! + count;
      this.page = page;
      this.count = count;
      this.modify = kind === 3;
      return kind === 3 ? Line.Store : (kind as Line);
    }
  }

  /** Goes to the next bytes that are whole lines; false when there are none (yet). */
  #refill(): boolean {
    for (;;) {
      if (this.#chunk !== undefined) {
        const chunk = this.#chunk;
        if (this.#middle < this.#tail) {
          this.#bytes = chunk;
          this.#at = this.line === 0 ? textStart(chunk, this.#middle) : this.#middle;
          this.#middle = this.#whole = this.#tail;
          return true;
        }
        this.#carried = 0;
        this.#chunk = undefined;
        this.#keep(chunk, this.#tail, chunk.length);
      }
      const chunk = this.#feed.take();
      if (chunk === undefined) return false;
      const tail = chunk.lastIndexOf(NEWLINE) + 1;
      if (tail === 0) {
        this.#keep(chunk, 0, chunk.length);
        continue;
      }
      this.#chunk = chunk;
      this.#tail = tail;
      this.#middle = 0;
      if (this.#carried > 0) {
        this.#middle = chunk.indexOf(NEWLINE) + 1;
        this.#keep(chunk, 0, this.#middle);
        this.#bytes = this.#carry;
        this.#at = this.line === 0 ? textStart(this.#carry) : 0;
        this.#whole = this.#carried;
        return true;
      }
    }
  }

  /** Keeps the beginning of a line whose rest is in the next chunk. */
  #keep(chunk: Uint8Array, from: number, to: number): void {
    if (this.#carried + to - from > this.#carry.length) {
      this.line++;
      const what = this.line === 1 ? 'not a page trace: ' : '';
      const start =
        this.#carried > 0 ? this.#carry.subarray(0, this.#carried) : chunk.subarray(from);
      const foreign = this.line === 1 ? foreignContent(start) : undefined;
      if (foreign) this.#fail(`not a page trace: ${foreign}`);
      this.#fail(`${what}the line is longer than ${MAX_LINE} bytes`);
    }
    this.#carry.set(chunk.subarray(from, to), this.#carried);
    this.#carried += to - from;
  }

  #end(): Line {
    if (this.line === 0 && this.#carried === 3 && textStart(this.#carry) === 3) this.#carried = 0;
    if (this.#carried > 0) {
      this.line++;
      const carried = this.#carry.subarray(0, this.#carried);
      const known = OPENINGS.test(String.fromCharCode(this.#carry[textStart(carried)]!));
      if (this.line === 1 && (!known || foreignContent(carried))) {
        this.#bytes = this.#carry;
        this.#at = 0;
        this.#carry[this.#carried] = NEWLINE;
        this.#refuse();
      }
      this.#fail('truncated: the last line does not end');
    }
    if (this.line === 0) this.#fail('not a page trace: it is empty');
    if (this.#headed && !this.#complete)
      this.#fail('truncated: the closing "# totals" line is missing');
    return Line.End;
  }

  /** A line that is not a visit; undefined = a comment. */
  #other(letter: number): Line | undefined {
    const start = this.#at;
    const newline = this.#bytes.indexOf(NEWLINE, start);
    if (newline - start > MAX_LINE) this.#fail(`the line is longer than ${MAX_LINE} bytes`);
    const text = String.fromCharCode(...this.#bytes.subarray(start, newline));
    if (this.#complete) this.#fail(AFTER_TOTALS);
    if (letter === 35) {
      this.#comment(text);
    } else {
      const fields = text.split(' ');
      if (fields[0] === 'P' && fields.length === 2) {
        this.#enter(this.#decimal(fields[1]!));
      } else if (fields[0] === 'X') {
        this.event = this.#parseEvent(fields);
      } else {
        this.#refuse();
      }
    }
    this.#at = newline + 1;
    return letter === 35 ? undefined : letter === 80 ? Line.Space : Line.Event;
  }

  #comment(text: string): void {
    const version = /^# page trace (.*)$/.exec(text);
    if (version && this.line === 1) {
      if (version[1] !== '1') this.#fail(`page trace format ${version[1]} is not known, only 1 is`);
      this.#headed = true;
    } else if (text.startsWith('# totals ')) {
      this.#complete = true;
      for (const [kind, letter] of ['I', 'L', 'S', 'M'].entries()) {
        const stated = new RegExp(` ${letter} (\\d+)`).exec(text);
        const counted = this.#totals[kind]!;
        if (stated && Number(stated[1]) !== counted) {
          this.#fail(`damaged: the totals state ${stated[1]} ${letter}, the lines have ${counted}`);
        }
      }
    }
  }

  #enter(space: number): void {
    this.space = space;
    this.#tops = this.#spaceOf(space).tops;
    this.#fetchPage = this.#dataPage = -1;
  }

  #spaceOf(number: number): Space {
    let space = this.#spaces.get(number);
    if (!space) {
      space = { tops: new Int8Array(512).fill(-1), used: 0 };
      this.#spaces.set(number, space);
    }
    return space;
  }

  #newTop(slot: number): number {
    const space = this.#spaceOf(this.space);
    if (space.used === this.#areas) {
      const taken = this.#areas < TOP_ENTRIES ? ', and per1M needs the last one for itself' : '';
      this.#fail(`the pages spread over more than ${this.#areas} areas of 512 GiB${taken}`);
    }
    if (slot >= KERNEL_SLOT) {
      if (this.#kernelSpace >= 0 && this.#kernelSpace !== this.space) {
        const both = `${this.space} and in ${this.#kernelSpace}`;
        this.#fail(`kernel addresses in address space ${both}: ${OWN_COPY}`);
      }
      this.#kernelSpace = this.space;
    }
    space.tops[slot] = space.used;
    return space.used++;
  }

  #parseEvent(fields: readonly string[]): TraceEvent {
    const name = fields[1] ?? '';
    const shape = Object.hasOwn(EVENTS, name) ? EVENTS[name]! : this.#refuse('unknown event');
    if (fields.length !== shape.length + 2) this.#refuse(`${name} takes ${shape.length} arguments`);
    const event = { name, page: 0, pages: 0, rights: '', toPage: 0, toPages: 0, space: 0 };
    for (let i = 0; i < shape.length; i++) {
      const text = fields[i + 2]!;
      const letter = shape[i];
      if (letter === 'n') event.pages = this.#decimal(text);
      else if (letter === 'm') event.toPages = this.#decimal(text);
      else if (letter === 's') event.space = this.#decimal(text);
      else if (letter === 'p') event.page = this.#eventPage(text, this.#decimal(fields[i + 3]!));
      else if (letter === 'q') event.toPage = this.#eventPage(text, this.#decimal(fields[i + 3]!));
      else if (RIGHTS[name]!.test(text)) event.rights = text;
      else this.#refuse();
    }
    if (name === 'fork') {
      const parent = this.#spaceOf(this.space);
      if (this.#withEvents && this.#kernelSpace === this.space) {
        this.#fail(`a process with kernel addresses forks: ${OWN_COPY}`);
      }
      const tops = parent.tops.slice().fill(-1, KERNEL_SLOT);
      this.#spaces.set(event.space, { tops, used: parent.used });
    } else if (name === 'exec') {
      this.#spaces.delete(event.space);
      if (event.space === this.space) this.#enter(event.space);
    }
    return event;
  }

  #eventPage(text: string, pages: number): number {
    let page = /^[0-9a-fA-F]+$/.test(text) ? Number.parseInt(text, 16) : -1;
    if (page >= 2 ** 52 - 2 ** 35 && page < 2 ** 52) page -= 2 ** 52 - 2 ** 36;
    if (page < 0 || page >= 2 ** 36) this.#refuse(NO_PAGE);
    if (!this.#withEvents) return 0;
    const slot = Math.floor(page / PAGES_PER_TOP);
    const low = page % PAGES_PER_TOP;
    if (low + pages > PAGES_PER_TOP) this.#fail('the range crosses a 512 GiB boundary');
    const top = this.#tops[slot]! < 0 ? this.#newTop(slot) : this.#tops[slot]!;
    return (top << 27) | low;
  }

  #decimal(text: string): number {
    if (!/^\d{1,9}$/.test(text)) this.#refuse();
    return Number(text);
  }

  /** The current line is not part of the format. */
  #refuse(why?: string): never {
    const found = this.#bytes.indexOf(NEWLINE, this.#at);
    const end = found < 0 ? this.#bytes.length : found;
    const text = shownBytes(this.#bytes, this.#at, end, 40);
    if (this.line > 1) this.#fail(`${why ?? 'not a line of a page trace'}: ${text}`);
    const more = why ? `; ${why}` : '';
    this.#fail(`not a page trace: ${otherFile(this.#bytes.subarray(this.#at, end), text)}${more}`);
  }

  #fail(message: string): never {
    throw new TraceError(this.#feed.name, Math.max(1, this.line), message);
  }
}

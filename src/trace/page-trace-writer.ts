import { PageIndex } from './page-index.ts';

/**
 * Kinds of touches, in the order of the totals. `Modify`: load and store of one address by one
 * instruction.
 */
export const Kind = { Fetch: 0, Load: 1, Store: 2, Modify: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

const LETTERS = 'ILSM';
const CODES = Uint8Array.from(LETTERS, (letter) => letter.charCodeAt(0));
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const BLANK = 32;
const NEWLINE = 10;
const NONE = -1;
const BUFFER = 65_536;
/** Room for the longest line of touches: letter, 16 digits, 9 digits, blanks. */
const ROOM = 40;
/** Recently seen pages, so that the index of all pages is consulted less often. */
const RECENT = 1024;

/**
 * HOT. Writes a page trace, format 1, from single touches. A *segment* is a stretch in which
 * neither the instruction nor the data stream changes its page; within it touches are merged per
 * kind, in the order in which the kinds first appeared. A page is named only when its stream has
 * changed it.
 */
export class PageTraceWriter {
  /** Touches written, by `Kind`. */
  readonly totals = new Float64Array(4);
  /** Lines of touches, and of events. */
  lines = 0;
  events = 0;
  readonly #sink: (bytes: Uint8Array) => void;
  #buffer = new Uint8Array(BUFFER);
  #at = 0;
  readonly #counts = new Float64Array(4);
  readonly #order = new Uint8Array(4);
  #kinds = 0;
  /** Page of the segment, and the page last named, of the instruction and of the data stream. */
  readonly #current = new Float64Array(2).fill(NONE);
  readonly #named = new Float64Array(2).fill(NONE);
  readonly #pages = new PageIndex();
  readonly #recent = new Float64Array(RECENT).fill(NONE);
  #space = 0;

  /**
   * `sink` gets the text in pieces, which are its own to keep. `provenance` becomes `# key: value`
   * lines.
   */
  constructor(
    sink: (bytes: Uint8Array) => void,
    provenance: Readonly<Record<string, string>> = {},
  ) {
    this.#sink = sink;
    this.#text('# page trace 1\n');
    for (const [key, value] of Object.entries(provenance)) this.comment(key, value);
  }

  /** A line `# key: value`. */
  comment(key: string, value: string): void {
    this.#endSegment();
    this.#text(`# ${key}: ${value.replace(/[^ -~]+/g, ' ').slice(0, 1000)}\n`);
  }

  /**
   * `count` touches of one kind to a page: bits 12 to 47 of an address, so the kernel's half begins
   * at 2^35.
   */
  touch(kind: Kind, page: number, count = 1): void {
    const stream = kind === Kind.Fetch ? 0 : 1;
    const current = this.#current[stream]!;
    if (page !== current) {
      if (current !== NONE) this.#endSegment();
      this.#current[stream] = page;
      const slot = page & (RECENT - 1);
      if (this.#recent[slot] !== page) {
        this.#recent[slot] = page;
        this.#pages.numberOf(this.#space * 2 ** 36 + page);
      }
    }
    const before = this.#counts[kind]!;
    if (before === 0) this.#order[this.#kinds++] = kind;
    this.#counts[kind] = before + count;
  }

  /** An `X` line: its name and arguments. */
  event(text: string): void {
    this.#endSegment();
    this.events++;
    this.#text(`X ${text}\n`);
  }

  /**
   * What follows belongs to this address space (below 2^17); one must be named before the first
   * touch.
   */
  enter(space: number): void {
    this.#endSegment();
    this.#space = space;
    this.#current.fill(NONE);
    this.#named.fill(NONE);
    this.#recent.fill(NONE);
    this.#text(`P ${space}\n`);
  }

  /** Different pages touched so far. */
  get distinctPages(): number {
    return this.#pages.size;
  }

  /**
   * The closing line; `straddles` touches were the second half of an access that crosses a page
   * boundary.
   */
  finish(straddles = 0): void {
    this.#endSegment();
    const sums = [...LETTERS].map((letter, kind) => `${letter} ${this.totals[kind]}`).join(' ');
    this.#text(
      `# totals ${sums} straddles ${straddles} distinct-pages ${this.distinctPages} events ` +
        `${this.events} lines ${this.lines}\n`,
    );
    this.#flush();
  }

  #endSegment(): void {
    if (this.#at > BUFFER - 4 * ROOM) this.#flush();
    const buffer = this.#buffer;
    let at = this.#at;
    for (let i = 0; i < this.#kinds; i++) {
      const kind = this.#order[i]!;
      const count = this.#counts[kind]!;
      this.#counts[kind] = 0;
      this.totals[kind] = this.totals[kind]! + count;
      buffer[at++] = CODES[kind]!;
      buffer[at++] = BLANK;
      at = decimal(buffer, at, count);
      const stream = kind === Kind.Fetch ? 0 : 1;
      const page = this.#current[stream]!;
      if (this.#named[stream] !== page) {
        this.#named[stream] = page;
        buffer[at++] = BLANK;
        at = hexadecimal(buffer, at, page);
      }
      buffer[at++] = NEWLINE;
    }
    this.lines += this.#kinds;
    this.#kinds = 0;
    this.#at = at;
  }

  #text(line: string): void {
    if (this.#at + line.length > BUFFER) this.#flush();
    for (let i = 0; i < line.length; i++) this.#buffer[this.#at++] = line.charCodeAt(i);
  }

  #flush(): void {
    if (this.#at > 0) this.#sink(this.#buffer.slice(0, this.#at));
    this.#at = 0;
  }
}

function decimal(buffer: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = Math.floor(rest / 10);
    buffer[i] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}

function hexadecimal(buffer: Uint8Array, at: number, value: number): number {
  const high = (value / 2 ** 32) | 0;
  const low = value | 0;
  let to = at;
  for (let shift = 32; shift >= 0; shift -= 4) {
    const digit = shift === 32 ? high & 15 : (low >>> shift) & 15;
    if (digit > 0 || to > at || shift === 0) buffer[to++] = HEX[digit]!;
  }
  return to;
}

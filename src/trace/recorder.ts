import { PageIndex } from './page-index.ts';
import { Kind, type PageTraceWriter } from './page-trace-writer.ts';

/** Pages of each half of the canonical addresses; numbers from here on are the kernel's half. */
export const HALF_PAGES = 2 ** 35;

/** Which touches of a run are kept. */
export interface TraceWindow {
  /** Touches before the window. */
  readonly skip: number;
  /** Touches in the window; `Infinity`: to the end. */
  readonly count: number;
  /** Leave out accesses to the upper half of the addresses, the kernel's. They do not count. */
  readonly userOnly?: boolean;
}

const PAGE = 4096;
/** State of a page before the window. */
const Touched = { No: 0, Read: 1, Written: 2 } as const;

/**
 * HOT. Where the readers of foreign formats put what they find: cuts accesses at page boundaries
 * and keeps a window of the run. A window that does not start at the beginning opens with `X
 * resident` lines, which name the pages that had been touched before and were still mapped.
 */
export class TraceRecorder {
  /** Touches of the whole run so far. */
  position = 0;
  /** Accesses left out because they are the kernel's. */
  leftOut = 0;
  readonly #writer: PageTraceWriter;
  readonly #skip: number;
  readonly #end: number;
  readonly #pages: number;
  #straddles = 0;
  #opened = false;
  readonly #before = new PageIndex();
  #states = new Uint8Array(1024);

  constructor(writer: PageTraceWriter, window: TraceWindow = { skip: 0, count: Infinity }) {
    this.#writer = writer;
    this.#skip = window.skip;
    this.#end = window.skip + window.count;
    this.#pages = window.userOnly ? HALF_PAGES : Infinity;
  }

  /** The window is complete: nothing that follows is needed. */
  get full(): boolean {
    return this.position >= this.#end;
  }

  /** Nothing was found that could be kept or skipped. */
  get empty(): boolean {
    return this.position === 0 && this.leftOut === 0;
  }

  /**
   * `size` bytes (at least 1) at `offset` of a page; what lies past its end touches the next pages
   * too.
   */
  access(kind: Kind, page: number, offset: number, size: number): void {
    if (page >= this.#pages) {
      this.leftOut++;
      return;
    }
    this.#touch(kind, page, false);
    for (let rest = offset + size - PAGE, next = page + 1; rest > 0; rest -= PAGE, next++) {
      this.#touch(kind, next, true);
    }
  }

  #touch(kind: Kind, page: number, straddle: boolean): void {
    const position = this.position++;
    if (position < this.#skip) {
      this.#remember(kind, page);
    } else if (position < this.#end) {
      if (!this.#opened) this.#open();
      if (straddle) this.#straddles++;
      this.#writer.touch(kind, page);
    }
  }

  /** An operating-system event; after it, `gone` pages from `page` on are no longer resident. */
  event(text: string, page = 0, gone = 0): void {
    if (this.position < this.#skip) {
      if (gone > 0) this.#forget(page, gone);
    } else if (this.position < this.#end) {
      if (!this.#opened) this.#open();
      this.#writer.event(text);
    }
  }

  /** The input has ended. */
  finish(): void {
    if (this.leftOut > 0) this.#writer.comment('kernel accesses left out', String(this.leftOut));
    this.#writer.finish(this.#straddles);
  }

  #remember(kind: Kind, page: number): void {
    const number = this.#before.numberOf(page);
    if (number === this.#states.length) {
      const grown = new Uint8Array(2 * number);
      grown.set(this.#states);
      this.#states = grown;
    }
    if (kind >= Kind.Store) this.#states[number] = Touched.Written;
    else if (this.#states[number] === Touched.No) this.#states[number] = Touched.Read;
  }

  #forget(page: number, pages: number): void {
    this.#before.forEach((key, number) => {
      if (key >= page && key < page + pages) this.#states[number] = Touched.No;
    });
  }

  #open(): void {
    this.#opened = true;
    const resident: { page: number; state: number }[] = [];
    this.#before.forEach((page, number) => {
      const state = this.#states[number]!;
      if (state !== Touched.No) resident.push({ page, state });
    });
    resident.sort((a, b) => a.page - b.page);
    for (let i = 0; i < resident.length; ) {
      const { page, state } = resident[i]!;
      let n = 1;
      while (resident[i + n]?.page === page + n && resident[i + n]!.state === state) n++;
      const written = state === Touched.Written ? 'w' : 'r';
      this.#writer.event(`resident ${page.toString(16)} ${n} ${written}`);
      i += n;
    }
  }
}

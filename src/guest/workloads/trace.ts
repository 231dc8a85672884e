import type * as z from 'zod';
import {
  ITEM_INSTRUCTIONS,
  ITEM_OP,
  ITEM_PAGE,
  ITEM_REFERENCES,
  type Item,
  writeItem,
} from '../../machine/items.ts';
import { callClass, classOfCall } from '../system-call-classes.ts';
import { LINE_BITS, lineBits, lineLaw } from './lines.ts';
import { pageShiftOf } from './page-size.ts';
import type { ReferenceLimited } from './reference-limited.ts';
import { type LineSource, TraceLines } from './trace-lines.ts';
import { takesKernel, traceParams } from './trace-params.ts';
import { checkRates, PROTECTED, RATES_START, TraceRates } from './trace-rates.ts';
import { Line, TraceError, type TraceEvent, TraceReader } from './trace-reader.ts';
import {
  Op,
  type ProcessImage,
  type Program,
  type Region,
  type TraceFeed,
  type WorkloadDefinition,
} from './workload.ts';

/**
 * Replays a recorded page trace as one stream. One region spans the whole address space, so a page
 * whose mapping was never seen is a first touch of a mapped page; the rest of the region list are
 * templates (no pages of their own) for the `Mmap`s of replayed events. With several address spaces
 * (`P` lines) the stream names the one that goes on with `SwitchTo`. All of them are one program,
 * so a replayed exit unmaps the whole address space instead of ending it, and a replayed exec goes
 * on under its number. A trace without events can be given rates of them (trace-rates.ts).
 */

/** Longest visit: its instructions must fit 16 bits, the references of a whole block 31. */
const MAX_INSTRUCTIONS = 65_535;
const MAX_DATA = (1 << 22) - 1;
/** Entries carry the number of their address space in 13 bits. */
const MAX_SPACES = 8191;
/** Pages of the model's address space that programs may use. */
const USER_PAGES = 15 * 2 ** 27;

/** Indexes into the region list. */
const Template = { Image: 0, Code: 1, File: 2, FileCopy: 3, Anon: 4, AnonRead: 5 } as const;
const SharedTemplate = { Write: 6, Read: 7 } as const;

function traceRegions(pageShift: number, rates: boolean): Region[] {
  const template = (name: string, kind: Region['kind'], writable: boolean): Region => {
    return { name, start: 0, pages: 0, kind, writable, pageShift: 12, populated: false };
  };
  return [
    { ...template('image', 'anon', true), pages: rates ? RATES_START : USER_PAGES, pageShift },
    template('code', 'code', false),
    template('file', 'file', false),
    template('file-copy', 'file', true),
    template('anon', 'anon', true),
    template('anon-read', 'anon', false),
    template('shared', 'shared', true),
    template('shared-read', 'shared', false),
    ...(rates ? [PROTECTED] : []),
  ];
}

function templateOf(rights: string): number {
  const writable = rights[1] === 'w';
  if (rights[3] === 's') return writable ? SharedTemplate.Write : SharedTemplate.Read;
  if (rights[4] === 'a') return writable ? Template.Anon : Template.AnonRead;
  if (writable) return Template.FileCopy;
  return rights[2] === 'x' ? Template.Code : Template.File;
}

/** What comes next in the stream. */
const Ahead = { Unknown: 0, Visit: 1, Operation: 2, End: 3 } as const;

/** How often each line of a page is used. Measured: docs/programs.md. */
const CODE = lineLaw(16, 0.8).table;
const DATA = lineLaw(30, 1.1).table;
/**
 * Visits to a page that begin at one line, as powers of two. Fitted: misses of the L1s in the
 * traces of gcc, sqlite and redis (docs/programs.md).
 */
const CODE_BURST = 2;
const DATA_BURST = 4;

/** Random bits from a number (finalizer of MurmurHash3, without its last step). */
function mix(n: number): number {
  const a = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  return Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
}

class TraceProgram implements Program, ReferenceLimited {
  remaining = Number.POSITIVE_INFINITY;
  readonly #lines: LineSource;
  readonly #feed: TraceFeed;
  readonly #options: z.output<typeof traceParams>;
  readonly #regions: readonly Region[];
  /** Events reach the TLBs only: the guest kernel does no work of its own. */
  readonly #bare: boolean;
  readonly #rates: TraceRates | undefined;
  readonly #perPass: number;
  #passLeft: number;
  #operations: Item[] = [];
  /** The only pass has ended and was counted. */
  #counted = false;
  /** The trace has instruction fetches, as far as it has been read. */
  #fetched = false;
  /** Address spaces of the trace -> numbers for the guest kernel, from 0 in order of appearance. */
  readonly #numbers = new Map<number, number>();
  #spaces = 0;
  #ahead: number = Ahead.Unknown;
  #op = 0;
  #page = 0;
  #pending = 0;
  /** Visits by page, code and data apart; pages with the same hash share a count. */
  readonly #visits = new Uint32Array(1 << 13);

  constructor(
    feed: TraceFeed,
    options: z.output<typeof traceParams>,
    regions: readonly Region[],
    kernel: boolean,
    rates: TraceRates | undefined,
  ) {
    this.#bare = options.events === 'replay' && !kernel;
    this.#feed = feed;
    this.#options = options;
    this.#regions = regions;
    this.#rates = rates;
    const areas = rates && RATES_START / 2 ** 27;
    const reader = new TraceReader(feed, options.events === 'replay', areas);
    this.#lines = options.loop ? new TraceLines(reader) : reader;
    this.#perPass = options.limitReferences || Number.POSITIVE_INFINITY;
    this.#passLeft = this.#perPass;
  }

  limit(references: number): void {
    this.remaining = references;
  }

  get finished(): boolean {
    return (this.#ahead === Ahead.Unknown ? this.#look() : this.#ahead) === Ahead.End;
  }

  /** HOT. */
  fill(at: number, room: number): number {
    const rates = this.#rates;
    let n = 0;
    for (;;) {
      const ahead = this.#ahead === Ahead.Unknown ? this.#look() : this.#ahead;
      if (ahead === Ahead.End || n === room) return n;
      if (ahead === Ahead.Visit) {
        if (this.remaining === 0) return n;
        const event = rates?.take();
        if (event) {
          writeItem(at + n, event);
          n++;
          if ((event[1] & 255) > Op.Store) return n;
          continue;
        }
        const op = this.#op;
        if (op === Op.Fetch) this.#fetched = true;
        // Without fetches in the trace each reference stands for an instruction, or no time would
        // pass.
        const executes = op === Op.Fetch || !this.#fetched;
        let count = Math.min(this.#pending, this.remaining, executes ? MAX_INSTRUCTIONS : MAX_DATA);
        if (rates && executes) count = rates.cut(count);
        this.remaining -= count;
        if ((this.#pending -= count) === 0) this.#ahead = Ahead.Unknown;
        const page = this.#page;
        // Traces do not record lines. A page is entered at lines by their popularity, several times
        // in a row at the same one, and a run reads on at 16 instructions, or 8 data words, to the
        // line: measured for cc1 are 2.3 lines in 22 instructions, 1.2 in 2 data references.
        const data = op === Op.Fetch ? 0 : 1;
        const hash = Math.imul(page, 0x9e3779b1);
        const visits = (this.#visits[(hash >>> 19) ^ data]! += 1);
        const bits = mix((visits >>> (data ? DATA_BURST : CODE_BURST)) ^ hash);
        const behind = (data ? DATA : CODE)[bits >>> (32 - LINE_BITS)]!;
        const line = ((hash >>> 26) + behind) & 63;
        const lines = Math.min(64, 1 + (count >> (data ? 3 : 4)));
        ITEM_PAGE[at + n] = page;
        ITEM_OP[at + n] = op | lineBits(line, lines);
        const before = at + n - 1;
        ITEM_REFERENCES[at + n] = ITEM_REFERENCES[before]! + count;
        ITEM_INSTRUCTIONS[at + n] = ITEM_INSTRUCTIONS[before]! + (executes ? count : 0);
        n++;
      } else {
        this.#ahead = Ahead.Unknown;
        const item = ahead === Ahead.Unknown ? STARVED : this.#operations.shift()!;
        writeItem(at + n, item);
        return n + 1;
      }
    }
  }

  fork(): Program {
    return this;
  }

  exec(): ProcessImage {
    return { regions: this.#regions, programs: [this] };
  }

  /** Finds out what comes next, reading as little as possible; `Unknown` = the feed is starved. */
  #look(): number {
    while (this.#operations.length === 0) {
      const line = this.#passLeft === 0 ? Line.End : this.#lines.next();
      if (line <= Line.Store) {
        this.#op = line;
        this.#page = this.#lines.page;
        this.#pending = Math.min(this.#lines.count, this.#passLeft);
        this.#passLeft -= this.#pending;
        return (this.#ahead = Ahead.Visit);
      }
      if (line === Line.Starved) return Ahead.Unknown;
      if (line === Line.Space) this.#enter(this.#lines.space);
      else if (line === Line.Event) this.#replay(this.#lines.event!);
      else if (this.#counted) return (this.#ahead = Ahead.End);
      else this.#endPass();
    }
    return (this.#ahead = Ahead.Operation);
  }

  #enter(space: number): void {
    if (this.#numbers.size === 0 && this.#lines.count > 0) this.#numbers.set(0, this.#spaces++);
    if (!this.#numbers.has(space)) this.#numbers.set(space, this.#spaces++);
    if (this.#spaces > MAX_SPACES) {
      const message = `more than ${MAX_SPACES} address spaces`;
      throw new TraceError(this.#feed.name, this.#lines.line, message);
    }
    const number = this.#numbers.get(space)!;
    this.#operations.push([number, Op.SwitchTo, 0, 0]);
    this.#rates?.enter(number);
    if (this.#bare) this.#operations.push(FLUSH);
  }

  #endPass(): void {
    if (this.#lines.count === 0) {
      throw new TraceError(this.#feed.name, this.#lines.line, 'there are no references in it');
    }
    this.#operations.push([1, Op.WorkDone, 0, 0]);
    if (!this.#options.loop) {
      this.#counted = true;
      return;
    }
    this.#passLeft = this.#perPass;
    this.#lines.rewind();
    this.#numbers.clear();
    this.#spaces = 0;
  }

  /** A copy of the current address space comes into being; returns its number. */
  #forkTo(space: number): number {
    if (this.#numbers.size === 0) this.#numbers.set(0, this.#spaces++);
    this.#numbers.set(space, this.#spaces);
    return this.#spaces++;
  }

  /** The current address space gets a new image and goes on as `space`. */
  #execTo(space: number): void {
    this.#numbers.set(space, this.#numbers.get(this.#lines.space) ?? 0);
  }

  #replay(event: TraceEvent): void {
    if (this.#options.events === 'ignore') return;
    const { page, pages, toPage, toPages } = event;
    if (this.#bare) {
      if (event.name === 'fork') this.#forkTo(event.space);
      else if (event.name === 'exec') this.#execTo(event.space);
      if (event.name === 'fork' || event.name === 'exec') this.#operations.push(FLUSH);
      else if (REMOVES.has(event.name) && pages > 0) {
        this.#operations.push([page, Op.Invalidate, pages, 0]);
      }
      return;
    }
    const push = (a: number, op: number, b = 0, c = 0) => this.#operations.push([a, op, b, c]);
    switch (event.name) {
      case 'resident':
        break; // the image region covers it
      case 'mmap':
        push(page, Op.Mmap, pages, templateOf(event.rights));
        break;
      case 'brk+':
        push(page, Op.Mmap, pages, Template.Anon);
        break;
      case 'munmap':
      case 'brk-':
        push(page, Op.Munmap, pages);
        break;
      case 'mprotect':
        push(page, Op.Mprotect, pages, event.rights[1] === 'w' ? 1 : 0);
        break;
      case 'dontneed':
        push(page, Op.Discard, pages);
        break;
      case 'mremap':
        if (toPage !== page) push(page, Op.Mremap, toPage, Math.min(pages, toPages));
        if (toPages > pages) push(toPage + pages, Op.Mmap, toPages - pages, Template.Anon);
        if (toPages < pages) push(page + toPages, Op.Munmap, pages - toPages);
        break;
      case 'fork':
        push(this.#forkTo(event.space), Op.ForkTo);
        break;
      case 'exec':
        this.#execTo(event.space);
        push(0, Op.Exec);
        break;
      case 'exit':
        if (this.#lines.space !== 0) push(0, Op.Munmap, USER_PAGES);
        break;
      default:
        push(callClass(classOfCall(event.rights)), Op.Syscall);
    }
  }
}

const STARVED: Item = [0, Op.Starved, 0, 0];
const FLUSH: Item = [0, Op.Invalidate, 0, 0];
/** Events after which the TLBs hold nothing of their (first) range. */
const REMOVES = new Set(['mmap', 'munmap', 'mprotect', 'mremap', 'brk-', 'dontneed']);

export const trace: WorkloadDefinition<typeof traceParams> = {
  name: 'trace',
  summary: 'replays a recorded page trace',
  params: traceParams,
  create(options, deps) {
    const large = options.pageSize !== 4096;
    if (large && options.events === 'replay') {
      throw new Error('recorded events can be replayed with 4KiB pages only');
    }
    const { per1M } = options;
    if (per1M) checkRates(per1M, options);
    if (options.populate && (options.kernel || per1M)) {
      throw new Error(
        'a guest kernel that takes time charges first touches: set populate to false',
      );
    }
    const kernel = takesKernel(options);
    const regions = traceRegions(pageShiftOf(options.pageSize), per1M !== undefined);
    const rates = per1M && new TraceRates({ ...options, per1M, template: Template.Anon }, deps);
    const feed = deps.openTrace(options.file, options.loop);
    const program = new TraceProgram(feed, options, regions, kernel, rates);
    return {
      processes: [{ regions, programs: [program] }],
      work: options.loop ? undefined : 1,
      unit: 'passes',
      cpiQ8: Math.round(options.cpi * 256),
      overlapQ8: Math.round(options.overlap * 256),
      kernel,
      quantumInstructions: 2 ** 31 - 1,
      hz: options.hz,
    };
  },
};

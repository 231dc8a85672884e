import { Line, TraceReader } from '../guest/workloads/trace-reader.ts';
import type { TraceFeed } from '../guest/workloads/workload.ts';
import { Footprint, type FootprintWindow } from './footprint.ts';
import { StackDistances } from './stack-distance.ts';

/** What one pass over a page trace says about it. */
export interface TraceProfile {
  readonly references: {
    readonly fetches: number;
    readonly loads: number;
    readonly stores: number;
    readonly modifies: number;
  };
  /** Runs of references to one page by one stream: lines of the trace. */
  readonly visits: number;
  readonly addressSpaces: number;
  /** Operating-system events by name. */
  readonly events: Readonly<Record<string, number>>;
  readonly instruction: StreamProfile;
  readonly data: StreamProfile;
}

export interface StreamProfile {
  readonly references: number;
  readonly distinctPages: number;
  /** Different 2 MiB pages. */
  readonly distinct2MiB: number;
  /**
   * References by LRU stack distance: from 1, from 2, from 3 to 4, from 5 to 8, …; first touches
   * last.
   */
  readonly distances: readonly {
    readonly from: number;
    readonly to: number;
    readonly references: number;
  }[];
  readonly firstTouches: number;
  /**
   * Fully associative LRU TLBs, empty at the beginning, entries tagged with their address space.
   */
  readonly predictions: readonly Prediction[];
  /** In the references of both streams together. */
  readonly footprint: readonly FootprintWindow[];
}

export interface Prediction {
  readonly entries: number;
  readonly misses: number;
  readonly missRatio: number;
}

/** Chunks in the form that the reader wants. */
class Chunks implements TraceFeed {
  readonly name: string;
  ended = false;
  #next: Uint8Array | undefined;

  constructor(name: string) {
    this.name = name;
  }

  give(chunk: Uint8Array): void {
    this.#next = chunk;
  }

  take(): Uint8Array | undefined {
    const chunk = this.#next;
    this.#next = undefined;
    return chunk;
  }

  rewind(): void {
    throw new Error('a trace that is profiled is read once');
  }
}

/** Pages of the model's address space: the reader numbers pages below this. */
const SPACE = 2 ** 31;

class Stream {
  readonly distances = new StackDistances();
  readonly large = new Set<number>();
  readonly footprint = new Footprint();

  touch(space: number, page: number, from: number, count: number): void {
    const known = this.distances.pages.size;
    const number = this.distances.touch(space * SPACE + page, count);
    if (number === known) this.large.add(space * SPACE + Math.floor(page / 512));
    this.footprint.touch(number, from, count);
  }

  profile(entries: readonly number[], references: number): StreamProfile {
    const { distances } = this;
    const buckets = [];
    for (let from = 1, to = 1; from <= distances.farthest; from = to + 1, to *= 2) {
      buckets.push({ from, to, references: distances.between(from, to) });
    }
    const predictions = entries.map((n) => {
      const misses = distances.misses(n);
      const missRatio = distances.references > 0 ? misses / distances.references : 0;
      return { entries: n, misses, missRatio };
    });
    return {
      references: distances.references,
      distinctPages: distances.pages.size,
      distinct2MiB: this.large.size,
      distances: buckets,
      firstTouches: distances.cold,
      predictions,
      footprint: this.footprint.windows(references),
    };
  }
}

/**
 * Reads a page trace from chunks and profiles it. Methods throw TraceError when the trace is
 * malformed.
 */
export class TraceProfiler {
  readonly #feed: Chunks;
  readonly #reader: TraceReader;
  readonly #kinds = new Float64Array(4);
  readonly #streams = [new Stream(), new Stream()] as const;
  readonly #spaces = new Set<number>();
  readonly #events: Record<string, number> = {};
  #references = 0;
  #visits = 0;
  readonly #limit: number;

  /**
   * `limit`: only this many references are counted, from the first on; the rest is still checked.
   */
  constructor(name: string, limit = Infinity) {
    this.#feed = new Chunks(name);
    this.#reader = new TraceReader(this.#feed, false);
    this.#limit = limit;
  }

  /** Lines read so far. */
  get line(): number {
    return this.#reader.line;
  }

  push(chunk: Uint8Array): void {
    this.#feed.give(chunk);
    this.#read();
  }

  /** The input has ended. `entries`: the TLB sizes to predict for. */
  finish(entries: readonly number[]): TraceProfile {
    this.#feed.ended = true;
    this.#read();
    const [fetches, loads, stores, modifies] = this.#kinds as unknown as [
      number,
      number,
      number,
      number,
    ];
    return {
      references: { fetches, loads, stores, modifies },
      visits: this.#visits,
      addressSpaces: this.#spaces.size,
      events: this.#events,
      instruction: this.#streams[0].profile(entries, this.#references),
      data: this.#streams[1].profile(entries, this.#references),
    };
  }

  #read(): void {
    const reader = this.#reader;
    for (;;) {
      const line = reader.next();
      if (line === Line.Starved || line === Line.End) return;
      if (line === Line.Event) {
        const { name } = reader.event!;
        if (this.#references < this.#limit) this.#events[name] = (this.#events[name] ?? 0) + 1;
      } else if (line !== Line.Space) {
        this.#visit(line);
      }
    }
  }

  #visit(line: Line): void {
    const reader = this.#reader;
    const count = Math.min(reader.count, this.#limit - this.#references);
    if (count <= 0) return;
    const kind = reader.modify ? 3 : line;
    this.#kinds[kind] = this.#kinds[kind]! + count;
    this.#spaces.add(reader.space);
    this.#visits++;
    this.#streams[line === Line.Fetch ? 0 : 1].touch(
      reader.space,
      reader.page,
      this.#references,
      count,
    );
    this.#references += count;
  }
}

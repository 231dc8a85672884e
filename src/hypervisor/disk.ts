import type { Cycles } from '../base/ids.ts';
import type { Timebase } from '../engine/timebase.ts';
import type { DiskIo } from './guest-port.ts';

export interface DiskOptions {
  /** Bits per second that a spindle moves; undefined: data take no time of their own. */
  readonly bandwidth?: number | undefined;
  /** Picoseconds for each request besides its data; undefined: none. */
  readonly serviceTime?: number | undefined;
  /** Disks of an array; undefined: one. */
  readonly spindles?: number | undefined;
  /** Bytes of a cache that keeps what is written; undefined: none. */
  readonly writeCache?: number | undefined;
}

/**
 * Until a controller has taken a write into its cache, in microseconds. assumed (50-500): firmware
 * of the controller and the interrupt
 */
const CACHED = 100;

/** What a disk has done so far, what it has been given to do included. */
export interface DiskCount {
  readBytes: number;
  writtenBytes: number;
  reads: number;
  writes: number;
}

/** What serves a guest's requests, in cycles of the host where the guest is. */
export type DiskService = Pick<Disk, 'serve'>;

/** A disk that counts cycles of `its` host, for a guest on a host that counts `own`. */
export function diskFor(own: Timebase, disk: Disk, its: Timebase): DiskService {
  if (own.ticks === its.ticks) return disk;
  return {
    serve({ latency, ...request }, now) {
      const asked = { ...request, latency: its.from(own, latency) };
      return own.from(its, disk.serve(asked, its.from(own, now)));
    },
  };
}

/**
 * A disk. Each request takes the time that the guest's program gives for it, as many at a time as
 * there are. With a capacity each of its spindles serves one after the other, in the order in which
 * they come, and a request takes its own time from when its turn has come. A write that finds room
 * in the cache is over at once, and takes its turn later.
 */
export class Disk {
  readonly count: DiskCount = { readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };
  /** False: requests do not wait for each other. */
  readonly limited: boolean;
  readonly #cyclesPerByte: number;
  readonly #service: Cycles;
  /** By spindle: when it has done what it has been given, and how long that takes in all. */
  readonly #busyUntil: Float64Array;
  readonly #busy: Float64Array;
  readonly #cache: number;
  readonly #cached: Cycles;
  /** What the cache holds: when it will be on a spindle, and bytes. */
  #held: { readonly until: Cycles; readonly bytes: number }[] = [];

  /** `mhz`: cycles of the host in a microsecond. */
  constructor(mhz: number, options: DiskOptions | undefined) {
    const { bandwidth, serviceTime = 0, spindles = 1, writeCache = 0 } = options ?? {};
    this.limited = options !== undefined;
    this.#cyclesPerByte = bandwidth === undefined ? 0 : (8 * mhz * 1e6) / bandwidth;
    this.#service = (serviceTime / 1e6) * mhz;
    this.#busyUntil = new Float64Array(spindles);
    this.#busy = new Float64Array(spindles);
    this.#cache = writeCache;
    this.#cached = Math.round(CACHED * mhz);
  }

  /** A request comes at `now`. Returns when it is answered. */
  serve({ bytes, latency, write }: DiskIo, now: Cycles): Cycles {
    const { count } = this;
    count[write ? 'writes' : 'reads']++;
    count[write ? 'writtenBytes' : 'readBytes'] += bytes;
    if (!this.limited) return now + latency;
    const spindle = this.#first();
    const begin = Math.max(now, this.#busyUntil[spindle]!);
    const cycles = Math.ceil(this.#service + bytes * this.#cyclesPerByte);
    const end = begin + cycles;
    this.#busyUntil[spindle] = end;
    this.#busy[spindle] = this.#busy[spindle]! + cycles;
    const answer = Math.max(begin + latency, end);
    if (!write || !this.#keeps(bytes, end, now)) return answer;
    return Math.min(answer, now + this.#cached);
  }

  /** The spindle that is free first. */
  #first(): number {
    let first = 0;
    for (let i = 1; i < this.#busyUntil.length; i++) {
      if (this.#busyUntil[i]! < this.#busyUntil[first]!) first = i;
    }
    return first;
  }

  /** Whether the cache has room for a write that will be on a spindle at `until`. */
  #keeps(bytes: number, until: Cycles, now: Cycles): boolean {
    this.#held = this.#held.filter((held) => held.until > now);
    const used = this.#held.reduce((sum, held) => sum + held.bytes, 0);
    if (used + bytes > this.#cache) return false;
    this.#held.push({ until, bytes });
    return true;
  }

  /**
   * How long it has been serving by `now`, after which nothing has been given to it: the mean of
   * its spindles.
   */
  busyBy(now: Cycles): Cycles {
    let sum = 0;
    for (const [i, busy] of this.#busy.entries()) {
      sum += busy - Math.max(0, this.#busyUntil[i]! - now);
    }
    return sum / this.#busy.length;
  }
}

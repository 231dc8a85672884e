import type { Cycles } from '../base/ids.ts';
import type { Timebase } from '../engine/timebase.ts';
import type { DiskIo } from './guest-port.ts';

export interface DiskOptions {
  /** Bits per second that it moves; undefined: data take no time of their own. */
  readonly bandwidth?: number | undefined;
  /** Picoseconds for each request besides its data; undefined: none. */
  readonly serviceTime?: number | undefined;
}

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
 * there are. With a capacity it serves one after the other, in the order in which they come, and a
 * request takes its own time from when its turn has come.
 */
export class Disk {
  readonly count: DiskCount = { readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };
  /** False: requests do not wait for each other. */
  readonly limited: boolean;
  readonly #cyclesPerByte: number;
  readonly #service: Cycles;
  #busyUntil: Cycles = 0;
  #busy: Cycles = 0;

  /** `mhz`: cycles of the host in a microsecond. */
  constructor(mhz: number, options: DiskOptions | undefined) {
    const { bandwidth, serviceTime = 0 } = options ?? {};
    this.limited = options !== undefined;
    this.#cyclesPerByte = bandwidth === undefined ? 0 : (8 * mhz * 1e6) / bandwidth;
    this.#service = (serviceTime / 1e6) * mhz;
  }

  /** A request comes at `now`. Returns when it is answered. */
  serve({ bytes, latency, write }: DiskIo, now: Cycles): Cycles {
    const { count } = this;
    count[write ? 'writes' : 'reads']++;
    count[write ? 'writtenBytes' : 'readBytes'] += bytes;
    if (!this.limited) return now + latency;
    const begin = Math.max(now, this.#busyUntil);
    const cycles = Math.ceil(this.#service + bytes * this.#cyclesPerByte);
    this.#busyUntil = begin + cycles;
    this.#busy += cycles;
    return Math.max(begin + latency, this.#busyUntil);
  }

  /** How long it has been serving by `now`, after which nothing has been given to it. */
  busyBy(now: Cycles): Cycles {
    return this.#busy - Math.max(0, this.#busyUntil - now);
  }
}

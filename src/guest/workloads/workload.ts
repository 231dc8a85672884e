import type { z } from 'zod';
import { type Definition, registry } from '../../base/registry.ts';
import type { Stretch } from '../../machine/learned/stretch.ts';
import type { PageRights } from './page-rights.ts';

/**
 * What runs inside a VM, as the guest kernel sees it: process images and programs. A program
 * produces *items*: visits (runs of references to one page) and operating-system operations at
 * their exact place among them. It never sees time, another VM, or the paging mode, so that the
 * same seed gives the same stream whatever surrounds it (common random numbers).
 *
 * An item is four words (machine/items.ts):
 *
 * | word           | visit                                        | operation                 |
 * |----------------|----------------------------------------------|---------------------------|
 * | `page`         | virtual page number (31 bits)                | first argument            |
 * | `op`           | `Op`, `line << 8`, `lines << 16`, SEQUENTIAL | `Op`                      |
 * | `references`   | references (at least 1)                      | second argument           |
 * | `instructions` | instructions                                 | third argument            |
 *
 * As they lie in a block, the last two words of a visit are running totals. `line` (0..63) is the
 * first 64-byte line the visit touches, `lines` (1..64) how many from there on, wrapping inside the
 * page; without data lines a program may leave `line` at 0. SEQUENTIAL (machine/items.ts): the
 * lines go on where the last visit to the region ended, so that the prefetcher sees them coming.
 * Write items with `writeItem`.
 */
export const Op = {
  Fetch: 0,
  Load: 1,
  Store: 2,
  /** Operations from here on. `Syscall`: arg number of its class, as `callClass` has it. */
  Syscall: 8,
  /** Args first page, pages, index into `ProcessImage.regions` whose kind and rights it takes. */
  Mmap: 9,
  /** Args first page, pages. */
  Munmap: 10,
  /** Args first page, pages, 1 = writable. */
  Mprotect: 11,
  /**
   * No arguments. The child has one thread, which runs `Program.fork()`; parent and child share
   * pages copy-on-write.
   */
  Fork: 12,
  /**
   * No arguments. The address space is replaced by the regions of `Program.exec()`; the other
   * threads of the process end, and those of the new image begin.
   */
  Exec: 13,
  /** No arguments. The process ends with all its threads (exit_group); nothing may follow. */
  Exit: 14,
  /** No arguments. Sleeps until a child has ended (returns at once when one already has). */
  Wait: 15,
  /**
   * Args: bytes, device latency in microseconds, 1 = they are written. Sleeps until the device's
   * interrupt.
   */
  BlockingIo: 16,
  /** No arguments. Yields the processor to the next runnable thread of this guest. */
  Yield: 17,
  /** Args: units of work finished. */
  WorkDone: 18,
  /** Args: bytes of a request. Sleeps until one has arrived and reads it. */
  AwaitRequest: 19,
  /**
   * Args: bytes to send, 1 = wait until they are acknowledged. Once they are with the network card,
   * the request that `AwaitRequest`
   * returned ends and its latency is recorded.
   */
  RequestDone: 20,
  /** Args: microseconds. Sleeps on a guest timer. */
  Sleep: 21,
  /**
   * Args: address-space number. The items that follow belong to it (traces of several processes).
   */
  SwitchTo: 22,
  /** Args: first page, pages. The pages are discarded (madvise DONTNEED). */
  Discard: 23,
  /** Args: first page, new first page, pages. */
  Mremap: 24,
  /**
   * The source has no more items *yet*: the driver must feed it. Nothing may follow in the block.
   */
  Starved: 25,
  /** Args: from trace events: child address-space number (fork) of the current one. */
  ForkTo: 26,
  /** Args: bytes, as `AwaitRequest` has read them. They are acknowledged: the request ends. */
  Acknowledge: 28,
  /**
   * Args: first page, pages; 0 pages = everything. The TLBs drop what they hold of the range for
   * the current address space, or all of the VM. The kernel does nothing: trace studies that honour
   * events.
   */
  Invalidate: 27,
  /**
   * No arguments. The child runs `Program.fork()` in the address space of its parent, which sleeps
   * until the child executes a program or ends.
   */
  Vfork: 29,
  /** Args: number. The process holds both ends of a new pipe of that number; children inherit. */
  Pipe: 30,
  /** Args: number, bytes. Sleeps until all of them have come, or nobody can write any more. */
  ReadPipe: 31,
  /** Args: number, bytes. Sleeps until all are in the pipe. Ends the process if nobody reads. */
  WritePipe: 32,
  /** Args: number, 1 = the write end, else the read end. */
  ClosePipe: 33,
} as const;

export type RegionKind = 'code' | 'anon' | 'file' | 'shared';

/** A mapping of a process: `pages` pages of 4 KiB from `start` (a page number below 15 << 27). */
export interface Region {
  readonly name: string;
  readonly start: number;
  readonly pages: number;
  readonly kind: RegionKind;
  readonly writable: boolean;
  /** 12 or 21: what the guest kernel backs it with. A 21 region is 512-page aligned. */
  readonly pageShift: number;
  /** True: mapped before the run starts, as a program that has been running for long. */
  readonly populated: boolean;
}

/** The stream of one thread. */
export interface Program {
  /**
   * Writes up to `room` items from number `at` on (machine/items.ts); returns how many. An
   * operation is always the last item of a fill: the kernel performs it before it asks for more. 0
   * ends the thread, and the process with its last one. HOT.
   */
  fill(at: number, room: number): number;
  /**
   * As `fill`, but ordinary visits are not drawn: when they come next it returns 0 and `stretch`
   * says what they do in all, up to the next step that is none, or visit that lacks `rights`.
   * Absent: nothing can be skipped.
   */
  skip?(at: number, room: number, stretch: Stretch, rights?: PageRights): number;
  /** Which of its mixes the visits of the last fill were of. */
  readonly mix?: number;
  /** What the child of the `Fork` or `Vfork` just emitted runs. */
  fork(): Program;
  /** The image the `Exec` just emitted loads. */
  exec(): ProcessImage;
}

export interface ProcessImage {
  readonly regions: readonly Region[];
  /** One for each thread, at least one. They share the address space and its tables. */
  readonly programs: readonly Program[];
}

/**
 * How requests reach a server: independent of how fast it serves (open), from waiting clients
 * (closed), or as pieces of a stream of which so many may be under way (window), the next one a
 * round trip after the acknowledgement of one.
 */
export type Arrivals =
  | { readonly kind: 'open'; readonly perSecond: number }
  | { readonly kind: 'window'; readonly pieces: number; readonly roundTripPicoseconds: number }
  | { readonly kind: 'closed'; readonly clients: number; readonly thinkPicoseconds: number };

export interface Workload {
  /** Processes that exist at power-on. */
  readonly processes: readonly ProcessImage[];
  /** Undefined: the VM serves no requests. */
  readonly arrivals?: Arrivals | undefined;
  /** Bytes of a request. */
  readonly requestBytes?: number | undefined;
  /**
   * Its programs can skip ordinary visits: none of those touches a page for the first time, or
   * follows the others in an order that matters.
   */
  readonly skips?: boolean | undefined;
  /** Units of work after which the VM is done; undefined = runs forever. */
  readonly work?: number | undefined;
  /**
   * What `WorkDone` counts, in the plural: `requests`, `jobs`, `iterations`; or
   * MILLION_INSTRUCTIONS, where results tell the instructions executed instead.
   */
  readonly unit: string;
  /** Cycles per instruction of user code × 256. */
  readonly cpiQ8: number;
  /** Share of a data stall hidden by the core, in 1/256. */
  readonly overlapQ8: number;
  /** False: the guest kernel does nothing of its own (no ticks, no fault cost): trace studies. */
  readonly kernel: boolean;
  /** Guest timeslice in user instructions. */
  readonly quantumInstructions: number;
  /** Timer ticks a second, 0 = none; undefined = those of the guest kernel. */
  readonly hz?: number | undefined;
}

export interface WorkloadDeps {
  /** Root seed of the run. */
  readonly seed: string;
  /** Name of the VM, part of every stream's name: `vm/web-0/...`. */
  readonly vm: string;
  /** Guest memory in 4 KiB pages, for checks. */
  readonly memoryPages: number;
  /** False: nobody looks at the lines of visits. */
  readonly dataLines?: boolean;
  /**
   * Opens a trace named in the scenario; throws when the caller cannot supply it. `again`: it will
   * be read several times, so it is worth keeping.
   */
  openTrace(file: string, again: boolean): TraceFeed;
  /** Made only to check its rules: tables as large as its memory are left out. */
  readonly checking?: boolean;
}

/**
 * Bytes of a page trace, handed over by a caller who can read files. The model pulls; the driver
 * refills.
 */
export interface TraceFeed {
  /** The next chunk that is ready. Undefined = none yet (starved) or, when `ended`, no more. */
  take(): Uint8Array | undefined;
  readonly ended: boolean;
  /** Start over from the first byte (looped traces). */
  rewind(): void;
  /** What messages call it. */
  readonly name: string;
}

export type WorkloadDefinition<P extends z.ZodObject = z.ZodObject> = Definition<
  Workload,
  WorkloadDeps,
  P
>;
export const workloadRegistry = (definitions: readonly WorkloadDefinition[]) =>
  registry<Workload, WorkloadDeps>('workload', definitions);

import type { Cycles } from '../base/ids.ts';
import { UNAWAITED } from '../hypervisor/guest-port.ts';
import type { AddressSpace } from './address-space.ts';
import { SpaceRights } from './process-rights.ts';
import type { Program } from './workloads/workload.ts';

/** A process of the guest: an address space, its threads, and what becomes of its children. */
export class Process {
  space: AddressSpace;
  readonly parent: Process | null;
  /** Those that have not ended. It ends with the last of them. */
  readonly threads = new Set<Thread>();
  /** Children that have ended and were not waited for yet. */
  ended = 0;
  /** Its threads that wait for a child to end, first come first served. */
  readonly waiting: Thread[] = [];
  /** Ends of pipes it holds, by number. */
  readonly pipes = new Map<number, Ends>();
  /** The thread whose address space it borrows, until it has one of its own (vfork). */
  lender: Thread | null = null;

  #rights: SpaceRights | undefined;
  #rightsIn: AddressSpace | undefined;

  /** It is one more user of the space. */
  constructor(space: AddressSpace, parent: Process | null) {
    this.space = space;
    space.users++;
    this.parent = parent;
  }

  /** What its pages may be used for without a fault. */
  get rights(): SpaceRights {
    if (this.#rights === undefined || this.#rightsIn !== this.space) {
      this.#rights = new SpaceRights(this.space);
      this.#rightsIn = this.space;
    }
    return this.#rights;
  }
}

/** What a thread of the guest is doing. */
export const State = {
  Runnable: 0,
  Io: 1,
  Request: 2,
  Child: 3,
  Sleep: 4,
  Pipe: 5,
  Vfork: 6,
} as const;
export type State = (typeof State)[keyof typeof State];

/**
 * Bytes that a thread still has to move. They move in pieces, between which others may run: what
 * the kernel executes for them depends on their number alone, when it does so on the devices.
 */
export interface Transfer {
  readonly kind: 'receive' | 'send' | 'disk';
  /** Bytes the kernel has not started on. */
  left: number;
  /** Bytes the disk has been asked for. */
  fetched: number;
  /** Time of the disk for each byte. */
  readonly pace: Cycles;
  /** The thread goes on when the other side has got it, not only when it is on its way. */
  readonly waits: boolean;
  /** The disk is written. */
  readonly write: boolean;
}

/** What is between the two ends of a pipe (pipes.ts). */
export class Pipe {
  /** Bytes written and not read yet. */
  held = 0;
  /** Processes that hold its ends. */
  readers = 1;
  writers = 1;
  /** Threads that sleep because it is empty, or full. */
  readonly reading: Thread[] = [];
  readonly writing: Thread[] = [];
}

/** The ends of a pipe that a process holds. */
export interface Ends {
  readonly pipe: Pipe;
  readonly reads: boolean;
  readonly writes: boolean;
}

/** Bytes that a thread still has to read from a pipe, or to write to it. */
export interface PipeTransfer {
  readonly kind: 'read' | 'write';
  readonly pipe: Pipe;
  left: number;
}

/** What the guest kernel schedules: a program that runs in the address space of a process. */
export class Thread {
  /** A thread that replays a trace moves from process to process, as the trace does. */
  process: Process;
  program: Program;
  state: State = State.Runnable;
  /** When it is to wake: end of its sleep. */
  due: Cycles = 0;
  /** The I/O that it waits for. */
  io = UNAWAITED;
  /** Arrival time of the request it serves; NaN = none. */
  request = Number.NaN;
  /** The transfer under way, which continues before its program does. */
  transfer: Transfer | PipeTransfer | null = null;
  /** Instructions since its program began; of one that has long been running, many. */
  executed = Infinity;
  /** Instructions left of its timeslice. */
  quantum = 0;

  constructor(process: Process, program: Program) {
    this.process = process;
    this.program = program;
    process.threads.add(this);
  }

  /** It goes on in another process, as the lines of a trace do. */
  moveTo(process: Process): void {
    this.process.threads.delete(this);
    this.process = process;
    process.threads.add(this);
  }
}

import type { Cycles } from '../base/ids.ts';
import type { AddressSpace } from './address-space.ts';
import type { Transfer } from './transfers.ts';
import type { Program } from './workloads/workload.ts';

/** A process of the guest: an address space, and what becomes of its children. */
export class Process {
  space: AddressSpace;
  readonly parent: Process | null;
  /** Children that have ended and were not waited for yet. */
  ended = 0;
  /** Its thread that waits for a child to end. */
  waiting: Thread | null = null;

  constructor(space: AddressSpace, parent: Process | null) {
    this.space = space;
    this.parent = parent;
  }
}

/** What a thread of the guest is doing. */
export const State = { Runnable: 0, Io: 1, Request: 2, Child: 3, Sleep: 4 } as const;
export type State = (typeof State)[keyof typeof State];

/** What the guest kernel schedules: a program that runs in the address space of a process. */
export class Thread {
  /** A thread that replays a trace moves from process to process, as the trace does. */
  process: Process;
  program: Program;
  state: State = State.Runnable;
  /** When it is to wake: end of its I/O or of its sleep. */
  due: Cycles = 0;
  /** Arrival time of the request it serves; NaN = none. */
  request = Number.NaN;
  /** The transfer under way, which continues before its program does. */
  transfer: Transfer | null = null;
  /** Instructions left of its timeslice. */
  quantum = 0;

  constructor(process: Process, program: Program) {
    this.process = process;
    this.program = program;
  }
}

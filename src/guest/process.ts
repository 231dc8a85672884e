import type { Cycles } from '../base/ids.ts';
import type { AddressSpace } from './address-space.ts';
import type { Transfer } from './transfers.ts';
import type { Program } from './workloads/workload.ts';

/** What a process of the guest is doing. */
export const State = { Runnable: 0, Io: 1, Request: 2, Child: 3, Sleep: 4 } as const;
export type State = (typeof State)[keyof typeof State];

/** A process of the guest: an address space and the program that runs in it. */
export class Process {
  space: AddressSpace;
  program: Program;
  readonly parent: Process | null;
  state: State = State.Runnable;
  /** When it is to wake: end of its I/O or of its sleep. */
  due: Cycles = 0;
  /** Children that have ended and have not been waited for. */
  ended = 0;
  /** Arrival time of the request it serves; NaN = none. */
  request = Number.NaN;
  /** The transfer under way, which continues before its program does. */
  transfer: Transfer | null = null;
  /** Instructions left of its timeslice. */
  quantum = 0;

  constructor(space: AddressSpace, program: Program, parent: Process | null) {
    this.space = space;
    this.program = program;
    this.parent = parent;
  }
}

import type { FaultPort } from './core.ts';

/** The vCPU that a core executes, as the hardware sees it. */
export interface CoreContext {
  readonly vcpu: number;
  readonly vm: number;
  readonly nested: boolean;
  /** The table that the hardware walks first: guest (native, nested) or shadow root node. */
  root: number;
  nestedRoot: number;
  /** Native: first host frame of the VM, since its tables hold guest frames. */
  frameBase: number;
  /** Cycles per instruction × 256. */
  cpiQ8: number;
  /** Share of a data stall that is not hidden, in 1/256. */
  exposedQ8: number;
  port: FaultPort;
  /** Trace studies with a tag per address space: its number, else 0. */
  space: number;
}

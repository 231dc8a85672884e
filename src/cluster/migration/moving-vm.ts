import type { Cycles } from '../../base/ids.ts';

/** The VM that moves, and its memory at both ends, as a migration needs them. */
export interface MovingVm {
  readonly name: string;
  /** Pages of 4 KiB. */
  readonly memoryPages: number;
  /** The page has never been stored to. */
  isEmpty(gfn: number): boolean;
  /** From now on the first store to each page is noted. */
  startLog(): void;
  /** Has been stored to since the log was read. */
  isLogged(gfn: number): boolean;
  /** Reads and clears the log: pages stored to, into `out`; returns how many. */
  takeLog(out: Int32Array): number;
  stopLog(): void;
  /** Holds all vCPUs; `held` is called when the last one has left its pCPU. */
  pause(held: (now: Cycles) => void): void;
  unpause(now: Cycles): void;
  /** The content of a page has arrived at the target. */
  store(gfn: number): void;
  /** It is the target's from now on, still held. */
  move(now: Cycles): void;
  /** It has moved, and the source need not keep its memory any longer. */
  release(): void;
  /** It stays: what the target holds for it is given back. */
  stay(): void;
  /**
   * After the move: `missed` is called when it touches a page that was never stored at the target;
   * the page is there for it then, so the caller holds the VM until its content has come.
   */
  onMiss(missed: ((gfn: number, now: Cycles) => void) | undefined): void;
}

import type { Cycles } from '../../base/ids.ts';

/** The VM that moves, and its memory at both ends, as a migration needs them. */
export interface MovingVm {
  readonly name: string;
  /** Pages of 4 KiB. */
  readonly memoryPages: number;
  /** The page has never been stored to. */
  isEmpty(gfn: number): boolean;
  /**
   * From now on the first store to each page is noted. `forgotten` is called when no vCPU can store
   * to a page without that any longer.
   */
  startLog(forgotten: (now: Cycles) => void): void;
  /** Has been stored to since the log was read. */
  isLogged(gfn: number): boolean;
  /**
   * Reads and clears the log: pages stored to, into `out`; returns how many. What they contain may
   * be read once `forgotten` has been called.
   */
  takeLog(out: Int32Array, forgotten: (now: Cycles) => void): number;
  /** Cycles that the last `startLog` or `takeLog` takes whoever called it. */
  readonly logCycles: Cycles;
  stopLog(): void;
  /** Holds all vCPUs; `held` is called when the last one has left its pCPU. */
  pause(held: (now: Cycles) => void): void;
  unpause(now: Cycles): void;
  /** The content of a page has arrived at the target. */
  store(gfn: number): void;
  /** What the target has of a page is out of date. */
  drop(gfn: number): void;
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

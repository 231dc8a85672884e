import type { Cycles } from '../base/ids.ts';

/** A time of the engine: whole ticks, of which each cycle of a host has a fixed number. */
export type Ticks = number;

/**
 * The cycles of a host in the time of the engine. A host acts at the edges of its own clock only:
 * what reaches it between two of them takes effect at the later one.
 */
export class Timebase {
  /** Of hosts whose cycles are the ticks of the engine. */
  static readonly same = new Timebase(1);
  /** Ticks in a cycle. */
  readonly ticks: number;

  constructor(ticks: number) {
    this.ticks = ticks;
  }

  /** When a cycle begins. */
  engine(cycles: Cycles): Ticks {
    return cycles * this.ticks;
  }

  /** The first cycle that begins at `time` or later. */
  local(time: Ticks): Cycles {
    return this.ticks === 1 ? time : Math.ceil(time / this.ticks);
  }

  /** Whole cycles that have passed at `time`. */
  passed(time: Ticks): Cycles {
    return this.ticks === 1 ? time : Math.floor(time / this.ticks);
  }

  /** The first cycle that does not begin before a cycle of another host. */
  from(other: Timebase, cycles: Cycles): Cycles {
    return other.ticks === this.ticks ? cycles : this.local(other.engine(cycles));
  }
}

/** Beyond these, divisions of ticks by the ticks of a cycle would not be exact. */
export const MOST_TICKS: Ticks = 2 ** 51;

/**
 * Ticks in a second: the fewest that make the cycles of all `clocks` (Hz) whole numbers of them.
 */
export const tickRate = (clocks: readonly number[]): number =>
  clocks.reduce((rate, clock) => (rate / commonDivisor(rate, clock)) * clock);

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

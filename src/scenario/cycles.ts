import type { Ticks, Timebase } from '../engine/timebase.ts';

/**
 * Amounts of time in whole cycles of a host. Their sum is that of the amounts: what has been
 * counted
 * on hosts of other clocks may be no whole number of these cycles.
 */
export function inCycles(amounts: readonly Ticks[], { ticks }: Timebase): number[] {
  let sum = 0;
  let before = 0;
  return amounts.map((amount) => {
    sum += amount;
    const cycles = Math.round(sum / ticks) - before;
    before += cycles;
    return cycles;
  });
}

/** The same of one amount. */
export const asCycles = (amount: Ticks, { ticks }: Timebase): number => Math.round(amount / ticks);

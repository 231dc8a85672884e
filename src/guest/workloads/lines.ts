import { zipfWeights } from './zipf.ts';

/**
 * Which 64-byte lines of its page a visit touches: at which it begins, how many they are, and
 * whether they are a sequence that the processor fetches ahead.
 */

/** Bit of an item: the lines of the visit continue a sequence, which prefetchers recognize. */
export const SEQUENTIAL = 1 << 24;

/**
 * Lines in a row from which a visit counts as a sequence of its own: prefetchers start after misses
 * to neighbouring lines, and shorter runs are over before they help. assumed (3-8)
 */
const SEQUENCE = 4;

/** The lines of a visit as bits of an item: the first, how many, and the sequential bit. */
export const lineBits = (line: number, lines: number): number =>
  (line << 8) | (lines << 16) | (lines >= SEQUENCE ? SEQUENTIAL : 0);

/** Bits of a random number that choose the line, and so the entries of a table. */
export const LINE_BITS = 10;
const ENTRIES = 1 << LINE_BITS;

/** How often each line of a page is used. */
export interface LineLaw {
  /** Which of `LAWS` places for tables its own takes. */
  readonly slot: number;
  /** By random bits: how far the line lies behind the most used one. */
  readonly table: Uint8Array;
}

/** How many laws have their tables at hand at a time. */
export const LAWS = 128;
let nextSlot = 0;
const known = new Map<string, LineLaw>();

/**
 * The law by which the k-th most used of `hotLines` lines of a page is used 1/k^`skew` as often as
 * the first. Shares are exact to 1/1024.
 */
export function lineLaw(hotLines: number, skew: number): LineLaw {
  const key = `${hotLines} ${skew}`;
  let law = known.get(key);
  if (law === undefined) {
    // A long sweep may try any number of exponents.
    if (known.size === LAWS) known.clear();
    law = { slot: nextSlot++ % LAWS, table: tableOf(hotLines, skew) };
    known.set(key, law);
  }
  return law;
}

function tableOf(hotLines: number, skew: number): Uint8Array {
  const weights = zipfWeights(hotLines, skew);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const table = new Uint8Array(ENTRIES);
  let sum = 0;
  let from = 0;
  for (let rank = 0; rank < hotLines; rank++) {
    sum += weights[rank]!;
    // Rounding the running sum keeps the total exact.
    const to = Math.round((sum / total) * ENTRIES);
    table.fill(rank, from, to);
    from = to;
  }
  return table;
}

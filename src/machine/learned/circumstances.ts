/**
 * Under which circumstances a core does a piece of work: how the VM came to the core, how long it
 * has had it, or its process has run, and how long ago its translations were flushed. Numbers below
 * CIRCUMSTANCES.
 */

/** How much others have done on the core since the VM left it, and whether it was elsewhere. */
const ENTRIES = 12;
/** By powers of two of the instructions since it took the core, or its process began. */
export const AGES = 17;
/** By powers of four of the instructions since its last flush. */
export const FLUSHES = 9;

export const PER_ENTRY = AGES * FLUSHES;
export const CIRCUMSTANCES = ENTRIES * PER_ENTRY;

const bits = (n: number): number => 32 - Math.clz32(n);

/** Instructions below 2^30 -> a class of age, and where the next one begins. */
export const ageOf = (n: number): number => Math.min(AGES - 1, Math.max(0, bits(n) - 10));
export const ageEnd = (n: number): number => {
  const age = ageOf(n);
  return age === AGES - 1 ? Infinity : 2 ** (age + 10);
};

/** The same since the last flush. */
export const flushOf = (n: number): number =>
  Math.min(FLUSHES - 1, Math.max(0, (bits(n) - 9) >> 1));
export const flushEnd = (n: number): number => {
  const since = flushOf(n);
  return since === FLUSHES - 1 ? Infinity : 2 ** (2 * since + 10);
};

/** Instructions for which circumstances last, about. */
export const spanOf = (circumstances: number): number => {
  const age = Math.floor((circumstances % PER_ENTRY) / FLUSHES);
  return Math.min(2 ** (age + 9), 2 ** (2 * (circumstances % FLUSHES) + 10));
};

/** `away`: cycles others had the core; `moved`: the VM has been on another one meanwhile. */
export const entryOf = (away: number, moved: boolean): number => {
  const busy = Math.min(2 ** 30, away);
  const length = Math.min(5, Math.max(0, (bits(busy) - 13) >> 1));
  return length + (moved ? 6 : 0);
};

/** `since`: the last flush, or the last time that the same was done. */
export const circumstancesOf = (entry: number, age: number, since: number): number =>
  entry * PER_ENTRY + ageOf(age) * FLUSHES + flushOf(since);

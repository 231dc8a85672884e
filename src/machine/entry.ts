/** Words of an entry of a TLB, by offset (assoc.ts). Those of a walk cache begin alike (walk-cache.ts). */
export const WORDS = 10;
export const KEY = 0;
export const TAG = 1;
/** Next entry of the same hash head. */
export const CHAIN = 2;
/** Neighbours in the set's order of recency. */
export const NEXT = 3;
export const PREV = 4;
/** Payload: host frame, flags, leaf slot of the guest's table, flush sequence at fill. */
export const FRAME = 5;
export const FLAGS = 6;
export const SLOT = 7;
export const SEQ = 8;
/** The sentinel of the entry's set; never changes. */
export const HOME = 9;

/** Words of one TLB array in the core's table of arrays: heads, shift, sentinels, set mask, and those that follow. */
export const CFG = 8;
/** Where the number of resident 4K entries of its level and side is; the other sizes follow. */
export const RESIDENT = 4;
/** A bit per size: the L2 holds what is evicted here. */
export const BELOW = 5;
export const SIDE = 6;

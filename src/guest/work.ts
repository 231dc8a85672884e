/** Outcome of a fault. */
export const FaultOutcome = {
  /** The access can be repeated. */
  Fixed: 0,
  /** No mapping contains the page. */
  Unmapped: 1,
  /** A store to a mapping that cannot be written. */
  Denied: 2,
  /** A region of large pages, and too little consecutive memory is left for one. */
  NoLargePage: 3,
} as const;
export type FaultOutcome = (typeof FaultOutcome)[keyof typeof FaultOutcome];

/** What a change of a range did, for its price. */
export interface Change {
  /** Entries that changed, and the first and last page of them. */
  changed: number;
  first: number;
  last: number;
  /** Pages that nobody maps any more. */
  freed: number;
  /** Entries of last-level tables that were examined, empty ones included. */
  scanned: number;
}

/** What a fault did besides finding its mapping, for its price. */
export interface FaultWork {
  /** Pages taken from the allocator. */
  taken: number;
  /** Pages found in the page cache, and mapped: its own, and others around it. */
  found: number;
  around: number;
}

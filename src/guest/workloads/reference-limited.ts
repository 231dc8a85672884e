import type { Program } from './workload.ts';

/** A stream that can be cut after a number of references, if need be in the middle of a visit. */
export interface ReferenceLimited {
  /**
   * The next fills may emit at most this many references in total (`Infinity`: no limit). A visit
   * that is cut goes on, and looks its page up again, in the first fill under a new limit. A fill
   * that returns 0 before the stream has `finished` means that the limit is used up.
   */
  limit(references: number): void;
  /** References that may still be emitted. */
  readonly remaining: number;
  /** Nothing will follow. Reads ahead; exact unless the source is starved. */
  readonly finished: boolean;
}

/** Whether a program can be given turns counted in references. */
export const isReferenceLimited = (program: Program): program is Program & ReferenceLimited =>
  'limit' in program;

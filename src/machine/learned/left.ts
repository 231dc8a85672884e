/** Instructions, and cycles, above which nothing changes any more. */
export const MOST = 2 ** 30;

/** What a core knows of a vCPU that has left it. */
export interface Left {
  /** Busy cycles of the core by then. */
  at: number;
  age: number;
  entry: number;
  sinceFlush: number;
  /** Its instructions here, and by path of its kernel: what they were when that ran last. */
  instructions: number;
  readonly paths: Float64Array;
}

/** A vCPU that the core has never had. */
export const never = (): Left => ({
  ...{ at: 0, age: 0, entry: 0, sinceFlush: 0, instructions: 0 },
  paths: new Float64Array(64).fill(-MOST),
});

/**
 * `no-turn`: a VM wanted a pCPU and got none; `few-slices`: the window is shorter than a round of
 * slices; `few-requests`: too few for some percentiles; `drift`: the cost of an instruction still
 * changes; `queue-grows`: requests arrive faster than they are served; `trace-ended`: a trace ended
 * before the window did.
 */
export const findingKinds = [
  'no-turn',
  'few-slices',
  'few-requests',
  'drift',
  'queue-grows',
  'trace-ended',
] as const;
export type FindingKind = (typeof findingKinds)[number];

/** Why the measured window is too short for something that is read from it. */
export interface WindowFinding {
  readonly kind: FindingKind;
  readonly vms: readonly string[];
  /** One line for people. */
  readonly message: string;
  /** How long the window would have to be, in picoseconds; absent where a longer one is no cure. */
  readonly needed?: number;
}

/** A quantile is more than the maximum in disguise when at least ten values lie above it. */
export const requestsNeeded = (quantile: number): number => Math.round(10 / (1 - quantile));

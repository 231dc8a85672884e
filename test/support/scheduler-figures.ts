/**
 * What is known of the schedulers of real hypervisors, as figures with tolerances. They were written down before the
 * tests that use them ran for the first time, and a tolerance does not move after a look at the result.
 */
export interface Range {
  readonly low: number;
  readonly high: number;
}
const within = (value: number, tolerance: number): Range => ({
  low: value - tolerance,
  high: value + tolerance,
});

/** A guest that sleeps over every tick of credit, beside a hog on one pCPU: share of the pCPU (Xen 78c9b2a64b). */
export const TICK_DODGER = {
  tick: { low: 0.9, high: 1 },
  timestamp: within(0.5, 0.03),
} as const;

/** Turns in ms of n hogs on one pCPU of a host with 8, HZ 1000: arithmetic of the kernel, rounded up to a tick. */
export const CFS_TURNS: readonly (readonly [version: string, hogs: number, turn: Range])[] = [
  ['2.6.33', 2, { low: 10, high: 11 }],
  ['2.6.31', 2, { low: 40, high: 41 }],
  ['2.6.33', 5, { low: 4, high: 5 }],
  ['2.6.33', 6, { low: 4, high: 5 }],
];

/** Share of a VM with a budget of 4 ms in 10 ms beside a hog: rtds. */
export const RTDS_SHARE = within(0.4, 0.003);

/** Share, on average over windows of 300 ms, of a VM with a cap of 25 % on an idle host: credit; bursts of 30 ms at least. */
export const CREDIT_CAP = { share: within(0.25, 0.01), burstMs: 30, windowMs: 300 } as const;

/** Wait in ms of a VM that wakes up beside one hog. */
export const WAKE_WAIT = {
  credit: { mean: { low: 0, high: 0.1 } },
  cfs: { median: { low: 0, high: 0.1 } },
  // Half of what is left of a turn of 30 ms.
  roundRobin: { mean: within(15, 3) },
} as const;

/** Share of a VM with 5 ms in 20 ms and no extra time, with and without others (sEDF mini-HOWTO). */
export const SEDF_SLICE = within(0.25, 0.002);
/** Shares of VMs of weights 2, 7 and 3 beside one of 3 ms in 10 ms. The document gives no tolerance. */
export const SEDF_WEIGHTS: readonly Range[] = [0.117, 0.408, 0.175].map((share) =>
  within(share, 0.005),
);

/** Share over (weight / sum of weights) under bvt, over 100 context-switch allowances. */
export const BVT_SHARE = within(1, 0.01);

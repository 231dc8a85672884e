import type { Verdict } from './evidence.ts';
import type { Objective } from './objective.ts';
import type { Lengthened, Trial } from './trial.ts';
import type { UnitResult } from './unit.ts';
import { quantileOf, type Witness } from './weigh.ts';
import { gotNothing } from './windows.ts';

/** What a search says of one value: plain data, without infinities. Times are in milliseconds. */
export interface Tested {
  readonly value: string;
  readonly verdict: Verdict;
  /** Runs with the last window. */
  readonly runs: number;
  /**
   * The VM that is furthest from the objective; undefined when it is about the host or an average.
   */
  readonly vm: { readonly vm: string; readonly group: string } | undefined;
  /**
   * Of the measure, in its unit, in that VM; undefined when it has no bound or was not measured.
   */
  readonly mean: number | undefined;
  /** Interval of the mean that the verdict was read from. */
  readonly interval: readonly [number, number] | undefined;
  /**
   * Where the objective is a percentile: which share of the requests of that VM took the limit or
   * longer.
   */
  readonly share: Share | undefined;
  /** Set when the VM got nothing done. */
  readonly nothing: string | undefined;
  readonly window: { readonly warmup: number; readonly length: number } | undefined;
  readonly longer: readonly Lengthened[];
  /** Set when it is undecided. */
  readonly missing:
    | {
        readonly because: string;
        /** Requests of a VM that it would take in all runs. */
        readonly requests: number | undefined;
        readonly duration: number | undefined;
      }
    | undefined;
}

export interface Share {
  readonly requests: number;
  readonly mean: number;
  readonly interval: readonly [number, number];
  /** The objective allows less than this. */
  readonly allowed: number;
}

const ms = (picoseconds: number) => Number((picoseconds / 1e9).toPrecision(9));

export function tested(objective: Objective, value: string, trial: Trial): Tested {
  const { verdict, n, results, window, weighed, worst, missing } = trial;
  const vm = worst?.vm === undefined ? undefined : { vm: worst.vm, group: worst.group! };
  const interval = worst && intervalOf(objective, worst, trial.tail);
  const mean = meanOf(objective, trial);
  return {
    value,
    verdict,
    runs: n,
    vm,
    mean,
    interval: weighed.shares ? undefined : interval,
    share:
      weighed.shares && worst && interval
        ? {
            requests: worst.requests,
            mean: Math.abs(worst.evidence.mean),
            interval: [Math.max(0, interval[0]), Math.min(1, interval[1])],
            allowed: Math.abs(weighed.limit),
          }
        : undefined,
    nothing: vm && (mean === undefined || weighed.shares) ? gotNothing(results, vm.vm) : undefined,
    window: window && { warmup: ms(window.warmup), length: ms(window.length) },
    longer: trial.longer.map(({ length, because }) => ({ length: ms(length), because })),
    missing: missing && {
      ...missing,
      duration: missing.duration === undefined ? undefined : ms(missing.duration),
    },
  };
}

/** Undefined when the runs are too few for one, or the value has no bound. */
function intervalOf(
  { below }: Objective,
  { evidence }: Witness,
  tail: number,
): readonly [number, number] | undefined {
  const { low, high } = evidence.bounds(tail);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return undefined;
  return below ? [low, high] : [-high, -low];
}

function meanOf(objective: Objective, { weighed, worst, results }: Trial): number | undefined {
  if (!worst) return undefined;
  const quantile = quantileOf(objective);
  if (quantile !== undefined) return pooledQuantile(results, worst.vm, quantile);
  const { mean } = worst.evidence;
  if (!Number.isFinite(mean)) return undefined;
  return objective.below || weighed.shares ? mean : -mean;
}

/** Of all requests of a VM in all replications, in ns; what is not finished counts with its age. */
export function pooledQuantile(
  results: readonly UnitResult[],
  vm: string | undefined,
  quantile: number,
): number | undefined {
  const all = results
    .flatMap(({ vms }) => vms.filter((row) => vm === undefined || row.vm === vm))
    .flatMap(({ requests }) => (requests ? [...requests.served, ...requests.unfinished] : []))
    .sort((a, b) => a - b);
  return all[Math.max(0, Math.ceil(quantile * all.length) - 1)];
}

import { binomialBounds, estimate, estimateRatio, type Part } from '../stats/replications.ts';

/**
 * What replications say about one VM, or about the host, and whether it keeps to a limit.
 * Everything is turned so that small is good: a value must stay below its limit.
 */
export interface Bounds {
  /** The truth is not below `low`, and not above `high`, but for a risk of `tail` each. */
  readonly low: number;
  readonly high: number;
}

export interface Evidence {
  readonly mean: number;
  /** False: too little to say that the limit is kept, whatever the bounds say. */
  readonly enough: boolean;
  bounds(tail: number): Bounds;
}

const OPEN: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/** A value for each replication. One without bound is beyond every limit. */
export function valueEvidence(samples: readonly number[]): Evidence {
  const mean = estimate(samples)?.mean ?? Number.NaN;
  return {
    mean,
    enough: samples.length > 1,
    bounds(tail) {
      if (mean === Number.POSITIVE_INFINITY) return { low: mean, high: mean };
      const half = estimate(samples, 1 - 2 * tail)?.halfWidth;
      return half === undefined ? OPEN : { low: mean - half, high: mean + half };
    },
  };
}

/** Requests of one replication against the limit of a percentile. */
export interface Counted {
  readonly n: number;
  /** Those that took the limit or longer, or are as old and not finished. */
  readonly over: number;
  /** Those that are not finished and younger: nobody knows. */
  readonly unknown: number;
}

/** Requests that count as one: what delays a request delays those that wait with it (assumed). */
const TOGETHER = 3;

/**
 * The share of requests that take the limit or longer. Requests of one run depend on each other
 * (they wait in one queue), so the bounds are those of replications. But few replications without a
 * slow request have no spread at all, so the binomial bounds have to hold too, of a third of the
 * requests. What is unknown counts for the worse bound on each side.
 */
export function shareEvidence(counted: readonly Counted[], needed: number): Evidence {
  const sum = (of: (one: Counted) => number) => counted.reduce((total, one) => total + of(one), 0);
  const n = sum((one) => one.n);
  const over = sum((one) => one.over);
  const unknown = sum((one) => one.unknown);
  const parts = (of: (one: Counted) => number): Part[] =>
    counted.map((one) => ({ part: of(one), whole: one.n }));
  return {
    mean: n > 0 ? (over + unknown / 2) / n : Number.NaN,
    enough: n >= needed,
    bounds(tail) {
      const confidence = 1 - 2 * tail;
      const least = estimateRatio(
        parts((one) => one.over),
        confidence,
      );
      const most = estimateRatio(
        parts((one) => one.over + one.unknown),
        confidence,
      );
      const alone = (hits: number) => binomialBounds(hits / TOGETHER, n / TOGETHER, tail);
      if (least?.halfWidth === undefined || most?.halfWidth === undefined) return OPEN;
      return {
        low: Math.min(least.mean - least.halfWidth, alone(over)[0]),
        high: Math.max(most.mean + most.halfWidth, alone(over + unknown)[1]),
      };
    },
  };
}

/** The same with small and large changed. */
export function turned({ mean, enough, bounds }: Evidence): Evidence {
  return {
    mean: -mean,
    enough,
    bounds(tail) {
      const { low, high } = bounds(tail);
      return { low: -high, high: -low };
    },
  };
}

export type Verdict = 'meets' | 'fails' | 'undecided';

/**
 * Whether all of several VMs keep to a limit. They do when each surely does. They do not when their
 * average surely does not, or one of them: the more are asked, the surer it must be about that one.
 */
export function judge(
  each: readonly Evidence[],
  together: Evidence,
  limit: number,
  tail: number,
): Verdict {
  if (each.length === 0) return 'undecided';
  const [average, single] = each.length === 1 ? [tail, tail] : [tail / 2, tail / 2 / each.length];
  if (together.bounds(average).low >= limit) return 'fails';
  if (each.some((one) => one.bounds(single).low >= limit)) return 'fails';
  return each.every((one) => one.enough && one.bounds(tail).high < limit) ? 'meets' : 'undecided';
}

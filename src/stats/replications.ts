/** Mean and interval over replications: independent runs that differ only in their seed. */
export interface Estimate {
  /** Number of replications. */
  readonly n: number;
  readonly mean: number;
  /** Half-width of the two-sided Student-t interval; undefined with fewer than two replications. */
  readonly halfWidth: number | undefined;
}

/**
 * `confidence` of 0.95: the interval covers the true mean in 95 of 100 experiments. Undefined
 * without samples; a mean that is infinite has no interval.
 */
export function estimate(samples: readonly number[], confidence = 0.95): Estimate | undefined {
  const n = samples.length;
  if (n === 0) return undefined;
  const unbounded = samples.find((x) => !Number.isFinite(x));
  if (unbounded !== undefined) return { n, mean: unbounded, halfWidth: undefined };
  let mean = 0;
  let squares = 0;
  for (const [i, x] of samples.entries()) {
    // Welford: no cancellation when the mean is large and the spread small.
    const delta = x - mean;
    mean += delta / (i + 1);
    squares += delta * (x - mean);
  }
  if (n < 2) return { n, mean, halfWidth: undefined };
  const error = Math.sqrt(squares / (n - 1) / n);
  return { n, mean, halfWidth: error === 0 ? 0 : studentT((1 + confidence) / 2, n - 1) * error };
}

/** A part of a whole in one replication: requests that took too long, of all requests. */
export interface Part {
  readonly part: number;
  readonly whole: number;
}

/**
 * The sum of the parts over the sum of the wholes, with the Student-t interval of a ratio of sums.
 * What happens within one replication may be correlated: the replications are the independent
 * samples. Replications whose whole is zero say nothing. Undefined when all are.
 */
export function estimateRatio(parts: readonly Part[], confidence = 0.95): Estimate | undefined {
  const known = parts.filter(({ whole }) => whole > 0);
  const n = known.length;
  if (n === 0) return undefined;
  const sum = (of: (one: Part) => number) => known.reduce((total, one) => total + of(one), 0);
  const whole = sum((one) => one.whole);
  const mean = sum((one) => one.part) / whole;
  // Deviations of the parts from what the ratio predicts from their wholes; they add up to zero.
  const squares = sum((one) => ((one.part - mean * one.whole) / (whole / n)) ** 2);
  if (n < 2) return { n, mean, halfWidth: undefined };
  const error = Math.sqrt(squares / (n - 1) / n);
  return { n, mean, halfWidth: error === 0 ? 0 : studentT((1 + confidence) / 2, n - 1) * error };
}

/**
 * Clopper-Pearson bounds of the probability behind `hits` of `n` independent trials, each of which
 * is wrong with a probability of at most `tail`. Neither needs to be a whole number.
 */
export function binomialBounds(hits: number, n: number, tail: number): [low: number, high: number] {
  // P(at least k hits) = I_p(k, n - k + 1), which grows with p.
  const atLeast = (k: number, p: number) => regularizedBeta(p, k, n - k + 1);
  const solve = (k: number, probability: number) => {
    let [low, high] = [0, 1];
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (atLeast(k, middle) < probability) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  return [hits <= 0 ? 0 : solve(hits, tail), hits >= n ? 1 : solve(hits + 1, 1 - tail)];
}

/** Quantile of Student's t distribution by bisection. `p` from 0.5 up to, not including, 1. */
export function studentT(p: number, degrees: number): number {
  if (!(p >= 0.5 && p < 1) || !(degrees >= 1)) {
    throw new RangeError(`no Student-t quantile at p = ${p} with ${degrees} degrees of freedom`);
  }
  const tail = 2 * (1 - p);
  // P(|T| > t) = I_x(df/2, 1/2) at x = df / (df + t^2), which falls as t grows.
  const above = (t: number) =>
    regularizedBeta(degrees / (degrees + t * t), degrees / 2, 0.5) > tail;
  let low = 0;
  let high = 1;
  while (above(high)) high *= 2;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (above(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Regularized incomplete beta function I_x(a, b), by Lentz's continued fraction (DLMF 8.17.22). */
export function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below this point; above it the mirror image does.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a);
  const logFront =
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  let c = 1;
  let d = notZero(1 - ((a + b) * x) / (a + 1));
  d = 1 / d;
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / notZero(1 + even * d);
    c = notZero(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / notZero(1 + odd * d);
    c = notZero(1 + odd / c);
    const step = d * c;
    fraction *= step;
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return (Math.exp(logFront) * fraction) / a;
}

const notZero = (x: number) => (Math.abs(x) < 1e-300 ? 1e-300 : x);

/** Lanczos' approximation with g = 7 and nine terms: relative error below 1e-14 for x > 0. */
function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  let sum = 0.9999999999998099;
  for (const [i, term] of terms.entries()) sum += term / (x + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

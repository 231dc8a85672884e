/**
 * Zipf's law in whole numbers: the k-th most popular of n has 1/k^exponent of the weight of the
 * first.
 */

/** What one column of an alias table adds up to: thresholds are 16-bit numbers. */
export const COLUMN = 65_536;

/**
 * Alias table (Vose 1991) of Zipf weights over `n` ranks, three words per column: threshold, the
 * page drawn below it, the page drawn from it on. Weights are first rounded to whole numbers that
 * add up to n columns exactly, and divided up in integer arithmetic, so the table is the same
 * everywhere. `order[rank]` is the page of a rank; null = the rank itself.
 */
export function aliasTable(n: number, exponent: number, order: Int32Array | null): Int32Array {
  const weights = zipfWeights(n, exponent);
  const table = new Int32Array(3 * n);
  // Two stacks in one array: ranks below an even share grow from its start, the others from its
  // end.
  const ranks = new Int32Array(n);
  let small = 0;
  let large = n;
  for (let rank = 0; rank < n; rank++) {
    if (weights[rank]! < COLUMN) ranks[small++] = rank;
    else ranks[--large] = rank;
  }
  const column = (rank: number, threshold: number, other: number) => {
    table[3 * rank] = threshold;
    table[3 * rank + 1] = order ? order[rank]! : rank;
    table[3 * rank + 2] = order ? order[other]! : other;
  };
  while (small > 0 && large < n) {
    const poor = ranks[--small]!;
    const rich = ranks[large]!;
    column(poor, weights[poor]!, rich);
    weights[rich] = weights[rich]! - (COLUMN - weights[poor]!);
    if (weights[rich]! < COLUMN) {
      large++;
      ranks[small++] = rich;
    }
  }
  for (let i = 0; i < small; i++) column(ranks[i]!, COLUMN, ranks[i]!);
  for (let i = large; i < n; i++) column(ranks[i]!, COLUMN, ranks[i]!);
  return table;
}

/** Whole weights of the ranks that add up to `n * COLUMN`. */
export function zipfWeights(n: number, exponent: number): Float64Array {
  const raw = new Float64Array(n);
  for (let k = 0; k < n; k++) raw[k] = Math.fround((k + 1) ** -exponent);
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  const weights = raw.map((weight) => Math.round((weight / total) * n * COLUMN));
  const given = weights.reduce((sum, weight) => sum + weight, 0);
  // The most popular page takes the rounding error, some millionths of the whole.
  weights[0] = weights[0]! + n * COLUMN - given;
  return weights;
}

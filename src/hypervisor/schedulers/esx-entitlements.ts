/** What a vCPU may claim: all in pCPUs, shares in any unit. */
export interface Claim {
  readonly shares: number;
  readonly reservation: number;
  /** Never above 1: a vCPU runs on one pCPU at a time. */
  readonly limit: number;
}

/**
 * Divides `capacity` pCPUs between claims: in proportion to shares, but nobody gets less than its
 * reservation or more than its limit. Water filling: the factor between shares and entitlement is
 * that for which the entitlements add up to the capacity; when all are at their limits, they stay
 * below it. Reservations beyond the capacity shrink alike.
 */
export function entitlements(claims: readonly Claim[], capacity: number): number[] {
  const reserved = claims.reduce((sum, { reservation }) => sum + reservation, 0);
  if (reserved >= capacity) {
    return claims.map(({ reservation, shares }) =>
      // A trace of the shares, so that nobody's is 0.
      Math.max((reservation / reserved) * capacity, shares * 1e-9),
    );
  }
  const at = (factor: number) =>
    claims.map(({ shares, reservation, limit }) =>
      Math.min(Math.max(shares * factor, reservation), limit),
    );
  const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0);
  // The sum of the entitlements rises with the factor and bends where a claim meets a bound.
  const bends = claims
    .flatMap(({ shares, reservation, limit }) => [reservation / shares, limit / shares])
    .toSorted((a, b) => a - b);
  let low = 0;
  for (const bend of bends) {
    if (sum(at(bend)) >= capacity) {
      const rising = claims.filter(
        ({ shares, reservation, limit }) =>
          shares * bend > reservation &&
          shares * low < limit &&
          shares * bend <= limit * (1 + 1e-12),
      );
      const slope = rising.reduce((total, { shares }) => total + shares, 0);
      const missing = capacity - sum(at(low));
      return at(slope > 0 ? low + missing / slope : bend);
    }
    low = bend;
  }
  return at(low);
}

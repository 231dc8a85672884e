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
  // What all get together rises with the factor; where a claim leaves its reservation or meets its
  // limit, it bends.
  const bends = claims
    .flatMap(({ shares, reservation, limit }) => [
      { factor: reservation / shares, slope: shares },
      { factor: limit / shares, slope: -shares },
    ])
    .toSorted((a, b) => a.factor - b.factor);
  let given = reserved;
  let slope = 0;
  let factor = 0;
  for (const bend of bends) {
    const until = given + slope * (bend.factor - factor);
    if (until >= capacity) {
      factor += (capacity - given) / slope;
      break;
    }
    given = until;
    slope += bend.slope;
    factor = bend.factor;
  }
  return claims.map(({ shares, reservation, limit }) =>
    Math.min(Math.max(shares * factor, reservation), limit),
  );
}

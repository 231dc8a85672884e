import type { Campaign } from './campaign.ts';
import { firstReplications, nextReplications } from './replicate.ts';
import type { UnitResult } from './unit.ts';

export interface KnownUnit {
  readonly point: number;
  readonly replication: number;
  readonly stored: boolean;
}

/** The units that a campaign wants, as far as can be told from what is stored, in order. */
export function* knownUnits(campaign: Campaign): Generator<KnownUnit> {
  const { plan } = campaign;
  for (let point = 0; point < plan.points; point++) {
    const results: UnitResult[] = [];
    for (let wanted = firstReplications(plan), replication = 0; replication < wanted; ) {
      for (; replication < wanted; replication++) {
        const result = campaign.result(point, replication);
        if (result) results.push(result);
        yield { point, replication, stored: result !== undefined };
      }
      if (results.length === wanted) wanted = nextReplications(plan, results);
    }
  }
}

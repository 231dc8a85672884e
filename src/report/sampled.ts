import { enumerated } from '../base/collections.ts';
import type { SamplingOutcome } from '../stats/result.ts';
import { percent } from './table.ts';

/** What of a long run was simulated in detail, and how well that tells what the rest costs. */
export function samplingText({ detail, groups, target, windows }: SamplingOutcome): string {
  const known = groups.flatMap(({ group, halfWidth }) =>
    halfWidth === undefined ? [] : [`${group} ±${percent(halfWidth)} %`],
  );
  const unknown = groups.flatMap(({ group, halfWidth }) =>
    halfWidth === undefined ? [group] : [],
  );
  const missed = groups.some(({ halfWidth = 0 }) => halfWidth > target);
  const than = missed ? `, more than the target of ${percent(target)} %` : '';
  return (
    `${percent(detail)} % of the time in detail, in ${windows} windows; the rest at the costs ` +
    `learned there${known.length > 0 ? `: ${known.join(', ')} (95 % intervals${than})` : ''}` +
    (unknown.length > 0 ? `; ${enumerated(unknown)} did too little in them to tell` : '')
  );
}

import { type MeasureName, measures } from '../stats/measures.ts';
import { estimate } from '../stats/replications.ts';
import type { Plan } from './plan.ts';
import type { UnitResult } from './unit.ts';

/** How many replications a point gets: fixed, or until its intervals are narrow enough. */

/** Where nothing else is asked for, this has to be precise. */
const DEFAULT_METRIC: MeasureName = 'cycles_per_instruction';
/** No interval from fewer. */
const FEWEST = 2;

/** Replications that every point gets. */
export function firstReplications({ precision, replications, maxReplications }: Plan): number {
  if (precision === undefined) return replications;
  return Math.min(Math.max(FEWEST, replications), maxReplications);
}

/**
 * The next number of replications after `results`, all there are of a point so far; the same number
 * when they are enough. Depends on nothing but the results, so that workers and interruptions
 * change nothing.
 */
export function nextReplications(plan: Plan, results: readonly UnitResult[]): number {
  const n = results.length;
  if (plan.precision === undefined || n >= plan.maxReplications || isPrecise(plan, results))
    return n;
  return Math.min(plan.maxReplications, Math.ceil(n * 1.5));
}

function isPrecise(plan: Plan, results: readonly UnitResult[]): boolean {
  const names = plan.metrics ?? [DEFAULT_METRIC];
  return names.every((name) =>
    seriesOf(name, results).every((samples) => {
      const { mean, halfWidth } = estimate(samples) ?? { mean: 0, halfWidth: 0 };
      return halfWidth !== undefined && halfWidth <= plan.precision! * Math.abs(mean);
    }),
  );
}

/** The values of a measure, for each VM group apart. */
function seriesOf(name: MeasureName, results: readonly UnitResult[]): number[][] {
  if (measures[name].scope === 'host') {
    return [results.flatMap(({ host }) => host[name] ?? [])];
  }
  const groups = [...new Set(results.flatMap(({ groups: all }) => all.map(({ group }) => group)))];
  return groups
    .map((group) =>
      results.flatMap(
        ({ groups: all }) => all.find((row) => row.group === group)?.values[name] ?? [],
      ),
    )
    .filter((samples) => samples.length > 0);
}

import type { WindowFinding } from '../stats/findings.ts';
import type { MeasureName } from '../stats/measures.ts';
import { describe, type Plan } from './plan.ts';
import { replicationsOf, type UnitSource } from './tables.ts';
import { showTime } from './windows.ts';

/** At which points of a sweep the windows were too short, in at most two lines for people. */
export function shortWindows(plan: Plan, source: UnitSource): string[] {
  const [unsteady, few] = [new Found(), new Found()];
  const percentiles = asksFor(plan.metrics, /^latency_p/);
  for (let index = 0; index < plan.points; index++) {
    const findings = replicationsOf(plan, source, index).flatMap((result) => result.findings);
    for (const finding of findings) {
      if (finding.kind !== 'few-requests') unsteady.add(index, finding);
      else if (percentiles) few.add(index, finding);
    }
  }
  return [
    ...unsteady.line(plan, 'the windows are too short'),
    ...few.line(plan, 'percentiles are left out'),
  ];
}

/** What is said when nothing is chosen has percentiles in it. */
const asksFor = (metrics: readonly MeasureName[] | undefined, pattern: RegExp) =>
  metrics === undefined || metrics.some((name) => pattern.test(name));

/**
 * Findings of one sort: at how many points, the first of them, and the longest window that any of
 * them needs.
 */
class Found {
  readonly #points = new Set<number>();
  #first: { readonly point: number; readonly message: string } | undefined;
  #needed = 0;

  add(point: number, { message, needed = 0 }: WindowFinding): void {
    this.#points.add(point);
    this.#first ??= { point, message };
    this.#needed = Math.max(this.#needed, needed);
  }

  line(plan: Plan, what: string): string[] {
    if (!this.#first) return [];
    const { point, message } = this.#first;
    const where = describe(plan.point(point).values, plan.space);
    const at = `${this.#points.size} of ${plan.points} points`;
    const cure = this.#needed > 0 ? `; windows of ${showTime(this.#needed)} would do` : '';
    return [`${what} at ${at}${cure}. First at ${where}: ${message}`];
  }
}

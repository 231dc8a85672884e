import { hostMeasureNames, type MeasureName, measures } from '../stats/measures.ts';
import { type Estimate, estimate } from '../stats/replications.ts';
import { runColumns } from '../tables/columns.ts';
import { csv } from '../tables/csv.ts';
import { dictionaryRows } from '../tables/dictionary.ts';
import { columnsOf, DIFFERENCES, pointColumns, SUMMARY } from './columns.ts';
import { pairedDifference, type Samples } from './compare.ts';
import type { Plan, Point } from './plan.ts';
import { firstReplications, nextReplications } from './replicate.ts';
import type { UnitResult, Values } from './unit.ts';

/**
 * The tables of a sweep, made from its finished units one point at a time. They hold nothing that
 * depends on who ran what and when: any number of workers, interrupted or not, gives the same
 * bytes.
 */
export interface UnitSource {
  /** Undefined when the unit failed or is missing. */
  result(point: number, replication: number): UnitResult | undefined;
  unit(point: number, replication: number): string;
  seed(point: number, replication: number): string;
}

/** What summary.csv holds when the sweep does not say. */
const DEFAULT_METRICS: readonly MeasureName[] = [
  'work_per_second',
  'requests_per_second',
  'latency_mean_ns',
  'latency_p50_ns',
  'latency_p95_ns',
  'latency_p99_ns',
  'answer_gap_max_ns',
  'ft_lag_mean_ns',
  'ft_lag_p95_ns',
  'ft_hold_mean_ns',
  'ft_throttled',
  'held_share',
  'cycles_per_instruction',
  'walks_per_1000_instructions',
  'exits_per_second',
  'ready_share',
  'guest_share',
  'walk_share',
  'stall_share',
  'hypervisor_share',
  'host_busy',
  'host_overhead',
  'host_walk_share',
  'vms_per_core',
];
/** What summary.csv calls the rows that are about the whole host. */
export const HOST = 'host';

const isHost = (name: MeasureName) => measures[name].scope === 'host';

/** The finished replications of a point by number, as many as the plan wants. */
export function replicationsOf(plan: Plan, source: UnitSource, point: number): UnitResult[] {
  const results: UnitResult[] = [];
  for (let wanted = firstReplications(plan), r = 0; r < wanted; ) {
    for (; r < wanted; r++) {
      const result = source.result(point, r);
      if (result) results[r] = result;
    }
    // With a gap nothing can be decided: what is there is all there is.
    if (Object.keys(results).length === wanted) wanted = nextReplications(plan, results);
  }
  return results;
}

type Cell = string | number | undefined;

/** A row for each point, replication and VM group. */
export function pointsCsv(plan: Plan, source: UnitSource): Iterable<string> {
  return csv(columnsOf(pointColumns(plan.base).frame, plan.space.axes), pointRows(plan, source));
}

function* pointRows(plan: Plan, source: UnitSource): Generator<Cell[]> {
  const { leaves, names } = pointColumns(plan.base);
  for (let index = 0; index < plan.points; index++) {
    const labels = labelsOf(plan.point(index));
    for (const [r, result] of replicationsOf(plan, source, index).entries()) {
      if (!result) continue;
      const unit = [index, r, source.seed(index, r), source.unit(index, r), ...labels];
      for (const { group, vms, workload, unit: work, values, ledger } of result.groups) {
        yield [
          ...unit,
          group,
          vms,
          workload,
          work,
          result.mhz,
          result.windowCycles,
          ...names.map((name) => cellOf(values[name])),
          ...leaves.map((leaf) => leafTotal(ledger, leaf)),
          ...hostMeasureNames.map((name) => result.host[name]),
        ];
      }
    }
  }
}

/** What has no bound is no empty cell, or whoever takes a mean would pass over it. */
const cellOf = (value: number | undefined): Cell =>
  value === Number.POSITIVE_INFINITY ? 'inf' : value;

function leafTotal(ledger: Readonly<Record<string, number>>, leaf: string): number {
  let total = 0;
  for (const [key, cycles] of Object.entries(ledger)) {
    if (key === leaf || key.startsWith(`${leaf}/`)) total += cycles;
  }
  return total;
}

const labelsOf = ({ values }: Point) => values.map(({ label }) => label);

/** One line of summary.csv. */
export interface SummaryRow extends Estimate {
  readonly point: number;
  readonly labels: readonly string[];
  /** VM group, or `host`. */
  readonly group: string;
  readonly metric: MeasureName;
  /** The point it is compared with; undefined where that is itself or there is none. */
  readonly baseline: number | undefined;
  /** To the baseline, over the replications that both have. */
  readonly difference: Estimate | undefined;
}

export function* summaryRows(plan: Plan, source: UnitSource): Generator<SummaryRow> {
  for (let index = 0; index < plan.points; index++) {
    const point = plan.point(index);
    const labels = labelsOf(point);
    const results = replicationsOf(plan, source, index);
    const baseline = point.baseline === index ? undefined : point.baseline;
    const others = baseline === undefined ? [] : replicationsOf(plan, source, baseline);
    for (const group of groupsOf(results)) {
      for (const metric of metricsOf(plan, group)) {
        const samples = samplesOf(results, group, metric);
        const found = estimate([...samples.values()]);
        if (!found) continue;
        const difference = pairedDifference(samples, samplesOf(others, group, metric));
        yield { point: index, labels, group, metric, ...found, baseline, difference };
      }
    }
  }
}

/**
 * Mean, half-width of the 95 % interval and number of replications of each metric, by point and VM
 * group; and the same of the difference to the baseline point, replication by replication.
 */
export function summaryCsv(plan: Plan, source: UnitSource): Iterable<string> {
  return csv(columnsOf(SUMMARY, plan.space.axes), rowsOf(summaryRows(plan, source)));
}

function* rowsOf(rows: Iterable<SummaryRow>): Generator<Cell[]> {
  for (const { point, labels, group, metric, mean, halfWidth, n, ...rest } of rows) {
    const { baseline, difference } = rest;
    const own = [group, metric, measures[metric].unit, cellOf(mean), halfWidth, n];
    const compared = [baseline, difference?.mean, difference?.halfWidth, difference?.n];
    yield [point, ...labels, ...own, ...compared];
  }
}

/**
 * Each point against its baseline point, replication by replication: common random numbers cancel
 * out.
 */
export function differencesCsv(plan: Plan, source: UnitSource): Iterable<string> {
  return csv(columnsOf(DIFFERENCES, plan.space.axes), differenceRows(plan, source));
}

function* differenceRows(plan: Plan, source: UnitSource): Generator<Cell[]> {
  for (let index = 0; index < plan.points; index++) {
    const point = plan.point(index);
    if (point.baseline === undefined || point.baseline === index) continue;
    const results = replicationsOf(plan, source, index);
    const others = replicationsOf(plan, source, point.baseline);
    for (const group of groupsOf(results)) {
      for (const metric of metricsOf(plan, group)) {
        const [own, other] = [samplesOf(results, group, metric), samplesOf(others, group, metric)];
        const difference = pairedDifference(own, other);
        if (!difference) continue;
        const ratio = pairedRatio(own, other);
        yield [
          index,
          point.baseline,
          ...labelsOf(point),
          group,
          metric,
          measures[metric].unit,
          difference.mean,
          difference.halfWidth,
          ratio?.mean,
          ratio?.halfWidth,
          difference.n,
        ];
      }
    }
  }
}

/**
 * What every column of the tables of a sweep means; the measures by name are columns of points.csv.
 */
export function dictionaryCsv({ base, space: { axes }, baseline }: Plan): Iterable<string> {
  const columns = {
    'points.csv': columnsOf(pointColumns(base).frame, axes),
    'summary.csv': columnsOf(SUMMARY, axes),
    ...(baseline && { 'differences.csv': columnsOf(DIFFERENCES, axes) }),
    'dictionary.csv': runColumns['dictionary.csv'],
  };
  return csv(runColumns['dictionary.csv'], dictionaryRows(columns, {}, axes));
}

/** The VM groups of a point, then the host. */
function groupsOf(results: readonly UnitResult[]): string[] {
  const first = results.find((result) => result !== undefined);
  return first ? [...first.groups.map(({ group }) => group), HOST] : [];
}

function metricsOf(plan: Plan, group: string): MeasureName[] {
  return (plan.metrics ?? DEFAULT_METRICS).filter((name) => isHost(name) === (group === HOST));
}

/** Undefined when a baseline is zero. */
function pairedRatio(own: Samples, other: Samples): Estimate | undefined {
  const ratios: number[] = [];
  for (const [replication, value] of own) {
    const base = other.get(replication);
    if (base !== undefined) ratios.push(value / base);
  }
  return ratios.every(Number.isFinite) ? estimate(ratios) : undefined;
}

/** The values of a measure by number of the replication. */
function samplesOf(results: readonly UnitResult[], group: string, metric: MeasureName): Samples {
  const samples = new Map<number, number>();
  for (const [replication, result] of results.entries()) {
    const value = valuesOf(result, group)?.[metric];
    if (value !== undefined) samples.set(replication, value);
  }
  return samples;
}

function valuesOf(result: UnitResult | undefined, group: string): Values | undefined {
  if (group === HOST) return result?.host;
  return result?.groups.find((row) => row.group === group)?.values;
}

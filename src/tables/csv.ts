import { stringify } from 'csv-stringify/sync';
import { metricDictionary } from '../stats/metrics.ts';
import type { RunResult } from '../stats/result.ts';
import { columnsFor, metricsOf, runColumns, wideLeaves } from './columns.ts';
import { runDictionary } from './dictionary.ts';

/**
 * Results as CSV: a header row, commas, LF, whole numbers without separators, an empty cell for
 * what does not exist. Every row says what it is about and in which unit.
 */

type Cell = string | number | undefined;

/** Rows that are turned into text at a time: the fastest way through csv-stringify. */
const BATCH = 2000;

/** CSV text in pieces. */
export function* csv(
  columns: readonly string[],
  rows: Iterable<readonly Cell[]>,
): Generator<string> {
  let batch: (readonly Cell[])[] = [columns];
  const text = () =>
    stringify(batch as Cell[][], {
      cast: {
        boolean: (value) => String(value),
        number: (value) => (Number.isFinite(value) ? String(value) : ''),
      },
    });
  for (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH) continue;
    yield text();
    batch = [];
  }
  if (batch.length > 0) yield text();
}

/** `run`: what to call the run in rows that may be put together with those of others. */
export function metricsCsv(result: RunResult, run: string = result.name): Iterable<string> {
  const rows = result.metrics.map(({ scope, id, metric, value }) => [
    run,
    scope,
    id,
    metric,
    metricDictionary[metric].unit,
    value,
  ]);
  return csv(runColumns['metrics.csv'], rows);
}

/** A cell is empty where a VM does not report the metric. */
export function vmsCsv(result: RunResult): Iterable<string> {
  const metricNames = metricsOf(result);
  const rows = result.vms.map((row) => [
    ...[row.vm, row.group, row.workload, row.unit],
    ...metricNames.map((name) => row.metrics[name]),
    ...wideLeaves.map((leaf) => row.ledger[leaf] ?? 0),
  ]);
  return csv(columnsFor(result)['vms.csv'], rows);
}

export function ledgerCsv(result: RunResult): Iterable<string> {
  const rows = result.ledger.map(({ pcpu, vm, leaf, detail, cycles }) => [
    'pcpu',
    pcpu,
    vm,
    leaf,
    detail,
    cycles,
  ]);
  return csv(runColumns['ledger.csv'], rows);
}

export function exitsCsv(result: RunResult): Iterable<string> {
  const rows = result.exits.map((row) => [
    row.vm,
    row.vcpu,
    row.reason,
    row.count,
    row.transitionCycles,
    row.handlerCycles,
  ]);
  return csv(runColumns['exits.csv'], rows);
}

export function evictionsCsv({ evictions = [] }: RunResult): Iterable<string> {
  const rows = evictions.map((row) => [row.structure, row.victim, row.evictor, row.count]);
  return csv(runColumns['evictions.csv'], rows);
}

export function latenciesCsv(result: RunResult): Iterable<string> {
  const rows = result.latencies.map((row) => [row.vm, row.quantile, row.latencyNs]);
  return csv(runColumns['latencies.csv'], rows);
}

export function timeseriesCsv(result: RunResult): Iterable<string> {
  const rows = result.timeseries.map(({ cycle, scope, id, metric, unit, value }) => [
    cycle,
    Math.round((cycle / result.mhz) * 1000),
    scope,
    id,
    metric,
    unit,
    value,
  ]);
  return csv(runColumns['timeseries.csv'], rows);
}

export function slicesCsv({ slices = [] }: RunResult): Iterable<string> {
  const rows = slices.map(({ pcpu, vm, cycle, cycles }) => [pcpu, vm, cycle, cycles]);
  return csv(runColumns['slices.csv'], rows);
}

/**
 * What every column and metric of the tables of a run means, also of those that a run only has when
 * asked.
 */
export function dictionaryCsv(result: RunResult): Iterable<string> {
  return csv(runColumns['dictionary.csv'], runDictionary(result));
}

type RunTable = (result: RunResult, run?: string) => Iterable<string>;

const tables: Readonly<Record<string, RunTable>> = {
  'metrics.csv': metricsCsv,
  'vms.csv': vmsCsv,
  'ledger.csv': ledgerCsv,
  'exits.csv': exitsCsv,
  'evictions.csv': evictionsCsv,
  'latencies.csv': latenciesCsv,
  'timeseries.csv': timeseriesCsv,
  'slices.csv': slicesCsv,
  'dictionary.csv': dictionaryCsv,
};

export const runTableNames: readonly string[] = Object.keys(tables);

/**
 * The tables of a run by file name; evictions.csv and slices.csv only where they were asked for.
 */
export function runTables(result: RunResult, run?: string): Map<string, Iterable<string>> {
  const absent = [
    ...(result.evictions ? [] : ['evictions.csv']),
    ...(result.slices ? [] : ['slices.csv']),
  ];
  const wanted = Object.entries(tables).filter(([name]) => !absent.includes(name));
  return new Map(wanted.map(([name, table]) => [name, table(result, run)]));
}

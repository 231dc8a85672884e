import { stringify } from 'csv-stringify/sync';
import { leafNames } from '../stats/leaves.ts';
import { type Metric, type MetricName, metricDictionary } from '../stats/metrics.ts';
import type { RunResult, VmRow } from '../stats/result.ts';

/**
 * Results as CSV: a header row, commas, LF, whole numbers without separators, an empty cell for what does not
 * exist. Every row says what it is about and in which unit.
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

const metrics = Object.entries(metricDictionary) as [MetricName, Metric][];
const leaves = [...new Set(leafNames.map(({ leaf }) => leaf))];

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
  return csv(['run', 'scope', 'id', 'metric', 'unit', 'value'], rows);
}

/** Column of a metric in a wide table: units that the name does not tell are added to it. */
export function wideColumn(name: MetricName): string {
  return metricDictionary[name].unit === 'ns' ? `${name}_ns` : name;
}

/** Column of a ledger leaf in a wide table: `walk.guest` -> `ledger_walk_guest_cycles`. */
export function leafColumn(leaf: string): string {
  return `ledger_${leaf.replaceAll('.', '_')}_cycles`;
}

export const vmColumns: readonly string[] = [
  'vm',
  'group',
  'workload',
  'work_unit',
  ...metrics.map(([name]) => wideColumn(name)),
  ...leaves.filter((leaf) => leaf !== 'idle').map(leafColumn),
];

export function vmCells(row: VmRow): Cell[] {
  return [
    row.vm,
    row.group,
    row.workload,
    row.unit,
    ...metrics.map(([name]) => row.metrics[name]),
    ...leaves.filter((leaf) => leaf !== 'idle').map((leaf) => row.ledger[leaf] ?? 0),
  ];
}

export function vmsCsv(result: RunResult): Iterable<string> {
  return csv(vmColumns, result.vms.map(vmCells));
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
  return csv(['scope', 'id', 'vm', 'leaf', 'detail', 'cycles'], rows);
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
  return csv(['vm', 'vcpu', 'reason', 'count', 'transition_cycles', 'handler_cycles'], rows);
}

export function evictionsCsv(result: RunResult): Iterable<string> {
  const rows = result.evictions.map((row) => [row.structure, row.victim, row.evictor, row.count]);
  return csv(['structure', 'victim', 'evictor', 'count'], rows);
}

export function latenciesCsv(result: RunResult): Iterable<string> {
  const rows = result.latencies.map((row) => [row.vm, row.quantile, row.latencyNs]);
  return csv(['vm', 'quantile', 'latency_ns'], rows);
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
  return csv(['cycle', 'time_ns', 'scope', 'id', 'metric', 'unit', 'value'], rows);
}

export function dictionaryCsv(): Iterable<string> {
  const rows = metrics.map(([name, { unit, help }]) => [name, unit, help]);
  return csv(['metric', 'unit', 'definition'], rows);
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
  'dictionary.csv': dictionaryCsv,
};

export const runTableNames: readonly string[] = Object.keys(tables);

/** The tables of a run by file name. */
export function runTables(result: RunResult, run?: string): Map<string, Iterable<string>> {
  return new Map(Object.entries(tables).map(([name, table]) => [name, table(result, run)]));
}

import { stringify } from 'csv-stringify/sync';
import { metricDictionary } from '../stats/metrics.ts';
import type { OfHost, RunResult } from '../stats/result.ts';
import { columnsOf, leavesOf, metricsOf, type RunTableFile, runColumns } from './columns.ts';
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

/** A table of a run. Its first column is the host of each row, where there are several. */
function table<R extends OfHost>(
  result: RunResult,
  name: RunTableFile,
  rows: readonly R[],
  cells: (row: R) => readonly Cell[],
): Iterable<string> {
  const cellsOf = result.hosts ? (row: R) => [row.host, ...cells(row)] : cells;
  return csv(columnsOf(result, name), rows.map(cellsOf));
}

/** `run`: what to call the run in rows that may be put together with those of others. */
export function metricsCsv(result: RunResult, run: string = result.name): Iterable<string> {
  return table(result, 'metrics.csv', result.metrics, (row) => {
    const { scope, id, metric, value } = row;
    return [run, scope, id, metric, metricDictionary[metric].unit, value];
  });
}

/** A cell is empty where a VM does not report the metric. */
export function vmsCsv(result: RunResult): Iterable<string> {
  const metricNames = metricsOf(result);
  return table(result, 'vms.csv', result.vms, (row) => [
    ...[row.vm, row.group, row.workload, row.unit],
    ...metricNames.map((name) => row.metrics[name]),
    ...leavesOf(result).map((leaf) => row.ledger[leaf] ?? 0),
  ]);
}

export function ledgerCsv(result: RunResult): Iterable<string> {
  return table(result, 'ledger.csv', result.ledger, (row) => {
    const { pcpu, vm, leaf, detail, cycles } = row;
    return ['pcpu', pcpu, vm, leaf, detail, cycles];
  });
}

export function exitsCsv(result: RunResult): Iterable<string> {
  return table(result, 'exits.csv', result.exits, (row) => {
    const { vm, vcpu, reason, count, transitionCycles, handlerCycles } = row;
    return [vm, vcpu, reason, count, transitionCycles, handlerCycles];
  });
}

export function evictionsCsv(result: RunResult): Iterable<string> {
  const { evictions = [] } = result;
  return table(result, 'evictions.csv', evictions, (row) => {
    return [row.structure, row.victim, row.evictor, row.count];
  });
}

export function latenciesCsv(result: RunResult): Iterable<string> {
  return table(result, 'latencies.csv', result.latencies, (row) => {
    return [row.vm, row.quantile, row.latencyNs];
  });
}

export function timeseriesCsv(result: RunResult): Iterable<string> {
  const nanoseconds = (cycle: number) => Math.round((cycle / result.mhz) * 1000);
  return table(result, 'timeseries.csv', result.timeseries, (row) => {
    const { cycle, scope, id, metric, unit, value } = row;
    return [cycle, nanoseconds(cycle), scope, id, metric, unit, value];
  });
}

export function slicesCsv(result: RunResult): Iterable<string> {
  const { slices = [] } = result;
  return table(result, 'slices.csv', slices, (row) => {
    return [row.pcpu, row.vm, row.cycle, row.cycles];
  });
}

/** A row for each round, and one for the whole with `total` in the place of the round. */
export function migrationCsv({ migrations = [] }: RunResult): Iterable<string> {
  const rows = migrations.map((row) => [
    ...[row.vm, row.from, row.to, row.policy, row.round ?? 'total', row.cycle, row.cycles],
    ...[row.downtimeCycles, row.pages, row.emptyPages, row.skippedPages, row.dirtiedPages],
    ...[row.bytes, row.stunned, row.remoteFaults, row.remoteWaitCycles, row.outcome, row.why],
  ]);
  return csv(runColumns['migration.csv'], rows);
}

/** A row every 5 ms, and one at each change of a pair's state and each checkpoint. */
export function ftCsv({ faultTolerance = [], mhz }: RunResult): Iterable<string> {
  const rows = faultTolerance.map((row) => [
    ...[row.pair, row.cycle, row.state, row.cycles, row.lagCycles, row.logBytes],
    row.cycles > 0 ? (8 * row.logBytes * mhz) / row.cycles : 0,
    ...[row.heldOutputs, row.releasedOutputs, row.heldCycles],
    ...[row.primaryBufferBytes, row.secondaryBufferBytes, row.limit],
    ...[row.epochCycles, row.dirtyPages, row.checkpointBytes, row.pauseCycles],
  ]);
  return csv(runColumns['ft.csv'], rows);
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
  'migration.csv': migrationCsv,
  'ft.csv': ftCsv,
  'dictionary.csv': dictionaryCsv,
};

export const runTableNames: readonly string[] = Object.keys(tables);

/**
 * The tables of a run by file name; evictions.csv and slices.csv only where they were asked for,
 * migration.csv where there are migrations, ft.csv where VMs are protected.
 */
export function runTables(result: RunResult, run?: string): Map<string, Iterable<string>> {
  const absent = [
    ...(result.evictions ? [] : ['evictions.csv']),
    ...(result.slices ? [] : ['slices.csv']),
    ...(result.migrations ? [] : ['migration.csv']),
    ...(result.faultTolerance ? [] : ['ft.csv']),
  ];
  const wanted = Object.entries(tables).filter(([name]) => !absent.includes(name));
  return new Map(wanted.map(([name, table]) => [name, table(result, run)]));
}

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { LoadedScenario } from '../scenario/load.ts';
import type { MetricName } from '../stats/metrics.ts';
import type {
  EvictionRow,
  ExitRow,
  LedgerRow,
  MetricRow,
  RunResult,
  Scope,
  VmRow,
} from '../stats/result.ts';
import { faultOf, reasonOf } from './faults.ts';
import { openScenario } from './scenario-file.ts';

/** The directory of a run, read back. */
export interface StoredRun {
  readonly loaded: LoadedScenario;
  /** Without latencies and timeseries. */
  readonly result: RunResult;
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** A line of a table by column; numbers as written, an empty cell is ''. */
export type Row = Readonly<Record<string, string>>;

/** Reads what `run` wrote. Throws ConfigError when the directory holds something else. */
export async function readRun(directory: string): Promise<StoredRun> {
  const missing = ['manifest.json', 'resolved.yaml', 'vms.csv', 'ledger.csv'].filter(
    (name) => !existsSync(join(directory, name)),
  );
  if (missing.length > 0) {
    const other = existsSync(join(directory, 'points.csv'))
      ? 'it holds a sweep; name the directory of one run, or a scenario'
      : 'name a directory that `worldswitch run` wrote, or a scenario';
    throw faultOf(directory, `not the results of a run: there is no ${missing.join(', ')}`, other);
  }
  const loaded = await openScenario(join(directory, 'resolved.yaml'));
  const { scenario } = loaded;
  const metrics = table(directory, 'metrics.csv', ['scope', 'id', 'metric', 'value']).map(
    (row): MetricRow => ({
      scope: row['scope'] as Scope,
      id: row['id']!,
      metric: row['metric'] as MetricName,
      value: Number(row['value']),
    }),
  );
  const ledger = table(directory, 'ledger.csv', ['id', 'vm', 'leaf', 'detail', 'cycles']).map(
    (row): LedgerRow => ({
      pcpu: Number(row['id']),
      vm: row['vm']!,
      leaf: row['leaf']!,
      detail: row['detail']!,
      cycles: Number(row['cycles']),
    }),
  );
  const exits = table(directory, 'exits.csv', ['vm', 'vcpu', 'reason', 'count']).map(
    (row): ExitRow => ({
      vm: row['vm']!,
      vcpu: Number(row['vcpu']),
      reason: row['reason']!,
      count: Number(row['count']),
      transitionCycles: Number(row['transition_cycles']),
      handlerCycles: Number(row['handler_cycles']),
    }),
  );
  const evictions = table(directory, 'evictions.csv', ['structure', 'victim', 'evictor']).map(
    (row): EvictionRow => ({
      structure: row['structure'] as EvictionRow['structure'],
      victim: row['victim']!,
      evictor: row['evictor']!,
      count: Number(row['count']),
    }),
  );
  const vms = table(directory, 'vms.csv', ['vm', 'group', 'workload', 'work_unit']).map(
    (row): VmRow => {
      const own: Partial<Record<MetricName, number>> = {};
      for (const { scope, id, metric, value } of metrics) {
        if (scope === 'vm' && id === row['vm']) own[metric] = value;
      }
      const leaves: Record<string, number> = {};
      for (const { vm, leaf, cycles } of ledger) {
        if (vm === row['vm']) leaves[leaf] = (leaves[leaf] ?? 0) + cycles;
      }
      return {
        vm: row['vm']!,
        group: row['group']!,
        workload: row['workload']!,
        unit: row['work_unit']!,
        startInstructions: own.user_instructions_before ?? 0,
        metrics: own,
        ledger: leaves,
      };
    },
  );
  const elapsed = metrics.find(
    ({ scope, metric }) => scope === 'host' && metric === 'elapsed_cycles',
  );
  return {
    loaded,
    result: {
      name: scenario.name,
      seed: scenario.seed,
      mhz: scenario.processor.clock / 1e6,
      windowCycles: elapsed?.value ?? 0,
      pcpuCount: scenario.host.pcpus,
      metrics,
      ledger,
      exits,
      evictions,
      vms,
      latencies: [],
      timeseries: [],
    },
  };
}

/** Reads a table that has these columns. Throws ConfigError. */
export function table(directory: string, name: string, columns: readonly string[]): Row[] {
  const path = join(directory, name);
  let rows: Row[];
  try {
    rows = parse(readFileSync(path), { columns: true, skip_empty_lines: true, bom: true });
  } catch (error) {
    throw faultOf(path, `cannot read the table: ${reasonOf(error)}`);
  }
  const lacking = rows[0] ? columns.filter((column) => !Object.hasOwn(rows[0]!, column)) : [];
  if (lacking.length > 0) {
    throw faultOf(path, `the table has no column ${lacking.join(', ')}`, 'run the scenario again');
  }
  const numeric = ['cycles', 'value', 'count'].find((column) => rows[0] && column in rows[0]);
  const bad = numeric ? rows.findIndex((row) => !/^-?[\d.e+-]+$/.test(row[numeric]!)) : -1;
  if (bad >= 0) {
    throw faultOf(path, `row ${bad + 2} has no number in ${numeric}: "${rows[bad]![numeric!]}"`);
  }
  return rows;
}

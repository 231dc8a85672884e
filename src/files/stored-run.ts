import { join } from 'node:path';
import { allPcpus, clockOf } from '../scenario/hosts.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import { inClocksOfVms } from '../stats/clocks.ts';
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
import { faultIn } from './faults.ts';
import { readResults } from './results.ts';
import { openScenario } from './scenario-file.ts';
import { type Row, table } from './tables.ts';

/** The directory of a run, read back as what the run returned. */
export interface StoredRun {
  readonly loaded: LoadedScenario;
  /** Without latencies, timeseries and findings. */
  readonly result: RunResult;
}

/** The host of a row, where there are several. */
const hostOf = ({ host }: Row): { readonly host?: string } => (host ? { host } : {});

/** Reads what `run` wrote. Throws ConfigError when the directory holds something else. */
export async function readRun(directory: string): Promise<StoredRun> {
  const files = readResults(directory);
  if (files.kind === 'sweep') {
    const hint = 'it holds a sweep; name the directory of one run, or a scenario';
    throw faultIn(directory, 'not the results of a run', hint);
  }
  const loaded = await openScenario(join(directory, 'resolved.yaml'));
  const { scenario } = loaded;
  const metrics = files.metrics.map(
    (row): MetricRow => ({
      ...hostOf(row),
      scope: row['scope'] as Scope,
      id: row['id']!,
      metric: row['metric'] as MetricName,
      value: Number(row['value']),
    }),
  );
  const ledger = files.ledger.map(
    (row): LedgerRow => ({
      ...hostOf(row),
      pcpu: Number(row['id']),
      vm: row['vm']!,
      leaf: row['leaf']!,
      detail: row['detail']!,
      cycles: Number(row['cycles']),
    }),
  );
  const exits = files.exits.map(
    (row): ExitRow => ({
      ...hostOf(row),
      vm: row['vm']!,
      vcpu: Number(row['vcpu']),
      reason: row['reason']!,
      count: Number(row['count']),
      transitionCycles: Number(row['transition_cycles']),
      handlerCycles: Number(row['handler_cycles']),
    }),
  );
  const evictions = scenario.output.evictions
    ? table(directory, 'evictions.csv', ['structure', 'victim', 'evictor']).map(
        (row): EvictionRow => ({
          ...hostOf(row),
          structure: row['structure'] as EvictionRow['structure'],
          victim: row['victim']!,
          evictor: row['evictor']!,
          count: Number(row['count']),
        }),
      )
    : undefined;
  const hosts =
    scenario.hosts.length > 1
      ? scenario.hosts.map(({ name, cpu, pcpus }) => ({
          ...{ name, mhz: cpu.clock / 1e6, pcpuCount: pcpus },
        }))
      : undefined;
  const charged = inClocksOfVms(
    { ledger, hosts },
    files.vms.map((row) => ({ vm: row['vm']!, ...hostOf(row) })),
  );
  const vms = files.vms.map((row): VmRow => {
    const own: Partial<Record<MetricName, number>> = {};
    for (const { scope, id, metric, value } of metrics) {
      if (scope === 'vm' && id === row['vm']) own[metric] = value;
    }
    const leaves: Record<string, number> = {};
    for (const { vm, leaf, cycles } of charged) {
      if (vm === row['vm']) leaves[leaf] = (leaves[leaf] ?? 0) + cycles;
    }
    return {
      ...hostOf(row),
      vm: row['vm']!,
      group: row['group']!,
      workload: row['workload']!,
      unit: row['work_unit']!,
      startInstructions: own.user_instructions_before ?? 0,
      metrics: own,
      ledger: leaves,
    };
  });
  const elapsed = metrics.find(
    ({ scope, metric }) => scope === 'host' && metric === 'elapsed_cycles',
  );
  return {
    loaded,
    result: {
      name: scenario.name,
      seed: scenario.seed,
      mhz: clockOf(scenario) / 1e6,
      windowCycles: elapsed?.value ?? 0,
      pcpuCount: allPcpus(scenario),
      ...(hosts && { hosts }),
      metrics,
      ledger,
      exits,
      evictions,
      vms,
      latencies: [],
      timeseries: [],
      findings: [],
      ...(files.faultTolerance.length > 0 && { faultTolerance: files.faultTolerance }),
      ...(files.migrations.length > 0 && { migrations: files.migrations }),
    },
  };
}

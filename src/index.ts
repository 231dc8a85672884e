/**
 * The public surface of the package: scenarios in, results out. Nothing here touches disk, clock or
 * terminal.
 */
export {
  ConfigError,
  type Diagnostic,
  formatDiagnostic,
  ModelError,
  type Place,
} from './base/errors.ts';
export type { Choice } from './base/registry.ts';
export { TraceError } from './guest/workloads/trace-reader.ts';
export type { TraceFeed } from './guest/workloads/workload.ts';
export {
  dictionaryCsv,
  evictionsCsv,
  exitsCsv,
  latenciesCsv,
  ledgerCsv,
  metricsCsv,
  runTables,
  slicesCsv,
  timeseriesCsv,
  vmsCsv,
} from './report/csv.ts';
export { type SummaryOptions, summary } from './report/summary.ts';
export { runBaseline } from './scenario/baseline.ts';
export type { RefillableFeed } from './scenario/build.ts';
export { type LoadOptions, loadScenario } from './scenario/load.ts';
export { type PresetTexts, presets } from './scenario/presets.ts';
export { type Scenario, scenarioYaml, type VmGroup } from './scenario/resolve.ts';
export { RunAborted, type RunOptions, runScenario } from './scenario/run.ts';
export { scenarioSchema } from './scenario/schema.ts';
export { causeNames, exitNames, leafNames } from './stats/leaves.ts';
export { type Metric, type MetricName, metricDictionary } from './stats/metrics.ts';
export type {
  EvictionRow,
  ExitRow,
  LatencyRow,
  LedgerRow,
  MetricRow,
  RunProgress,
  RunResult,
  SampleRow,
  Scope,
  SliceRow,
  VmRow,
} from './stats/result.ts';

/**
 * The part of the package that runs anywhere, exported as `worldswitch/core`: scenarios in, results
 * out. Imports nothing of Node, so that a page can bundle it.
 */
export {
  ConfigError,
  type Diagnostic,
  formatDiagnostic,
  MemoryError,
  ModelError,
  type Place,
} from './base/errors.ts';
export type { Choice } from './base/registry.ts';
export { TraceError } from './guest/workloads/trace-faults.ts';
export type { TraceFeed } from './guest/workloads/workload.ts';
export { type SummaryOptions, summary } from './report/summary.ts';
export { runBaseline } from './scenario/baseline.ts';
export type { RefillableFeed } from './scenario/build.ts';
export { type LoadOptions, loadScenario } from './scenario/load.ts';
export { type PresetTexts, presets } from './scenario/presets.ts';
export { type Scenario, scenarioYaml, type VmGroup } from './scenario/resolve.ts';
export { RunAborted, type RunOptions, runScenario, type StopSignal } from './scenario/run.ts';
export { scenarioSchema } from './scenario/schema.ts';
export type { WindowFinding } from './stats/findings.ts';
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

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { FaultToleranceRow, MigrationRow, SamplingOutcome } from '../stats/result.ts';
import { faultIn, faultOf, reasonOf } from './faults.ts';
import { moveRows, pairRows } from './moving-tables.ts';
import { readRegularText } from './read-file.ts';
import { readRecord, recipe, runManifest, sweepManifest } from './records.ts';
import { isDirectory, type Row, table as readTable } from './tables.ts';

/** Reads results back: the directory of a run or of a sweep. */

/** What manifest.json says, as far as it is the same every time. */
export interface Manifest {
  readonly version: string;
  readonly scenario: string;
  readonly seed: string;
  /** Of a run: arguments of the command that made it. */
  readonly command?: readonly string[];
  /** Of a run: what the measured window was too short for. */
  readonly notes?: readonly string[];
  /** Of a run that was sampled. */
  readonly sampling?: SamplingOutcome | undefined;
  /** Of a sweep: the scenario file and what was set. */
  readonly file?: string;
  readonly set?: readonly string[];
  readonly points?: number;
  readonly replications?: number;
  readonly precision?: number | undefined;
  readonly axes?: readonly SweepAxis[];
  /** Of a sweep: path of an axis -> label of the points that the others are compared with. */
  readonly baseline?: Readonly<Record<string, string>>;
}

export interface SweepAxis {
  readonly path: string;
  readonly column: string;
  /** Labels. */
  readonly values: readonly string[];
  /** The values as YAML, where their labels do not say them. */
  readonly written?: readonly string[];
}

/** Time that a vCPU ran on a pCPU without a break, in cycles from the start of the run. */
export interface Slice {
  /** Undefined where there is only one. */
  readonly host?: string | undefined;
  readonly pcpu: number;
  readonly vm: string;
  readonly start: number;
  readonly cycles: number;
}

export interface RunFiles {
  readonly kind: 'run';
  readonly manifest: Manifest;
  /** Text of resolved.yaml. */
  readonly resolved: string;
  readonly vms: readonly Row[];
  readonly ledger: readonly Row[];
  readonly exits: readonly Row[];
  readonly metrics: readonly Row[];
  readonly timeseries: readonly Row[];
  readonly latencies: readonly Row[];
  /** From slices.csv: the beginning of the measured window; undefined when there is none. */
  readonly slices: readonly Slice[] | undefined;
  /** Empty: no VM is protected. */
  readonly faultTolerance: readonly FaultToleranceRow[];
  /** Empty: no VM moves. */
  readonly migrations: readonly MigrationRow[];
}

export interface SweepFiles {
  readonly kind: 'sweep';
  readonly manifest: Manifest & { readonly axes: readonly SweepAxis[] };
  /** Text of the scenario; undefined when the directory does not keep it. */
  readonly scenario: string | undefined;
  readonly points: readonly Row[];
  readonly summary: readonly Row[];
}

const RUN = [
  'manifest.json',
  'resolved.yaml',
  'metrics.csv',
  'vms.csv',
  'ledger.csv',
  'exits.csv',
  'timeseries.csv',
];
const SWEEP = ['manifest.json', 'points.csv', 'summary.csv'];

/**
 * Throws ConfigError when `directory` holds the results of neither a run nor a sweep, or damaged
 * ones.
 */
export function readResults(directory: string): RunFiles | SweepFiles {
  const has = (name: string) => existsSync(join(directory, name));
  const missing = (names: readonly string[]) => names.filter((name) => !has(name));
  if (!isDirectory(directory)) throw faultIn(directory, 'there is no such directory', HINT);
  const sweep = has('points.csv') || has('campaign.json');
  const absent = missing(sweep ? SWEEP : RUN);
  if (absent.length > 0) {
    // Both tables are written at the end, so they are the proof of it.
    const finished = has('points.csv') && has('summary.csv');
    const what = sweep
      ? finished
        ? 'not all of the results of a sweep'
        : 'a sweep that is not finished'
      : absent.length === RUN.length
        ? 'no results here'
        : 'not all of the results of a run';
    const hint = sweep ? 'the same `worldswitch sweep` command finishes it' : HINT;
    const names = absent.join(', ');
    if (finished) throw faultIn(directory, `${what}: ${names} is missing`, COPY);
    throw faultIn(directory, `${what}: there is no ${names}`, hint);
  }
  const table = (name: string, columns: readonly string[]) => readTable(directory, name, columns);
  const manifestFile = join(directory, 'manifest.json');
  if (sweep) {
    const manifest = readRecord(manifestFile, sweepManifest, 'a manifest');
    const columns = ['point', ...manifest.axes.map(({ column }) => column), 'group'];
    return {
      kind: 'sweep',
      manifest,
      scenario: has('campaign.json') ? sweptText(directory) : undefined,
      points: table('points.csv', [...columns, 'replication', 'seed', 'vms']),
      summary: table('summary.csv', [
        ...columns,
        ...['metric', 'unit', 'mean', 'half_width', 'n'],
        ...['difference', 'difference_half_width', 'pairs'],
      ]),
    };
  }
  const manifest = readRecord(manifestFile, runManifest, 'a manifest');
  const resolvedFile = join(directory, 'resolved.yaml');
  const resolved = readResolved(resolvedFile);
  checkYaml(resolvedFile, resolved);
  return {
    kind: 'run',
    manifest,
    resolved,
    vms: table('vms.csv', ['vm', 'group', 'workload', 'work_unit', 'elapsed_cycles']),
    ledger: table('ledger.csv', ['scope', 'id', 'vm', 'leaf', 'detail', 'cycles']),
    exits: table('exits.csv', [
      'vm',
      'vcpu',
      'reason',
      'count',
      'transition_cycles',
      'handler_cycles',
    ]),
    metrics: table('metrics.csv', ['scope', 'id', 'metric', 'value']),
    timeseries: table('timeseries.csv', ['time_ns', 'id', 'metric', 'value']),
    latencies: has('latencies.csv') ? table('latencies.csv', ['vm', 'quantile', 'latency_ns']) : [],
    slices: has('slices.csv') ? slicesOf(directory) : undefined,
    faultTolerance: has('ft.csv') ? pairRows(directory) : [],
    migrations: has('migration.csv') ? moveRows(directory) : [],
  };
}

const COPY =
  'copy it from where the sweep was run, or run the sweep again; a report needs its axes';
const HINT = 'name the directory that `worldswitch run` or `worldswitch sweep` has written';

/** The scenario in the recipe of a campaign. */
function sweptText(directory: string): string {
  const { file, texts } = readRecord(
    join(directory, 'campaign.json'),
    recipe,
    'a recipe of a campaign',
  );
  return texts[file]!;
}

function readResolved(path: string): string {
  try {
    return readRegularText(path, MAX_RESOLVED, 'a scenario');
  } catch (error) {
    throw faultIn(path, `cannot read it: ${reasonOf(error)}`);
  }
}

const MAX_RESOLVED = 16 * 2 ** 20;

function checkYaml(path: string, text: string): void {
  try {
    const value: unknown = parseYaml(text);
    if (typeof value === 'object' && value !== null) return;
  } catch {
    // Said below.
  }
  throw faultOf(path, 'not YAML that worldswitch has written');
}

const slicesOf = (directory: string): Slice[] =>
  readTable(directory, 'slices.csv', ['pcpu', 'vm', 'cycle', 'slice_cycles']).map((row) => ({
    host: row['host'],
    pcpu: Number(row['pcpu']),
    vm: row['vm']!,
    start: Number(row['cycle']),
    cycles: Number(row['slice_cycles']),
  }));

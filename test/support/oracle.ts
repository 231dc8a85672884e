import { readFileSync } from 'node:fs';
import { loadScenario } from '../../src/scenario/load.ts';
import type { Scenario } from '../../src/scenario/resolve.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { openShippedTrace } from './traces.ts';

/** The rows of test/validation/oracle.csv that belong to one run, as metric -> value. */
export interface OracleCase {
  readonly traces: readonly string[];
  /** References of each trace; 0 = all. */
  readonly limit: number;
  readonly sched: 'solo' | 'asid' | 'flush';
  /** References of a turn. */
  readonly q: number;
  /** `stream config metric` -> value. */
  readonly rows: ReadonlyMap<string, number>;
}

export function csvRows(file: string): string[][] {
  const text = readFileSync(new URL(`../validation/${file}`, import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
}

export function oracleCases(): OracleCase[] {
  const cases = new Map<string, OracleCase & { rows: Map<string, number> }>();
  for (const row of csvRows('oracle.csv')) {
    const [traces, limit, sched, q, stream, config, metric, value] = row as [string, ...string[]];
    const key = `${traces} ${limit} ${sched} ${q}`;
    const entry = cases.get(key) ?? {
      traces: traces.split('+'),
      limit: Number(limit),
      sched: sched as OracleCase['sched'],
      q: Number(q),
      rows: new Map<string, number>(),
    };
    cases.set(key, entry);
    entry.rows.set(`${stream} ${config} ${metric}`, Number(value));
  }
  return [...cases.values()];
}

export const titleOf = ({ traces, limit, sched, q }: OracleCase): string =>
  `${traces.join(' + ')}, ${limit || 'all'} references${sched === 'solo' ? '' : `, ${sched}, turns of ${q}`}`;

const NAMES = ['first', 'second', 'third'];

/** A scenario file for the case, on top of configs/oracle/one-trace.yaml; `more` adds lines. */
export function oracleYaml({ traces, limit, sched, q }: OracleCase, more = ''): string {
  const vms = traces.map((trace, i) => {
    const workload = `{ kind: trace, file: ../traces/${trace}.pt.gz, limitReferences: ${limit} }`;
    return `  - { name: ${NAMES[i]}, memory: 256MiB, workload: ${workload} }`;
  });
  return `extends: one-trace.yaml
hypervisor:
  tags: { kind: ${sched === 'asid' ? 'kvm' : 'none'} }
  scheduler: { kind: round-robin, references: ${q || 1000} }
vms:
${vms.join('\n')}
${more}`;
}

const ORACLE = new URL('../../configs/oracle/', import.meta.url);

/** The text of a scenario file that stands in configs/oracle/. */
export const oracleScenario = (text: string, set: readonly string[] = []): Scenario =>
  loadScenario(text, {
    file: 'configs/oracle/case.yaml',
    set,
    readFile: (path) => readFileSync(new URL(path.replace('configs/oracle/', ''), ORACLE), 'utf8'),
  });

export const runOracleYaml = (text: string, set: readonly string[] = []): Promise<RunResult> =>
  runScenario(oracleScenario(text, set), { openTrace: openShippedTrace });

export const oracleText = (name: string): string => readFileSync(new URL(name, ORACLE), 'utf8');

type Count = Parameters<typeof countOf>[2];

/** Metric of VM `vm`, or of all VMs together. */
export function countOf(
  result: RunResult,
  vm: number | 'all',
  metric: keyof RunResult['vms'][number]['metrics'],
): number {
  const vms = vm === 'all' ? result.vms : [result.vms[vm]!];
  return vms.reduce((sum, { metrics }) => sum + metrics[metric]!, 0);
}

/** The simulator's metric for a metric of oracle.csv: `l1_miss`, `l2_hit`, `l2_miss` of a stream. */
const METRICS: Readonly<Record<string, Count>> = {
  'I l1_miss': 'l1i_misses',
  'I l2_hit': 'l2i_hits',
  'I l2_miss': 'l2i_misses',
  'D l1_miss': 'l1d_misses',
  'D l2_hit': 'l2d_hits',
  'D l2_miss': 'l2d_misses',
};

/** Every row of the case whose configuration is in `configs` (`stream config`), expected and measured. */
export function compare(
  { rows }: OracleCase,
  result: RunResult,
  configs: readonly string[],
): { expected: Record<string, number>; measured: Record<string, number> } {
  const expected: Record<string, number> = {};
  const measured: Record<string, number> = {};
  for (const [key, value] of rows) {
    const [stream, config, metric] = key.split(' ') as [string, string, string];
    if (key === '- - switches') {
      expected[key] = value;
      measured[key] = countOf(result, 'all', 'vcpu_switches');
    }
    if (!configs.includes(`${stream} ${config}`)) continue;
    const vm = /_vm(\d)$/.exec(metric);
    const count = METRICS[`${stream} ${metric.replace(/_vm\d$/, '')}`];
    if (!count) continue;
    expected[key] = value;
    measured[key] = countOf(result, vm ? Number(vm[1]) : 'all', count);
  }
  return { expected, measured };
}

import { inOneClock } from './clocks.ts';
import { firstOf } from './copies.ts';
import { leafNames } from './leaves.ts';
import { isRare, type Metric, type MetricName, metricDictionary, wordsOf } from './metrics.ts';
import type { RunResult, VmRow } from './result.ts';
import { servedNone, starved } from './window.ts';

/**
 * Measures: what a sweep tabulates and what an objective is about. They condense the VMs of a group
 * (or one VM) to a number: every metric of the dictionary, and ratios of metrics or ledger leaves
 * that are computed here.
 */
export interface Measure extends Metric {
  /** `host`: one value for the run, not one per group. */
  readonly scope: 'group' | 'host';
  /** People read it in per cent. */
  readonly percent?: true;
  /** As the rare metrics: of runs in which VMs move or are protected. */
  readonly rare?: true;
}

/** What measures are computed from. */
export interface Sample {
  readonly vms: readonly VmRow[];
  readonly windowSeconds: number;
}

type Compute = (sample: Sample) => number | undefined;

const sum = ({ vms }: Sample, name: MetricName) =>
  vms.reduce((total, { metrics }) => total + (metrics[name] ?? 0), 0);
const leaves = ({ vms }: Sample, ...names: readonly string[]) =>
  vms.reduce(
    (total, { ledger }) => total + names.reduce((n, leaf) => n + (ledger[leaf] ?? 0), 0),
    0,
  );
const known = ({ vms }: Sample, name: MetricName) =>
  vms.flatMap(({ metrics }) => metrics[name] ?? []);
const per = (numerator: number, denominator: number) =>
  denominator > 0 ? numerator / denominator : undefined;
const largest = (values: readonly number[]) =>
  values.length > 0 ? Math.max(...values) : undefined;
const worst = (sample: Sample, name: 'slowdown' | 'overhead') =>
  sample.vms.some(starved) ? Infinity : largest(known(sample, name));
const average = (values: readonly number[]) =>
  per(
    values.reduce((total, value) => total + value, 0),
    values.length,
  );

/** Leaves that only a hypervisor adds to a host. */
const HYPERVISOR = ['exit.transition', 'exit.handler', 'switch', 'shootdown', 'host'];
const wanted = (sample: Sample) =>
  sum(sample, 'running_cycles') +
  sum(sample, 'ready_cycles') +
  sum(sample, 'costopped_cycles') +
  sum(sample, 'parked_cycles');

interface Derived {
  readonly unit: Metric['unit'];
  readonly definition: string;
  readonly percent?: true;
  readonly rare?: true;
  readonly compute: Compute;
}
const quotient = (definition: string, compute: Compute): Derived => ({
  unit: 'ratio',
  definition,
  compute,
});
const share = (definition: string, compute: Compute): Derived => ({
  ...quotient(definition, compute),
  percent: true,
});
const rate = (definition: string, name: MetricName): Derived => ({
  unit: 'per-second',
  definition,
  compute: (sample) => per(sum(sample, name), sample.windowSeconds),
});
const ofRunning = (definition: string, ...names: readonly string[]) =>
  share(definition, (sample) => per(leaves(sample, ...names), sum(sample, 'running_cycles')));

const derived = {
  work_per_second: rate('work per simulated second', 'work'),
  requests_per_second: rate('requests served per simulated second', 'requests'),
  exits_per_second: rate('#VMEXITs per simulated second', 'exits'),
  cycles_per_instruction: quotient('running cycles per guest instruction', (sample) =>
    per(sum(sample, 'running_cycles'), sum(sample, 'instructions')),
  ),
  walks_per_1000_instructions: quotient('page walks per 1000 guest instructions', (sample) =>
    per(1000 * sum(sample, 'walks'), sum(sample, 'instructions')),
  ),
  held_share: {
    ...share('paused_cycles, of elapsed_cycles: the hypervisor held the VM', (sample) =>
      known(sample, 'paused_cycles').length > 0
        ? per(sum(sample, 'paused_cycles'), sum(sample, 'elapsed_cycles'))
        : undefined,
    ),
    rare: true,
  },
  ready_share: share(
    'ready_cycles, of the cycles in which the VM wanted a pCPU: all but blocked',
    (sample) => per(sum(sample, 'ready_cycles'), wanted(sample)),
  ),
  guest_share: ofRunning(
    'ledger leaves guest.user and guest.kernel, of running_cycles',
    'guest.user',
    'guest.kernel',
  ),
  walk_share: ofRunning(
    'ledger leaves walk.guest and walk.nested, of running_cycles',
    'walk.guest',
    'walk.nested',
  ),
  stall_share: ofRunning('ledger leaf data.stall, of running_cycles', 'data.stall'),
  hypervisor_share: ofRunning(
    'ledger leaves exit.transition, exit.handler, switch, shootdown and host, of running_cycles',
    ...HYPERVISOR,
  ),
  slowdown_worst: {
    unit: 'ratio',
    definition: 'slowdown of the VM that suffers most',
    compute: (sample) => worst(sample, 'slowdown'),
  },
  overhead_worst: {
    unit: 'ratio',
    definition: 'overhead of the VM that suffers most',
    compute: (sample) => worst(sample, 'overhead'),
  },
} as const satisfies Record<string, Derived>;

const hostMeasures = {
  host_busy: {
    unit: 'ratio',
    definition: 'share of the cycles of all pCPUs that are not idle',
    percent: true,
  },
  host_overhead: {
    unit: 'ratio',
    definition:
      'ledger leaves exit.transition, exit.handler, switch, shootdown, host and walk.nested, ' +
      'of the busy cycles of all pCPUs',
    percent: true,
  },
  host_walk_share: {
    unit: 'ratio',
    definition: 'ledger leaves walk.guest and walk.nested, of the busy cycles of all pCPUs',
    percent: true,
  },
  vms_per_core: {
    unit: 'ratio',
    words: 'VMs per core',
    definition: 'VMs of the run per pCPU, second copies of protected ones left out',
  },
} as const satisfies Record<string, Omit<Measure, 'words' | 'scope'> & { words?: string }>;

export type MeasureName = MetricName | keyof typeof derived | keyof typeof hostMeasures;

const inWords = (
  entries: Readonly<Record<string, Omit<Measure, 'words' | 'scope'> & { words?: string }>>,
  scope: Measure['scope'],
) =>
  Object.entries(entries).map(
    ([name, { unit, words = wordsOf(name), definition, percent, rare }]) => [
      name,
      { unit, words, definition, scope, ...(percent && { percent }), ...(rare && { rare }) },
    ],
  );

/** Every measure by name, in the order of the columns. */
export const measures = Object.fromEntries([
  ...inWords(metricDictionary, 'group'),
  ...inWords(derived, 'group'),
  ...inWords(hostMeasures, 'host'),
]) as Readonly<Record<MeasureName, Measure>>;

export const measureNames = Object.keys(measures) as readonly MeasureName[];
export const groupMeasureNames = measureNames.filter((name) => measures[name].scope === 'group');
const rarely = (name: MeasureName) => isRare(name) || measures[name].rare === true;
/** Those that tables have a column for, and those that few tables have one for. */
export const tabulatedNames = groupMeasureNames.filter((name) => !rarely(name));
export const rarelyTabulated = groupMeasureNames.filter(rarely);
export const hostMeasureNames = measureNames.filter((name) => measures[name].scope === 'host');
/** Measures that are worth keeping for each VM: what an objective for every VM can be about. */
export const vmMeasureNames = groupMeasureNames.filter(
  (name) => !['count', 'cycles', 'bytes'].includes(measures[name].unit) && !name.endsWith('_worst'),
);
/** The leaves of the ledger without their details. */
export const leafColumns: readonly string[] = [...new Set(leafNames.map(({ leaf }) => leaf))];

/** Undefined when there is nothing to measure: no VM reports it, or a ratio over zero. */
export function measure(name: MeasureName, sample: Sample): number | undefined {
  if (Object.hasOwn(derived, name)) return derived[name as keyof typeof derived].compute(sample);
  const metric = name as MetricName;
  if (sample.vms.some((row) => withoutValue(metric, row))) return Infinity;
  const values = known(sample, metric);
  if (values.length === 0) return undefined;
  if (metric === 'latency_mean_ns') {
    const seen = ({ metrics }: VmRow) =>
      (metrics.requests ?? 0) + (metrics.requests_unfinished ?? 0);
    const total = sample.vms.reduce((n, row) => n + (row.metrics[metric] ?? 0) * seen(row), 0);
    return per(
      total,
      sample.vms.reduce((n, row) => n + seen(row), 0),
    );
  }
  // Percentiles of several VMs cannot be pooled from theirs: the worst VM stands for the group.
  if (metricDictionary[metric].unit === 'ns' || WHOLE_GROUP.has(metric)) return largest(values);
  if (metricDictionary[metric].unit === 'ratio') return average(values);
  return sum(sample, metric);
}

/** A VM that got nothing done has no finite value: no limit holds for it. */
function withoutValue(metric: MetricName, row: VmRow): boolean {
  if (metric === 'slowdown' || metric === 'overhead') return starved(row);
  // A secondary that was never there is as far behind as can be.
  if (metric.startsWith('ft_lag_')) return row.metrics.ft_unprotected === 1;
  return metric.startsWith('latency_') && servedNone(row);
}

/** Times that are the same for all VMs of a group. */
const WHOLE_GROUP: ReadonlySet<MetricName> = new Set(['elapsed_cycles', 'finished_at_cycles']);

/** The measures of scope `host`. */
export function measureHost(result: RunResult): Partial<Record<MeasureName, number>> {
  let idle = 0;
  let all = 0;
  let overhead = 0;
  let walks = 0;
  for (const { leaf, cycles } of inOneClock(result)) {
    if (leaf === 'off') continue;
    all += cycles;
    if (leaf === 'idle') idle += cycles;
    if (leaf === 'walk.nested' || HYPERVISOR.includes(leaf)) overhead += cycles;
    if (leaf === 'walk.nested' || leaf === 'walk.guest') walks += cycles;
  }
  const values = {
    host_busy: per(all - idle, all),
    host_overhead: per(overhead, all - idle),
    host_walk_share: per(walks, all - idle),
    vms_per_core: per(
      result.vms.filter(({ vm }) => firstOf(vm) === undefined).length,
      result.pcpuCount,
    ),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

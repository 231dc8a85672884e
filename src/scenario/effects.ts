import type { ProcessTreeParams, TreeProgram } from '../guest/workloads/process-tree-params.ts';
import type { SyntheticParams, SyntheticRegion } from '../guest/workloads/synthetic-params.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import type { PlannedVm } from '../hypervisor/schedulers/scheduler.ts';
import { vmKeysOf, whoKnows } from '../hypervisor/schedulers/vm-params.ts';
import type { CheckContext } from './check-context.ts';
import { listed } from './findings.ts';
import { hostOfGroup, hostsOf } from './hosts.ts';
import { type Idle, idleDevices, idleFootprint, idleInKernel, usesDom0 } from './idle-guests.ts';
import type { Path } from './located.ts';
import type { ParsedScenario } from './schema.ts';

/**
 * Keys that can have no effect where they stand, because of what another key says. Written in a
 * scenario they are a misunderstanding, and refused; what a preset or a default says and a scenario
 * does not use is no fault. `host.cpu`, `hypervisor.costs`, `hypervisor.devices` and `vms[].os`
 * describe a machine and products: parts of them may be idle, as may all that is about the
 * hypervisor when there is none (`mmu: { kind: native }`), and what matters only with more pCPUs or
 * VMs than there are: how many there are is what experiments vary.
 */
export type { Idle };

/**
 * The keys, in which case they are idle, why, and the keys that turn them off, when they may stand
 * beside them.
 */
type Rule<T> = readonly [
  keys: readonly string[],
  idle: (of: T) => boolean,
  reason: string,
  ...unless: readonly string[],
];

type Rates = SyntheticParams['per1M'];
type Jobs = NonNullable<SyntheticParams['jobs']>;

const RATES: readonly Rule<Rates>[] = [
  [
    ['mmap.pages', 'mmap.live', 'munmap'],
    (of) => of.mmap.calls === 0,
    'nothing is mapped: mmap.calls is 0',
    'mmap.calls',
  ],
  [
    ['heapGrowth.pages', 'heapGrowth.limit'],
    (of) => of.heapGrowth.calls === 0,
    'heapGrowth.calls is 0',
    'heapGrowth.calls',
  ],
];

const JOBS: readonly Rule<Jobs>[] = [
  [['cowPages', 'parentInstructions'], (of) => !of.forks, 'forks is false: jobs have no parent'],
  [
    ['parentCode', 'parentData'],
    (of) => !of.forks || !of.exec,
    'the parent is the same program unless jobs fork and exec',
  ],
];

const REQUESTS: readonly Rule<NonNullable<SyntheticParams['requests']>>[] = [
  [
    ['ioWrites'],
    (of) => of.ioProbability === 0,
    'no request waits for the disk: ioProbability is 0',
    'ioProbability',
  ],
];

const NO_DISK =
  'nothing waits for the disk: per1M.blockingIo is 0, and so is requests.ioProbability';

const SYNTHETIC: readonly Rule<SyntheticParams>[] = [
  [
    ['phases'],
    ({ phases = [] }) => phases.every(({ shares }) => shares === undefined),
    'no phase says what it visits, so all of them do what the regions say',
  ],
  [
    ['ioLatency', 'ioBytes'],
    (of) => of.per1M.blockingIo === 0 && !(of.requests && of.requests.ioProbability > 0),
    NO_DISK,
  ],
  [
    ['quantum'],
    (of) => of.processes === 1 && of.threads === 1,
    'a single thread does not take turns',
    'processes',
    'threads',
  ],
];

/** `visited`: whether phases visit a region, and whether all of them say what they visit. */
const regionRules = (
  visited: (name: string) => boolean,
  instead: boolean,
): readonly Rule<SyntheticRegion>[] => [
  [
    ['stores', 'pattern', 'lines', 'hotLines', 'lineSkew'],
    (of) => !visited(of.name) && (of.share === 0 || instead),
    'nobody visits the region: its share is 0, or phases leave it out',
  ],
  [
    ['lines', 'hotLines', 'lineSkew'],
    (of) => of.pattern.kind === 'stream',
    'a stream goes line after line: its bytes decide',
  ],
  [
    ['lineSkew'],
    (of) => of.hotLines === 1,
    'hotLines is 1: there is nothing to choose',
    'hotLines',
  ],
];

const TREE: readonly Rule<ProcessTreeParams>[] = [
  [
    ['ioLatency', 'ioBytes'],
    (of) => of.programs.every(({ per1M }) => per1M.blockingIo === 0),
    'no program waits for the disk: per1M.blockingIo is 0',
  ],
  [
    ['size', 'sizes'],
    (of) => !of.programs.some(({ scaled }) => scaled),
    'no program is scaled: units of any size are the same',
  ],
];

const TREE_PROGRAM: readonly Rule<TreeProgram>[] = [
  [['starts'], (of) => of.runs.length === 0, 'the program starts no other'],
  [
    ['cowPages', 'usedPages'],
    (of) => of.runs.length === 0 || of.starts === 'vfork',
    'no child of the program has a copy of its memory',
  ],
];

/** What a trace says, as far as it matters here. */
interface TraceParams {
  readonly per1M?: Rates | undefined;
}

const TRACE: readonly Rule<TraceParams>[] = [
  [
    ['ioLatency', 'ioBytes'],
    (of) => !of.per1M?.blockingIo,
    'nothing waits for the disk: per1M.blockingIo is 0',
  ],
];

const MMAP_LOOP: readonly Rule<{ readonly touched: number }>[] = [
  [['stride'], (of) => of.touched < 2, 'no two pages are stored to'],
];

const NET_STREAM: readonly Rule<{ readonly direction: string }>[] = [
  [['roundTrip'], (of) => of.direction === 'send', 'the client only receives'],
];

/** Data lines cost something on the host of a group. */
function usesLines(scenario: ParsedScenario, group: ParsedScenario['vms'][number]): boolean {
  return hostOfGroup(hostsOf(scenario), group)?.host.caches.data !== 'off';
}

const NO_LINES = 'host.caches.data is off: data lines cost nothing';

/** All keys of the scenario that can have no effect, written or not. */
export function idleKeys(scenario: ParsedScenario): Idle[] {
  const { scheduler } = scenario.hypervisor;
  const found: Idle[] = [];
  const idle = (path: Path, when: boolean, reason: string) => {
    if (when) found.push({ path, reason });
  };
  const roundRobin = scheduler.kind === 'round-robin';
  const references = Number(scheduler['references'] ?? 0);
  const groups = scenario.vms.filter(({ count }) => count > 0);
  const traces = groups.some(({ workload }) => workload.kind === 'trace');
  const policy = (key: string): Path => ['hypervisor', 'scheduler', key];
  idle(['warmup'], scenario.duration === 'work' && scenario.warmup > 0, WORK_IS_MEASURED);
  idle(policy('timeslice'), roundRobin && references > 0, 'turns are counted in references');
  idle(policy('references'), references > 0 && !traces, 'only traces count their references');
  found.push(...idleFootprint(scenario));
  const dom0 = groups.some((group) => usesDom0(scenario, group));
  for (const { path } of hostsOf(scenario)) {
    for (const key of ['vcpus', 'weight', 'pin']) {
      idle([...path, 'dom0', key], !dom0, 'no device of a VM is the work of Dom0');
    }
    const reason = dom0 ? idleWeightOfDom0(scheduler) : undefined;
    idle([...path, 'dom0', 'weight'], reason !== undefined, reason ?? '');
  }
  for (const [i, group] of scenario.vms.entries()) {
    if (group.count === 0) continue;
    const path = ['vms', i, 'workload'];
    found.push(...idleInScheduler(scenario, i));
    idle([...path, 'work'], scenario.duration !== 'work', 'it counts with duration: work only');
    found.push(...idleInKernel(group, ['vms', i]), ...idleDevices(group, ['vms', i]));
    idle([...path, 'overlap'], !usesLines(scenario, group), NO_LINES);
    found.push(...idleInWorkload(scenario, path, group));
  }
  return found;
}

const WORK_IS_MEASURED = 'with duration: work all of the work is measured';

/** A VM as a scheduler judges it. */
export const plannedVm = (group: ParsedScenario['vms'][number]): PlannedVm => ({
  count: group.count,
  vcpus: group.vcpus,
  weight: group.weight,
  cap: group.cap,
  params: group.scheduler ?? {},
});

/** Why a weight means nothing for Dom0 under this scheduler; undefined: it does. */
function idleWeightOfDom0(scheduler: ParsedScenario['hypervisor']['scheduler']) {
  const definition = schedulers.find(scheduler.kind);
  const params = definition?.vmParams?.parse(definition.dom0 ?? {}) ?? {};
  const plan: PlannedVm = { count: 1, vcpus: 1, weight: 256, cap: 0, params };
  return definition?.idle?.(scheduler, plan)?.['weight'];
}

/** What the scheduler makes of the keys of a VM that are meant for it. */
function idleInScheduler({ vms, hypervisor }: ParsedScenario, i: number): Idle[] {
  const { scheduler } = hypervisor;
  const definition = schedulers.find(scheduler.kind);
  if (!definition) return [];
  const group = vms[i]!;
  const own = vmKeysOf(definition);
  const at = (key: string): Path =>
    key === 'weight' || key === 'cap' ? ['vms', i, key] : ['vms', i, 'scheduler', key];
  const reasons = Object.entries(definition.idle?.(scheduler, plannedVm(group)) ?? {});
  const others = Object.keys(group.scheduler ?? {}).filter((key) => !own.includes(key));
  const knows = own.length > 0 ? own.join(', ') : 'no parameters of a VM';
  return [
    ...reasons.map(([key, reason]) => ({ path: at(key), reason })),
    ...others.map((key) => ({
      path: at(key),
      reason:
        `it is for ${listed(whoKnows(schedulers, key))}, and ` + `${scheduler.kind} knows ${knows}`,
    })),
  ];
}

function idleInWorkload(
  scenario: ParsedScenario,
  path: Path,
  group: ParsedScenario['vms'][number],
): Idle[] {
  const { workload } = group;
  const params = workload as unknown;
  if (workload.kind === 'mmap-loop') return applied(MMAP_LOOP, params as never, path);
  if (workload.kind === 'net-stream') return applied(NET_STREAM, params as never, path);
  if (workload.kind === 'trace') {
    const { per1M } = params as TraceParams;
    const rates = per1M ? applied(RATES, per1M, [...path, 'per1M']) : [];
    return [...applied(TRACE, params as TraceParams, path), ...rates];
  }
  const lines: readonly Rule<unknown>[] = [
    [['lines', 'hotLines', 'lineSkew'], () => !usesLines(scenario, group), NO_LINES],
  ];
  const inRegions = (
    regions: readonly SyntheticRegion[],
    at: Path,
    phases: SyntheticParams['phases'] = [],
  ): Idle[] => {
    const named = phases.flatMap(({ shares = [] }) => shares.filter(({ share }) => share > 0));
    const visited = (name: string) => named.some(({ region }) => region === name);
    const instead = phases.length > 0 && phases.every(({ shares }) => shares !== undefined);
    const rules = [...regionRules(visited, instead), ...lines];
    return regions.flatMap((region, i) => applied(rules, region, [...at, 'regions', i]));
  };
  if (workload.kind === 'process-tree') {
    const tree = params as ProcessTreeParams;
    return [
      ...applied(TREE, tree, path),
      ...tree.programs.flatMap((program, i) => {
        const at = [...path, 'programs', i];
        return [
          ...applied(TREE_PROGRAM, program, at),
          ...applied(RATES, program.per1M, [...at, 'per1M']),
          ...inRegions(program.regions, at),
        ];
      }),
    ];
  }
  if (workload.kind !== 'synthetic') return [];
  const synthetic = params as SyntheticParams;
  const { regions, jobs, per1M, requests } = synthetic;
  return [
    ...applied(SYNTHETIC, synthetic, path),
    ...applied(RATES, per1M, [...path, 'per1M']),
    ...(jobs ? applied(JOBS, jobs, [...path, 'jobs']) : []),
    ...(requests ? applied(REQUESTS, requests, [...path, 'requests']) : []),
    ...inRegions(regions, path, synthetic.phases),
  ];
}

function applied<T>(rules: readonly Rule<T>[], of: T, path: Path): Idle[] {
  const at = (key: string): Path => [...path, ...key.split('.')];
  return rules.flatMap(([keys, idle, reason, ...unless]) =>
    idle(of) ? keys.map((key) => ({ path: at(key), reason, unless: unless.map(at) })) : [],
  );
}

/** Refuses idle keys that the scenario's author has written. */
export function checkEffects({ scenario, written, meant, fault }: CheckContext): void {
  for (const { path, reason, unless } of idleKeys(scenario)) {
    if (unless?.some(written) || !meant(path)) continue;
    const name = path.at(-1);
    fault(path, `"${name}" has no effect here: ${reason}`, `leave "${name}" out`);
  }
}

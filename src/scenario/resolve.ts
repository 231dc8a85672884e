import { stringify } from 'yaml';
import type { z } from 'zod';
import type { Choice } from '../base/registry.ts';
import { toCycles } from '../base/units.ts';
import type { ProtectionChoice } from '../cluster/fault-tolerance/protection.ts';
import { type Ticks, tickRate } from '../engine/timebase.ts';
import type { KernelProfile } from '../guest/kernel-schema.ts';
import type { HypervisorCosts } from '../hypervisor/costs.ts';
import type { CardKind, DiskKind, VirtualDevices } from '../hypervisor/devices.ts';
import type { Footprint } from '../hypervisor/footprint.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { type VmScheduling, vmKeysOf } from '../hypervisor/schedulers/vm-params.ts';
import type { Processor } from '../machine/processor.ts';
import type { CheckContext } from './check-context.ts';
import { checkScenario } from './checks.ts';
import { checkEffects, type Idle, idleKeys } from './effects.ts';
import type { FindInput, SweepInput } from './experiments.ts';
import type { Findings } from './findings.ts';
import type { MechanismName } from './free.ts';
import { type HostPlan, hostOfGroup, hostsOf, pcpuCount } from './hosts.ts';
import { type IssueContext, reportIssue } from './issues.ts';
import {
  child,
  follow,
  type Located,
  type LocatedMap,
  type Path,
  textOf,
  toValue,
  without,
} from './located.ts';
import {
  type Authors,
  isChosen,
  isDeprived,
  isMeant,
  valueAt,
  withoutChoice,
  withoutPath,
} from './meant.ts';
import { completed, pagingOf } from './paging.ts';
import type { PresetTexts } from './presets.ts';
import { repaired } from './repair.ts';
import type { SamplingPlan } from './sampling-schema.ts';
import { type HostForm, type ParsedScenario, scenarioSchema } from './schema.ts';
import { allowedKeys, withDefaults } from './schema-walk.ts';
import { checkWorkloads } from './workload-checks.ts';

/** A group of identical VMs; they are called `name-0`, `name-1`, … */
export interface VmGroup {
  readonly name: string;
  /** Name of the host that they are on at the start. */
  readonly host: string;
  readonly count: number;
  readonly vcpus: number;
  /** Bytes of each VM. */
  readonly memory: number;
  readonly weight: number;
  /** Per cent of one pCPU; 0 = none. */
  readonly cap: number;
  readonly pin?: readonly number[] | undefined;
  /** How their memory is virtualized. */
  readonly mmu: Choice;
  /** Kinds of its devices; undefined: those of the hypervisor. */
  readonly network?: CardKind | undefined;
  readonly disk?: DiskKind | undefined;
  /** How it is protected; undefined: it is not. */
  readonly faultTolerance?: ProtectionChoice | undefined;
  /** What only the chosen scheduler understands, with its defaults; undefined when nothing is. */
  readonly scheduler?: VmScheduling | undefined;
  /** Name of the guest kernel's preset. */
  readonly kernel: string;
  /** What the guest kernel does, and how long it takes. */
  readonly os: KernelProfile;
  /** Name of the workload preset, if it was one. */
  readonly preset?: string | undefined;
  /** A registered kind with all its parameters. */
  readonly workload: Choice;
  /** Number of the first VM of the group: a baseline runs one member of a group alone. */
  readonly firstIndex?: number | undefined;
}

/** Everything a run needs to know: complete, checked, frozen, in ticks and bytes. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly seed: string;
  /** Simulated time in all, from power-on; `work`: until every VM that has work has done it. */
  readonly duration: Ticks | 'work';
  /** When the measured window starts. */
  readonly warmup: Ticks;
  /** One or more. */
  readonly hosts: readonly HostPlan[];
  /** That of the first host. */
  readonly processor: Processor;
  readonly hypervisor: {
    /** Name of the preset. */
    readonly profile: string;
    readonly mmu: Choice;
    readonly tags: Choice;
    readonly scheduler: Choice;
    readonly backing: 'on-touch' | 'up-front';
  };
  readonly costs: HypervisorCosts;
  readonly footprint: Footprint;
  readonly devices: VirtualDevices;
  readonly links: readonly LinkPlan[];
  readonly vms: readonly VmGroup[];
  /** In the order of their times. */
  readonly events: readonly EventPlan[];
  readonly output: {
    /** Interval between samples; 0 = none. */
    readonly timeseries: Ticks;
    /** Whether to count who evicts whose entries. */
    readonly evictions: boolean;
  };
  readonly checks: { readonly translations: boolean };
  /** Undefined: everything is simulated in detail. */
  readonly sampling: SamplingPlan | undefined;
  /** What costs nothing in this run. */
  readonly free: readonly MechanismName[];
  /** Experiments on the scenario; a run takes no notice of them. */
  readonly sweep: SweepInput | undefined;
  readonly find: FindInput | undefined;
  /** The complete input in the units it was written with, every default filled in. */
  readonly input: Readonly<Record<string, unknown>>;
}

/** The scenario as YAML: loading it again gives the same run. */
export function scenarioYaml(scenario: Scenario): string {
  return stringify(scenario.input, { aliasDuplicateObjects: false, lineWidth: 100 });
}

/** A wire between two hosts. */
export interface LinkPlan {
  readonly name: string;
  /** Names of the hosts. */
  readonly between: readonly [string, string];
  /** Bits per second, each way. */
  readonly bandwidth: number;
  /** Picoseconds. */
  readonly latency: number;
}

/** Something that happens at a given time. */
export interface EventPlan {
  readonly at: Ticks;
  /** A registered kind with all its parameters. */
  readonly choice: Choice;
}

/** A complete scenario, and as much of it as files, presets and options say. */
export interface Resolved {
  readonly scenario: Scenario;
  readonly written: Located;
  /** Keys of the files that `--set` has deprived of their effect, and why. */
  readonly deprived: readonly Idle[];
}

/** Where the values come from, and `instead`: see `LoadOptions`. */
type ResolveOptions = Pick<Authors, 'reader' | 'isPreset' | 'files'> &
  Pick<IssueContext, 'instead'>;

/**
 * Checks a scenario whose presets are filled in. Undefined when something is wrong: see `findings`.
 */
export function resolveScenario(
  root: LocatedMap,
  texts: PresetTexts,
  findings: Findings,
  { reader, isPreset, files, instead }: ResolveOptions,
): Resolved | undefined {
  const kind = textOf(child(child(root, 'hypervisor'), 'scheduler'), 'kind');
  const form = child(root, 'hosts') ? 'hosts' : 'host';
  if (form === 'hosts') root = withoutHost(root, findings);
  const schema = schemaFor(texts, kind, form);
  const value = toValue(root);
  const parsed = schema.safeParse(value);
  const extraKinds = (path: Path) =>
    path.at(-2) === 'workload' ? Object.keys(texts.workloads) : [];
  const ownKeys = (path: Path) =>
    path.length === 3 && path[0] === 'vms' && path[2] === 'scheduler'
      ? vmKeysOf(schedulers.find(kind))
      : undefined;
  const issues = parsed.success ? [] : parsed.error.issues;
  const missing = issues
    .filter(({ code }) => code !== 'unrecognized_keys')
    .map((issue) => issue.path as Path)
    .filter((path) => follow(root, path).depth === path.length - 1);
  for (const issue of issues) {
    reportIssue(issue, { root, value, schema, findings, missing, extraKinds, ownKeys, instead });
  }
  const broken = issues.flatMap((issue) => brokenBy(issue, schema, value));
  const scenario = parsed.success ? parsed.data : repaired(schema, root, issues, reader);
  if (!scenario) return undefined;
  const authors: Authors = { root, schema, scenario, reader, isPreset, files };
  const context: CheckContext = {
    scenario,
    sound: (...paths) => paths.every((path) => !broken.some((bad) => overlap(bad, path))),
    written: (path) => follow(root, path).depth === path.length,
    meant: (path) => isMeant(authors, path),
    fault: (path, message, suggestion) => {
      broken.push(path);
      findings.add(placeOf(root, path, isPreset), message, suggestion);
    },
  };
  checkScenario(context);
  checkWorkloads(context);
  if (!findings.any) checkEffects(context);
  if (findings.any) return undefined;
  const idle = idleKeys(scenario).filter(({ path }) => isChosen(authors, path));
  const written = withoutIdle(root, idle, authors);
  const input = withDefaults(schema, toValue(written)) as Scenario['input'];
  return {
    scenario: deepFreeze(inInternalUnits(scenario, input)),
    written,
    deprived: idle.filter(({ path }) => isDeprived(authors, path)),
  };
}

/** `host` is the short form of a single one: beside `hosts` it means nothing. */
function withoutHost(root: LocatedMap, findings: Findings): LocatedMap {
  const single = root.entries.get('host');
  if (!single) return root;
  findings.add(
    single.key,
    '"host" and "hosts" cannot both be there: "host" is the short form of a single one',
    'give it a name below "hosts"',
  );
  return without(root, 'host');
}

/**
 * Without what `--set` or an axis has deprived of its effect, so that the complete scenario can be
 * run again. A map of which nothing is left goes too.
 */
function withoutIdle(root: Located, idle: readonly Idle[], authors: Authors): Located {
  return idle.reduce((tree, { path }) => {
    const left = withoutChoice(tree, path, authors);
    const map = path.slice(0, -1);
    const { node } = follow(left, map);
    return node.form === 'map' && node.entries.size === 0 ? withoutPath(left, map) : left;
  }, root);
}

type Schemas = Map<string, ReturnType<typeof scenarioSchema>>;
const schemas = new WeakMap<PresetTexts, Schemas>();

/**
 * Making the schema takes longer than checking a scenario with it, and a sweep checks thousands.
 */
function schemaFor(
  texts: PresetTexts,
  scheduler: string | undefined,
  form: HostForm,
): ReturnType<typeof scenarioSchema> {
  const known: Schemas = schemas.get(texts) ?? new Map();
  const kind = schedulers.find(scheduler)?.name;
  const key = `${form} ${kind}`;
  const schema = known.get(key) ?? scenarioSchema(texts, kind, form);
  schemas.set(texts, known.set(key, schema));
  return schema;
}

/**
 * Where a rule about `path` is best shown: a line of the scenario rather than of a preset it names.
 */
export function placeOf(root: LocatedMap, path: Path, isPreset: (file: string) => boolean) {
  for (let depth = path.length; depth > 0; depth--) {
    const { node } = follow(root, path.slice(0, depth));
    if (!isPreset(node.place.file)) return node.place;
  }
  return root.place;
}

/**
 * Which values an issue leaves in doubt. A key that nobody knows may have been meant for any that
 * is not there.
 */
function brokenBy(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): Path[] {
  const path = issue.path as Path;
  if (issue.code !== 'unrecognized_keys') return [path];
  const present = valueAt(value, path) as Record<string, unknown>;
  return allowedKeys(schema, value, path)
    .filter((key) => !Object.hasOwn(present, key))
    .map((key) => [...path, key]);
}

/** `bad` lies on the way to `path`, or below it. */
function overlap(bad: Path, path: Path): boolean {
  const depth = Math.min(bad.length, path.length);
  return depth > 0 && bad.slice(0, depth).every((step, i) => step === path[i]);
}

function inInternalUnits(parsed: ParsedScenario, input: Scenario['input']): Scenario {
  const { hypervisor } = parsed;
  const written = hostsOf(parsed);
  const mhz = tickRate(written.map(({ host }) => host.cpu.clock)) / 1e6;
  const ticks = (picoseconds: number) => toCycles(picoseconds, mhz);
  return {
    name: parsed.name,
    description: parsed.description ?? '',
    seed: parsed.seed,
    duration: parsed.duration === 'work' ? 'work' : ticks(parsed.duration),
    warmup: ticks(parsed.warmup),
    hosts: written.map(({ name, host }) => ({
      name,
      processor: host.processor,
      cpu: host.cpu,
      sockets: host.sockets,
      memory: host.memory,
      pcpus: pcpuCount(host),
      dataLines: host.caches.data === 'on',
      bandwidth: host.network?.bandwidth,
      disk: host.disk,
      dom0: host.dom0,
      lookahead:
        host.lookahead === undefined ? undefined : toCycles(host.lookahead, host.cpu.clock / 1e6),
    })),
    processor: written[0]!.host.cpu,
    hypervisor: {
      profile: hypervisor.profile,
      mmu: completed(hypervisor.mmu, hypervisor),
      tags: hypervisor.tags,
      scheduler: hypervisor.scheduler,
      backing: hypervisor.backing,
    },
    costs: hypervisor.costs,
    footprint: hypervisor.footprint,
    devices: hypervisor.devices,
    links: (parsed.links ?? []).map(({ between, ...link }) => ({
      ...link,
      between: between as [string, string],
    })),
    events: (parsed.events ?? [])
      .map(({ at, kind, ...params }) => ({ at: ticks(at), choice: { kind, ...params } }))
      .toSorted((a, b) => a.at - b.at),
    vms: parsed.vms.map((group) => ({
      ...group,
      host: hostOfGroup(written, group)!.name,
      mmu: pagingOf(parsed, group),
    })),
    output: {
      timeseries: ticks(parsed.output.timeseries),
      evictions: parsed.output.evictions,
    },
    checks: parsed.checks,
    sampling:
      parsed.sampling?.kind === 'learned'
        ? {
            warm: ticks(parsed.sampling.warm),
            detail: ticks(parsed.sampling.detail),
            target: parsed.sampling.target,
          }
        : undefined,
    free: parsed.free ?? [],
    sweep: parsed.sweep,
    find: parsed.find,
    input,
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

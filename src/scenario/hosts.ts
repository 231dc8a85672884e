import type { Cycles } from '../base/ids.ts';
import { Timebase, tickRate } from '../engine/timebase.ts';
import type { Dom0Plan } from '../hypervisor/device-work.ts';
import type { DiskOptions } from '../hypervisor/disk.ts';
import type { Processor } from '../machine/processor.ts';
import type { Path } from './located.ts';
import type { ParsedHost, ParsedScenario } from './schema.ts';

/** One machine of a scenario: complete, checked, in bytes and cycles of its own. */
export interface HostPlan {
  /** As the scenario calls it; of a single one without a name, `SINGLE`. */
  readonly name: string;
  /** Name of the preset. */
  readonly processor: string;
  readonly cpu: Processor;
  readonly sockets: number;
  /** Bytes. */
  readonly memory: number;
  /** Number of pCPUs in use. */
  readonly pcpus: number;
  /** False: data lines cost nothing. */
  readonly dataLines: boolean;
  /** Bits per second, each way, of its wire to the outside; undefined: messages do not share it. */
  readonly bandwidth: number | undefined;
  /** What Dom0 gets, where the hypervisor has one. */
  readonly dom0: Dom0Plan;
  /** Undefined: requests do not wait for each other. */
  readonly disk: DiskOptions | undefined;
  /** Undefined: exact. */
  readonly lookahead: Cycles | undefined;
}

/** What the host under `host:` is called. */
export const SINGLE = 'host';

/** A host as it stands in a scenario. */
export interface WrittenHost {
  readonly name: string;
  readonly host: ParsedHost;
  /** Where it stands: `host`, or `hosts.a`. */
  readonly path: Path;
}

/** All hosts of a scenario: those under `hosts:` by name, or the one under `host:`. */
export function hostsOf({ host, hosts }: Pick<ParsedScenario, 'host' | 'hosts'>): WrittenHost[] {
  if (host) return [{ name: SINGLE, host, path: ['host'] }];
  return Object.entries(hosts ?? {}).map(([name, one]) => ({
    name,
    host: one,
    path: ['hosts', name],
  }));
}

/** The host that a group of VMs is on; undefined when it says none and has to, or names no host. */
export function hostOfGroup(
  hosts: readonly WrittenHost[],
  group: { readonly host?: string | undefined },
): WrittenHost | undefined {
  if (group.host === undefined) return hosts.length === 1 ? hosts[0] : undefined;
  return hosts.find(({ name }) => name === group.host);
}

/** Whether a group of VMs is on a host at the start. */
export const isOn = (
  hosts: readonly WrittenHost[],
  group: { readonly host?: string | undefined },
  on: WrittenHost,
): boolean => hostOfGroup(hosts, group)?.name === on.name;

export function pcpuCount(host: ParsedHost): number {
  const all = host.sockets * host.cpu.diesPerSocket * host.cpu.coresPerDie;
  return Math.min(host.pcpus ?? all, all);
}

/**
 * Share of host memory kept for the hypervisor and its tables: assumed, 2 to 5 % (KVM alone allows
 * shadow pages 2 %).
 */
const RESERVED = 1 / 32;
/** Bytes of a host's memory that VMs can have. */
export const roomFor = (memory: number): number => Math.floor(memory * (1 - RESERVED));

/** By host, the number of its first pCPU when those of all hosts are numbered on. */
export function firstPcpus(hosts: readonly { readonly pcpus: number }[]): number[] {
  let next = 0;
  return hosts.map(({ pcpus }) => {
    const first = next;
    next += pcpus;
    return first;
  });
}

/** The host of a row of results, where there are several. */
export const hostColumn = (
  hosts: readonly unknown[],
  { name }: { readonly name: string },
): { readonly host?: string } => (hosts.length > 1 ? { host: name } : {});

/** A second copy that was not needed is on no host, and results say nothing of it. */
export const isPlaced = ({ vm }: { readonly vm: { readonly host: { index: number } } }): boolean =>
  vm.host.index >= 0;

interface Planned {
  readonly hosts: readonly HostPlan[];
}

/** Of all hosts together. */
export const allPcpus = ({ hosts }: Planned): number =>
  hosts.reduce((sum, { pcpus }) => sum + pcpus, 0);

/** The clock that times of a result are cycles of, if they are not about one host, in Hz. */
export const clockOf = ({ hosts }: Planned): number => hosts[0]!.cpu.clock;

/** How many ticks of the engine, of which times of a scenario are, make a second. */
export const tickRateOf = ({ hosts }: Planned): number =>
  tickRate(hosts.map(({ cpu }) => cpu.clock));

/** What times of a result are counted in: cycles of the first host. */
export const referenceOf = (planned: Planned): Timebase => timebaseOf(planned.hosts[0]!, planned);

/** The cycles of a host in ticks. */
export const timebaseOf = (plan: HostPlan, planned: Planned): Timebase =>
  new Timebase(tickRateOf(planned) / plan.cpu.clock);

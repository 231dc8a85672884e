import type { VcpuId, VmId } from '../base/ids.ts';
import type { Cluster, Protection } from '../cluster/cluster.ts';
import { eventKinds } from '../cluster/events/index.ts';
import type { Host } from '../cluster/host.ts';
import { Link } from '../cluster/link.ts';
import { Phase } from '../engine/engine.ts';
import type { Timebase } from '../engine/timebase.ts';
import { devicesOf } from '../hypervisor/devices.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { runstateNames, Vcpu, Vm } from '../hypervisor/vm.ts';
import { type FaultPort, Verdict } from '../machine/core.ts';
import type { Learned } from '../machine/learned/learned.ts';
import { PageTables } from '../machine/page-tables.ts';
import { wherever } from '../observe/hosts.ts';
import { type ObservedRun, type Observer, silent } from '../observe/observer.ts';
import { RunSlices } from '../observe/run-slices.ts';
import { causeNames, exitNames } from '../stats/leaves.ts';
import { type Build, buildMember, type Member, powerOn } from './build-guest.ts';
import { addScheduler, buildHost, commonEngine, type Site } from './build-host.ts';
import type { BuildOptions, RefillableFeed } from './build-options.ts';
import { buildProtections, secondariesOf } from './build-pairs.ts';
import { isCopied } from './copies.ts';
import { firstPcpus, referenceOf, tickRateOf } from './hosts.ts';
import { Lanes } from './lanes.ts';
import type { Scenario, VmGroup } from './resolve.ts';
import { watchThreads } from './threads.ts';

export type { BuildOptions, Member, RefillableFeed };

export interface Simulation extends Cluster {
  readonly scenario: Scenario;
  /** What times of results are counted in: cycles of the first host. */
  readonly reference: Timebase;
  /** Page tables of all hosts. */
  readonly tables: PageTables;
  /** All VMs by number, whichever host they are on. */
  readonly members: readonly Member[];
  /** Knows the pCPUs of all hosts by one row of numbers. */
  readonly observer: Observer;
  readonly feeds: readonly RefillableFeed[];
  readonly slices: RunSlices | undefined;
  /** Undefined: nobody looks, or there is one host without threads. */
  readonly lanes: Lanes | undefined;
  /** By host; none unless the run is sampled. */
  readonly learned: readonly Learned[];
}

/**
 * The composition root: the only place that makes objects of all layers, from a complete scenario.
 * The caller gives the simulation to `disposeOf` when the run is over. `onMark` is called when a VM
 * has executed `piece.from` (0) and `piece.to` (1) user instructions.
 */
export function buildSimulation(
  scenario: Scenario,
  options: BuildOptions = {},
  onMark: (index: number) => void = () => {},
): Simulation {
  const groups = scenario.vms.flatMap((group) => new Array<VmGroup>(group.count).fill(group));
  const vms = buildVms(scenario);
  for (const { vm, group } of secondariesOf(scenario, vms, groups)) {
    vms.push(vm);
    groups.push(group);
  }
  for (const [i, vm] of vms.entries()) vm.devices = devicesOf(scenario.devices, groups[i]!);
  const vcpus = vms.map((vm, i) => {
    const { walk } = mmuModes.of(groups[i]!.mmu.kind);
    return new Vcpu(i as VcpuId, vm, 0, walk === 'two', nowhere);
  });
  const engine = commonEngine(scenario);
  const tables = new PageTables(expectedNodes(vms));
  const observer = options.observer ?? silent;
  const site: Site = { scenario, engine, tables, vms, vcpus, groups, observer, learned: [] };
  const firsts = firstPcpus(scenario.hosts);
  const hosts: Host[] = [];
  try {
    for (const [h, plan] of scenario.hosts.entries()) {
      hosts.push(buildHost(site, plan, h, firsts[h]!));
    }
    const slices = noteSlices(site, options);
    for (const vm of vms) vm.host = hosts[vm.host.index] ?? vm.host;
    const told = slices ?? observer;
    const reference = referenceOf(scenario);
    const byHost = wherever(
      told,
      (i) => firsts[vcpus[i]!.vm.host.index]!,
      (now, i) => reference.passed(vcpus[i]!.timebase.engine(now)),
    );
    for (const vcpu of vcpus) {
      // What is on no host yet comes to one with the clock of that.
      const { hypervisor } = hosts[vcpu.vm.host.index] ?? hosts[0]!;
      vcpu.timebase = hypervisor.engine.timebase;
      vcpu.observer = hosts.length > 1 ? byHost : told;
    }
    const links = buildLinks(site);
    const feeds: RefillableFeed[] = [];
    const build: Build = {
      ...{ scenario, options, onMark, hosts, feeds },
      isCopied: (vm) => isCopied(scenario, vm, groups[vm.id]!),
    };
    const members = vms.map((vm, i) => buildMember(build, vm, vcpus[i]!, groups[i]!));
    for (const { choice } of scenario.events) {
      eventKinds.of(choice.kind).prepare?.(choice, { hosts, links });
    }
    const protections: Protection[] = [];
    const cluster: Cluster = {
      ...{ engine, mhz: tickRateOf(scenario) / 1e6, hosts, links, members, migrations: [] },
      ...{ profile: scenario.hypervisor.profile, protections },
    };
    protections.push(...buildProtections(cluster, groups, scenario));
    for (const host of hosts) {
      options.prepare?.(host.hypervisor);
      addScheduler(host, scenario);
    }
    for (const member of members) powerOn(build, member);
    const lanes = lanesOf(cluster, scenario, observer);
    watchThreads(hosts, { slices, lanes, reference });
    observer.onBegin(cast(site, hosts, lanes));
    for (const { hypervisor } of hosts) hypervisor.start();
    for (const protection of protections) protection.protect(0);
    arrange(cluster, scenario);
    const { learned } = site;
    return {
      ...{ ...cluster, scenario, reference, tables, members, observer },
      ...{ feeds, slices, lanes, learned },
    };
  } catch (error) {
    for (const { machine } of hosts) machine.dispose();
    throw error;
  }
}

function buildLinks({ engine, scenario }: Site): Link[] {
  const { hosts, links } = scenario;
  const indexOf = (name: string) => hosts.findIndex((plan) => plan.name === name);
  return links.map(({ between: [a, b], ...link }) => {
    const between = [indexOf(a), indexOf(b)] as const;
    return new Link(engine, tickRateOf(scenario) / 1e6, { ...link, between });
  });
}

function lanesOf(cluster: Cluster, scenario: Scenario, observer: Observer): Lanes | undefined {
  const threads = cluster.hosts.some(({ hypervisor }) => hypervisor.tasks.all.length > 0);
  if (observer === silent || (cluster.hosts.length === 1 && !threads)) return undefined;
  const { events } = scenario;
  const moves = events.filter(({ choice }) => choice.kind === 'migrate');
  // What happens may also end in a new copy of a protected VM, which is a migration too.
  const copied = events.length > moves.length ? cluster.protections.map(({ vm }) => vm.name) : [];
  return new Lanes(
    cluster,
    [...moves.map(({ choice }) => String(choice['vm'])), ...copied],
    observer,
    referenceOf(scenario),
  );
}

/** Has what is to happen at given times happen then. */
function arrange(cluster: Cluster, { events }: Scenario): void {
  if (events.length === 0) return;
  const happenings = events.map(({ choice: { kind, ...params } }) => {
    const { create } = eventKinds.of(kind);
    if (!create) throw new Error(`an event of the kind ${kind} cannot be simulated`);
    return create(params);
  });
  const { engine } = cluster;
  const happen = engine.defineEvent(Phase.Deliver, (now, i) => happenings[i]!(cluster, now));
  for (const [i, { at }] of events.entries()) engine.schedule(at, happen, i);
}

/** Takes the machines of a simulation down. It must not be used afterwards. */
export function disposeOf({ hosts }: Pick<Simulation, 'hosts'>): void {
  for (const { machine } of hosts) machine.dispose();
}

const expectedNodes = (vms: readonly Vm[]): number => {
  const pages = vms.reduce((sum, vm) => sum + vm.memoryPages, 0);
  return Math.ceil((pages / 512) * 2.5) + vms.length * 64 + 256;
};

function buildVms({ hosts, vms }: Scenario): Vm[] {
  let id = 0;
  return vms.flatMap((group) => {
    const { name, count, firstIndex = 0, memory, weight, cap, pin, scheduler } = group;
    const index = hosts.findIndex((plan) => plan.name === group.host);
    return Array.from({ length: count }, (_, i) => {
      const memoryPages = Math.floor(memory / 4096);
      return new Vm(id++ as VmId, {
        name: `${name}-${firstIndex + i}`,
        host: { name: group.host, index },
        memoryPages,
        weight,
        cap,
        pin,
        scheduling: scheduler,
      });
    });
  });
}

/** Notes when the vCPUs ran, if that is wanted. */
function noteSlices(
  { observer, scenario, vcpus }: Site,
  options: BuildOptions,
): RunSlices | undefined {
  if (!options.slices) return undefined;
  const from = scenario.duration === 'work' ? 0 : referenceOf(scenario).local(scenario.warmup);
  return new RunSlices(observer, { vcpus: vcpus.length, from, most: options.slices });
}

/** Until a VM has its software. */
const nowhere: FaultPort = { onWalkFault: () => Verdict.GuestFault };

/** Who is who, for observers. */
function cast(
  { scenario, vcpus, vms }: Site,
  hosts: readonly Host[],
  lanes: Lanes | undefined,
): ObservedRun {
  const { hypervisor, name } = scenario;
  const [{ machine }] = hosts as readonly [Host];
  return {
    name,
    mhz: machine.mhz,
    pcpuCount: hosts.reduce((sum, { machine: { cores } }) => sum + cores.length, 0),
    hosts:
      hosts.length > 1
        ? hosts.map((host) => ({ name: host.name, pcpuCount: host.machine.cores.length }))
        : undefined,
    virtualized: mmuModes.of(hypervisor.mmu.kind).virtualized,
    vms: vms.map((vm) => vm.name),
    vcpus: vcpus.map(({ vm, index, context: { nested } }) => ({ vm: vm.id, index, nested })),
    runstates: runstateNames,
    exits: exitNames,
    causes: causeNames,
    lanes: lanes?.lanes,
    counters: lanes?.counters,
  };
}

import type { Host } from '../cluster/host.ts';
import { Engine } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import { SlowedEngine } from '../engine/slowed-engine.ts';
import { BLOCK_ITEMS } from '../guest/kernel-options.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import type { Vcpu, Vm } from '../hypervisor/vm.ts';
import { blockRoom } from '../machine/items.ts';
import { Learned } from '../machine/learned/learned.ts';
import { LearnedCore } from '../machine/learned/learned-core.ts';
import { buildMachine, type Machine } from '../machine/machine.ts';
import type { PageTables } from '../machine/page-tables.ts';
import { onHost, type Reading } from '../observe/hosts.ts';
import type { Observer } from '../observe/observer.ts';
import { freeLeaves } from './free.ts';
import { type HostPlan, referenceOf, roomFor, timebaseOf } from './hosts.ts';
import type { Scenario, VmGroup } from './resolve.ts';

/** What all hosts of a simulation have in common. */
export interface Site {
  readonly scenario: Scenario;
  /** Of everything that hosts have in common. */
  readonly engine: Engine;
  readonly tables: PageTables;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  /** By VM. */
  readonly groups: readonly VmGroup[];
  readonly observer: Observer;
  /** By host, where the run is sampled; filled as hosts are built. */
  readonly learned: Learned[];
}

/** A host with the VMs that are on it; it has no scheduler yet. */
export function buildHost(site: Site, plan: HostPlan, index: number, firstPcpu: number): Host {
  const { observer, scenario, vcpus, vms } = site;
  const engine = engineOf(site, plan);
  const { hypervisor: hv } = scenario;
  const { asids, flushByAsid, erratum170 } = plan.cpu.svm;
  const machine = buildHardware(site, plan);
  if (scenario.sampling) site.learned.push(learn(site, machine));
  try {
    const residents = vms.filter(({ host }) => host.index === index);
    for (const [i, vm] of residents.entries()) vm.home = homeNode(vm, machine, i);
    const policy = schedulers.find(hv.scheduler.kind);
    const hypervisor = new Hypervisor({
      host: { name: plan.name, index },
      machine,
      engine,
      costs: scenario.costs,
      footprint: scenario.footprint,
      bandwidth: plan.bandwidth,
      disk: plan.disk,
      dom0: plan.dom0,
      connected: scenario.links.length > 0,
      tags: tagPolicies.create(hv.tags, {
        pcpuCount: machine.cores.length,
        vcpuCount: vcpus.length,
        asids,
        flushByAsid,
        erratum170,
      }),
      vms,
      vcpus,
      virtualized: mmuModes.of(hv.mmu.kind).virtualized,
      taskScheduling: policy?.vmParams?.parse({}),
      dom0Scheduling: policy?.vmParams?.parse(policy.dom0 ?? {}),
      upFront: hv.backing === 'up-front',
      observer: onHost(observer, firstPcpu, readingOf(scenario, plan)),
    });
    return { name: plan.name, index, machine, hypervisor, room: roomFor(plan.memory), alive: true };
  } catch (error) {
    machine.dispose();
    throw error;
  }
}

/** No link connects them, so that none can do anything to another. */
const apart = ({ hosts, links }: Pick<Scenario, 'hosts' | 'links'>): boolean =>
  hosts.length > 1 && links.length === 0;

/** The time of the whole simulation. */
export const commonEngine = (scenario: Scenario): Engine => {
  const lookaheads = scenario.hosts.map((plan) => lookaheadOf(plan, scenario));
  return new Engine(apart(scenario) ? Infinity : Math.min(...lookaheads));
};

/**
 * Hosts that are connected run in one order of time; each of others in the order of its own. A host
 * counts its own cycles.
 */
function engineOf({ engine: common, scenario }: Site, plan: HostPlan): HostEngine {
  const timebase = timebaseOf(plan, scenario);
  const engine = apart(scenario) ? new Engine(lookaheadOf(plan, scenario), common) : common;
  return timebase.ticks === 1 ? engine : new SlowedEngine(engine, timebase);
}

/** How observers read times of a host: as cycles of the first one. */
function readingOf(scenario: Scenario, plan: HostPlan): Reading | undefined {
  const [first, own] = [referenceOf(scenario), timebaseOf(plan, scenario)];
  if (first.ticks === own.ticks) return undefined;
  return (now) => first.passed(own.engine(now));
}

/** Ticks: no pCPU runs ahead of another by more than the fastest IPI takes. */
const lookaheadOf = (plan: HostPlan, scenario: Scenario): number =>
  timebaseOf(plan, scenario).engine(plan.lookahead ?? plan.cpu.instructions.ipiDeliver);

/** The scheduler sees what its VMs are like, so it comes after them. */
export function addScheduler({ hypervisor }: Host, { hypervisor: hv }: Scenario): void {
  hypervisor.scheduler = schedulers.create(hv.scheduler, hypervisor.dispatch);
}

function buildHardware({ scenario, tables, vms }: Site, plan: HostPlan): Machine {
  const { output, free } = scenario;
  return buildMachine({
    name: plan.name,
    processor: plan.cpu,
    sockets: plan.sockets,
    pcpus: plan.pcpus,
    memoryBytes: plan.memory,
    dataLines: plan.dataLines,
    lookahead: plan.lookahead ?? plan.cpu.instructions.ipiDeliver,
    vcpuCount: vms.length,
    vmOf: Int32Array.from([...vms.map((vm) => vm.id), -1]),
    tables,
    countEvictions: output.evictions,
    freeLeaves: freeLeaves(free),
    items: vms.length * blockRoom(BLOCK_ITEMS),
  });
}

/** The cores of a host learn what work costs, of all VMs of a group together. */
function learn({ groups, scenario, vcpus }: Site, { cores }: Machine): Learned {
  const learned = new Learned(vcpus.map(({ vm }) => scenario.vms.indexOf(groups[vm.id]!)));
  for (const core of cores) core.learned = new LearnedCore(learned, core);
  return learned;
}

/** VMs are spread over the NUMA nodes round robin; a pinned VM gets memory near its pCPUs. */
function homeNode(vm: Vm, machine: Machine, index: number): number {
  const pinned = vm.pin?.[0];
  if (pinned !== undefined && machine.cores[pinned]) return machine.cores[pinned].node;
  return index % machine.nodeCount;
}

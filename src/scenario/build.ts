import type { VcpuId, VmId } from '../base/ids.ts';
import { Engine } from '../engine/engine.ts';
import { grantedPort } from '../guest/granted-port.ts';
import { bootGuest, type GuestSoftware } from '../guest/guest.ts';
import { BLOCK_ITEMS } from '../guest/kernel-options.ts';
import { Requests } from '../guest/requests.ts';
import type { VcpuLoop } from '../guest/vcpu-loop.ts';
import { workloads } from '../guest/workloads/index.ts';
import type { TraceFeed, Workload } from '../guest/workloads/workload.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { Mmu } from '../hypervisor/mmu/mmu.ts';
import { observedPort } from '../hypervisor/observed-port.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import { VcpuPort } from '../hypervisor/vcpu-port.ts';
import { runstateNames, Vcpu, Vm } from '../hypervisor/vm.ts';
import { type FaultPort, Verdict } from '../machine/core.ts';
import { blockRoom, takeBlock } from '../machine/items.ts';
import { buildMachine, type Machine } from '../machine/machine.ts';
import { type Observer, silent } from '../observe/observer.ts';
import { RunSlices } from '../observe/run-slices.ts';
import { causeNames, exitNames } from '../stats/leaves.ts';
import { freeLeaves } from './free.ts';
import type { Scenario, VmGroup } from './resolve.ts';

/** A trace that can be fed while the simulation waits. */
export interface RefillableFeed extends TraceFeed {
  /** Reads on; resolves when `take` has something to give or the trace has ended. */
  refill(): Promise<void>;
  /** Called once, when the run is over. */
  close?(): void;
}

export interface BuildOptions {
  /** `again`: the trace will be read several times. */
  openTrace?: ((file: string, again: boolean) => RefillableFeed) | undefined;
  /**
   * Measure a piece of work instead of a span of time: from so many user instructions of a VM to so
   * many; of any VM when it is not named.
   */
  piece?:
    | { readonly from: number; readonly to: number; readonly vm?: string | undefined }
    | undefined;
  /** Told of what happens; by default nobody is. */
  observer?: Observer | undefined;
  /** Called with the host before its scheduler is made: for tasks of the host. */
  prepare?: ((hypervisor: Hypervisor) => void) | undefined;
  /** Note which VM ran where and when, from the warm-up on, up to about so many stretches. */
  slices?: number | undefined;
}

/** One VM of the run with what belongs to it. */
export interface Member {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  readonly group: VmGroup;
  readonly workload: Workload;
  readonly guest: GuestSoftware;
  /** What runs on its vCPU. */
  readonly kernel: VcpuLoop;
  readonly requests: Requests | null;
}

export interface Simulation {
  readonly scenario: Scenario;
  readonly engine: Engine;
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly members: readonly Member[];
  readonly feeds: readonly RefillableFeed[];
  readonly slices: RunSlices | undefined;
}

/**
 * The composition root: the only place that makes objects of all layers, from a complete scenario.
 * The caller disposes of `machine` when the run is over. `onMark` is called when a VM has executed
 * `piece.from` (0) and `piece.to` (1) user instructions.
 */
export function buildSimulation(
  scenario: Scenario,
  options: BuildOptions = {},
  onMark: (index: number) => void = () => {},
): Simulation {
  const { instructions } = scenario.processor;
  const engine = new Engine(scenario.host.lookahead ?? instructions.ipiDeliver);
  const groups = scenario.vms.flatMap((group) => new Array<VmGroup>(group.count).fill(group));
  const vms = buildVms(scenario);
  const machine = buildHardware(scenario, vms);
  try {
    const feeds: RefillableFeed[] = [];
    const build: Build = { scenario, options, onMark, engine, machine, feeds };
    const hypervisor = buildHost(build, vms);
    const slices = noteSlices(build, hypervisor);
    const members = vms.map((_, i) => buildMember(build, hypervisor, i, groups[i]!));
    options.prepare?.(hypervisor);
    hypervisor.scheduler = schedulers.create(scenario.hypervisor.scheduler, hypervisor.dispatch);
    for (const [i, member] of members.entries()) powerOn(scenario, member, hypervisor.mmuOf[i]!);
    hypervisor.observer.onBegin(cast(scenario, hypervisor));
    hypervisor.start();
    return { scenario, engine, machine, hypervisor, members, feeds, slices };
  } catch (error) {
    machine.dispose();
    throw error;
  }
}

/** What the builders below share. */
interface Build {
  readonly scenario: Scenario;
  readonly options: BuildOptions;
  readonly onMark: (index: number) => void;
  readonly engine: Engine;
  readonly machine: Machine;
  /** Filled as traces are opened. */
  readonly feeds: RefillableFeed[];
}

function buildVms({ vms }: Scenario): Vm[] {
  let id = 0;
  return vms.flatMap(({ name, count, firstIndex = 0, memory, weight, cap, pin, scheduler }) =>
    Array.from({ length: count }, (_, i) => {
      const memoryPages = Math.floor(memory / 4096);
      return new Vm(id++ as VmId, {
        name: `${name}-${firstIndex + i}`,
        memoryPages,
        weight,
        cap,
        pin,
        scheduling: scheduler,
      });
    }),
  );
}

function buildHardware({ host, output, free, processor }: Scenario, vms: readonly Vm[]): Machine {
  const pages = vms.reduce((sum, vm) => sum + vm.memoryPages, 0);
  const machine = buildMachine({
    processor,
    sockets: host.sockets,
    pcpus: host.pcpus,
    memoryBytes: host.memory,
    dataLines: host.dataLines,
    vcpuCount: vms.length,
    vmOf: Int32Array.from([...vms.map((vm) => vm.id), -1]),
    tableNodes: Math.ceil((pages / 512) * 2.5) + vms.length * 64 + 256,
    countEvictions: output.evictions,
    freeLeaves: freeLeaves(free),
    items: vms.length * blockRoom(BLOCK_ITEMS),
  });
  for (const [i, vm] of vms.entries()) vm.home = homeNode(vm, machine, i);
  return machine;
}

function buildHost({ engine, machine, options, scenario }: Build, vms: readonly Vm[]): Hypervisor {
  const { hypervisor: hv, processor } = scenario;
  const { virtualized, walk } = mmuModes.of(hv.mmu.kind);
  const vcpus = vms.map((vm, i) => new Vcpu(i as VcpuId, vm, 0, walk === 'two', nowhere));
  const { asids, flushByAsid, erratum170 } = processor.svm;
  const hypervisor = new Hypervisor({
    machine,
    engine,
    costs: scenario.costs,
    devices: scenario.devices,
    tags: tagPolicies.create(hv.tags, {
      pcpuCount: machine.cores.length,
      vcpuCount: vcpus.length,
      asids,
      flushByAsid,
      erratum170,
    }),
    vms,
    vcpus,
    virtualized,
    upFront: hv.backing === 'up-front',
    observer: options.observer ?? silent,
    taskScheduling: schedulers.find(hv.scheduler.kind)?.vmParams?.parse({}),
  });
  hypervisor.mmuOf = vms.map((vm) => mmuModes.create(hv.mmu, hypervisor.mmuDeps(vm)));
  return hypervisor;
}

/** Has the vCPUs note when they ran, if that is wanted. */
function noteSlices({ options, scenario }: Build, hypervisor: Hypervisor): RunSlices | undefined {
  if (!options.slices) return undefined;
  const { observer, vcpus } = hypervisor;
  const from = scenario.duration === 'work' ? 0 : scenario.warmup;
  const slices = new RunSlices(observer, { vcpus: vcpus.length, from, most: options.slices });
  for (const vcpu of vcpus) vcpu.observer = slices;
  return slices;
}

/** Until a VM has its software. */
const nowhere: FaultPort = { onWalkFault: () => Verdict.GuestFault };

function buildMember(build: Build, hypervisor: Hypervisor, i: number, group: VmGroup): Member {
  const { engine, machine, onMark, options, scenario } = build;
  const { devices, duration, host, seed } = scenario;
  const { mhz } = machine;
  const vm = hypervisor.vms[i]!;
  const vcpu = hypervisor.vcpus[i]!;
  const mmu = hypervisor.mmuOf[i]!;
  const workload = workloads.create(group.workload, {
    seed,
    vm: vm.name,
    memoryPages: vm.memoryPages,
    dataLines: host.dataLines,
    openTrace: (file, again) => openTrace(build, file, again),
  });
  const requests = workload.arrivals
    ? new Requests(engine, workload.arrivals, {
        seed,
        path: `vm/${vm.name}`,
        mhz,
        deliver: (now) => {
          vm.counters.requests_arrived++;
          return hypervisor.network.receive(vcpu, workload.requestBytes ?? 1, now);
        },
      })
    : null;
  const { piece } = options;
  const software = {
    vm,
    tables: machine.tables,
    workload,
    mhz,
    stopAfter: duration === 'work' ? (workload.work ?? Infinity) : Infinity,
    marks: piece && (piece.vm ?? vm.name) === vm.name ? [piece.from, piece.to] : [],
    onMark,
    sendBytes: devices.network.sendBytes,
    diskBytes: devices.disk.requestBytes,
  };
  const guest = bootGuest(software, [takeBlock(machine.items, BLOCK_ITEMS)]);
  const kernel = guest.cpus[0]!;
  const { observer } = hypervisor;
  const port = observer === silent ? mmu : observedPort(mmu, observer);
  const { context } = vcpu;
  context.port = workload.kernel ? port : grantedPort(port, mmu, () => kernel.space);
  context.cpiQ8 = workload.cpiQ8;
  context.exposedQ8 = 256 - workload.overlapQ8;
  vcpu.guest = kernel;
  vcpu.guestRoot = kernel.root;
  vcpu.port = new VcpuPort(hypervisor, vcpu, mmu, requests);
  return { vm, vcpu, group, workload, guest, kernel, requests };
}

function openTrace({ feeds, options }: Build, file: string, again: boolean): TraceFeed {
  if (!options.openTrace) throw new Error(`no way to open the trace ${file}`);
  const feed = options.openTrace(file, again);
  feeds.push(feed);
  return feed;
}

/** A program that has been running for long has its memory backed already. */
function powerOn(
  { hypervisor: { mmu: choice } }: Scenario,
  { guest, vcpu }: Member,
  mmu: Mmu,
): void {
  mmu.start(vcpu);
  const { walk } = mmuModes.of(choice.kind);
  const { nestedRoot } = vcpu.context;
  if ((walk === 'two') !== (nestedRoot !== 0)) {
    throw new Error(
      `the paging mode ${choice.kind} walks ${walk === 'two' ? 'two dimensions' : 'one dimension'}, ` +
        `and its vCPUs have ${nestedRoot === 0 ? 'no' : 'a'} nested root`,
    );
  }
  guest.memory.eachUsed((gfn) => mmu.populate(gfn));
  for (const root of guest.roots) mmu.warm(root);
}

/** Who is who, for observers. */
function cast({ hypervisor: { mmu }, name }: Scenario, { machine, vcpus, vms }: Hypervisor) {
  const { virtualized, walk } = mmuModes.of(mmu.kind);
  return {
    name,
    mhz: machine.mhz,
    pcpuCount: machine.cores.length,
    virtualized,
    nested: walk === 'two',
    vms: vms.map((vm) => vm.name),
    vcpus: vcpus.map((vcpu) => ({ vm: vcpu.vm.id, index: vcpu.index })),
    runstates: runstateNames,
    exits: exitNames,
    causes: causeNames,
  };
}

/** VMs are spread over the NUMA nodes round robin; a pinned VM gets memory near its pCPUs. */
function homeNode(vm: Vm, machine: Machine, index: number): number {
  const pinned = vm.pin?.[0];
  if (pinned !== undefined && machine.cores[pinned]) return machine.cores[pinned].node;
  return index % machine.nodeCount;
}

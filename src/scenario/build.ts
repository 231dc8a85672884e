import type { VcpuId, VmId } from '../base/ids.ts';
import { Engine } from '../engine/engine.ts';
import { grantedPort } from '../guest/granted-port.ts';
import { GuestKernel } from '../guest/kernel.ts';
import { BLOCK_ITEMS } from '../guest/kernel-options.ts';
import { Requests } from '../guest/requests.ts';
import { workloads } from '../guest/workloads/index.ts';
import type { TraceFeed, Workload } from '../guest/workloads/workload.ts';
import { Hypervisor } from '../hypervisor/hypervisor.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { observedPort } from '../hypervisor/observed-port.ts';
import { schedulers } from '../hypervisor/schedulers/index.ts';
import { tagPolicies } from '../hypervisor/tags/index.ts';
import { VcpuPort } from '../hypervisor/vcpu-port.ts';
import { runstateNames, Vcpu, Vm } from '../hypervisor/vm.ts';
import { blockRoom, takeBlock } from '../machine/items.ts';
import { buildMachine, type Machine } from '../machine/machine.ts';
import { type Observer, silent } from '../observe/observer.ts';
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
}

/** One VM of the run with what belongs to it. */
export interface Member {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  readonly group: VmGroup;
  readonly workload: Workload;
  readonly kernel: GuestKernel;
  readonly requests: Requests | null;
}

export interface Simulation {
  readonly scenario: Scenario;
  readonly engine: Engine;
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly members: readonly Member[];
  readonly feeds: readonly RefillableFeed[];
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
  const { host, hypervisor: hv, processor } = scenario;
  const { piece } = options;
  const mhz = processor.clock / 1e6;
  const groups = scenario.vms.flatMap((group) =>
    Array.from({ length: group.count }, (_, i) => ({
      group,
      name: `${group.name}-${(group.firstIndex ?? 0) + i}`,
    })),
  );
  const vms = groups.map(
    ({ group, name }, id) =>
      new Vm(id as VmId, {
        name,
        memoryPages: Math.floor(group.memory / 4096),
        weight: group.weight,
        cap: group.cap,
        pin: group.pin,
        scheduling: group.scheduler,
      }),
  );
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
    countEvictions: scenario.output.evictions,
    freeLeaves: freeLeaves(scenario.free),
    items: vms.length * blockRoom(BLOCK_ITEMS),
  });
  try {
    const { tables, items } = machine;
    const engine = new Engine(host.lookahead ?? processor.instructions.ipiDeliver);
    const feeds: RefillableFeed[] = [];
    const openTrace = (file: string, again: boolean): TraceFeed => {
      if (!options.openTrace) throw new Error(`no way to open the trace ${file}`);
      const feed = options.openTrace(file, again);
      feeds.push(feed);
      return feed;
    };
    const observer = options.observer ?? silent;
    const virtualized = hv.mmu.kind !== 'native';
    const ports = vms.map(() => ({ onWalkFault: () => 0 as const }));
    const vcpus = vms.map(
      (vm, i) => new Vcpu(i as VcpuId, vm, 0, hv.mmu.kind === 'nested', ports[i]!),
    );
    const hypervisor = new Hypervisor({
      machine,
      engine,
      costs: scenario.costs,
      devices: scenario.devices,
      vms,
      vcpus,
      virtualized,
      upFront: hv.backing === 'up-front',
      observer,
    });
    hypervisor.tags = tagPolicies.create(hv.tags, {
      pcpuCount: machine.cores.length,
      vcpuCount: vcpus.length,
      asids: processor.svm.asids,
      flushByAsid: processor.svm.flushByAsid,
      erratum170: processor.svm.erratum170,
    });
    const members: Member[] = [];
    const mmus = vms.map((vm, i) => {
      const { group, name } = groups[i]!;
      const vcpu = vcpus[i]!;
      vm.home = homeNode(vm, machine, i);
      const mmu = mmuModes.create(hv.mmu, hypervisor.mmuDeps(vm));
      const workload = workloads.create(group.workload, {
        seed: scenario.seed,
        vm: name,
        memoryPages: vm.memoryPages,
        dataLines: host.dataLines,
        openTrace,
      });
      const requests = workload.arrivals
        ? new Requests(engine, workload.arrivals, {
            seed: scenario.seed,
            path: `vm/${name}`,
            mhz,
            deliver: (now) => {
              vm.counters.requests_arrived++;
              return hypervisor.network.receive(vcpu, workload.requestBytes ?? 1, now);
            },
          })
        : null;
      const kernel = new GuestKernel({
        vm,
        tables,
        workload,
        block: takeBlock(items, BLOCK_ITEMS),
        mhz,
        instructions: processor.instructions,
        stopAfter: scenario.duration === 'work' ? (workload.work ?? Infinity) : Infinity,
        marks: piece && (piece.vm ?? name) === name ? [piece.from, piece.to] : [],
        onMark,
        requests,
        sendBytes: scenario.devices.network.sendBytes,
        diskBytes: scenario.devices.disk.requestBytes,
      });
      const port = observer === silent ? mmu : observedPort(mmu, observer);
      vcpu.context.port = workload.kernel ? port : grantedPort(port, mmu, () => kernel.space);
      vcpu.guest = kernel;
      vcpu.guestRoot = kernel.root;
      vcpu.context.cpiQ8 = workload.cpiQ8;
      vcpu.context.exposedQ8 = 256 - workload.overlapQ8;
      vcpu.port = new VcpuPort(hypervisor, vcpu, mmu);
      members.push({ vm, vcpu, group, workload, kernel, requests });
      return mmu;
    });
    hypervisor.mmuOf = mmus;
    hypervisor.scheduler = schedulers.create(hv.scheduler, hypervisor);
    // A program that has been running for long has its memory backed already.
    for (const [i, { kernel }] of members.entries()) {
      const mmu = mmus[i]!;
      mmu.start(vcpus[i]!);
      kernel.guest.memory.eachUsed((gfn) => mmu.populate(gfn));
      for (const root of kernel.roots) mmu.warm(root);
    }
    observer.onBegin({
      name: scenario.name,
      mhz,
      pcpuCount: machine.cores.length,
      virtualized,
      nested: hv.mmu.kind === 'nested',
      vms: vms.map((vm) => vm.name),
      vcpus: vcpus.map((vcpu) => ({ vm: vcpu.vm.id, index: vcpu.index })),
      runstates: runstateNames,
      exits: exitNames,
      causes: causeNames,
    });
    hypervisor.start();
    return { scenario, engine, machine, hypervisor, members, feeds };
  } catch (error) {
    machine.dispose();
    throw error;
  }
}

/** VMs are spread over the NUMA nodes round robin; a pinned VM gets memory near its pCPUs. */
function homeNode(vm: Vm, machine: Machine, index: number): number {
  const pinned = vm.pin?.[0];
  if (pinned !== undefined && machine.cores[pinned]) return machine.cores[pinned].node;
  return index % machine.nodeCount;
}

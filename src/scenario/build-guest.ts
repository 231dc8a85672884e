import type { Resident } from '../cluster/cluster.ts';
import { NotedGuest } from '../cluster/copy/noted-guest.ts';
import { deliverTo, type Host } from '../cluster/host.ts';
import { grantedPort } from '../guest/granted-port.ts';
import { bootGuest } from '../guest/guest.ts';
import { BLOCK_ITEMS } from '../guest/kernel-options.ts';
import { Requests } from '../guest/requests.ts';
import { workloads } from '../guest/workloads/index.ts';
import type { TraceFeed, Workload } from '../guest/workloads/workload.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import { observedPort } from '../hypervisor/observed-port.ts';
import { VcpuPort } from '../hypervisor/vcpu-port.ts';
import { Runstate, type Vcpu, type Vm } from '../hypervisor/vm.ts';
import { takeBlock } from '../machine/items.ts';
import { silent } from '../observe/observer.ts';
import type { BuildOptions, RefillableFeed } from './build-options.ts';
import { tickRateOf } from './hosts.ts';
import type { Scenario, VmGroup } from './resolve.ts';

/** One VM of the run with what belongs to it. */
export interface Member extends Resident {
  readonly group: VmGroup;
  readonly workload: Workload;
}

/** What the builders of members share. */
export interface Build {
  readonly scenario: Scenario;
  readonly options: BuildOptions;
  readonly onMark: (index: number) => void;
  readonly hosts: readonly Host[];
  /** Whether a VM may be copied while it runs, which takes its history. */
  isCopied(vm: Vm): boolean;
  /** Filled as traces are opened. */
  readonly feeds: RefillableFeed[];
}

/** Boots the software of a VM, on the host where the VM is. */
export function buildMember(build: Build, vm: Vm, vcpu: Vcpu, group: VmGroup): Member {
  const { hosts, isCopied, onMark, options, scenario } = build;
  const { duration, seed } = scenario;
  // A copy that is on no host yet can do with any.
  const first = hosts[vm.host.index] ?? hosts[0]!;
  const { hypervisor, machine } = first;
  // A second copy takes the clock of the first, which is built before it.
  const original = hypervisor.vms.find(({ name }) => name === vm.program);
  const clock = !original || original === vm ? hypervisor.engine.timebase : original.clock;
  vm.clock = clock;
  const mhz = tickRateOf(scenario) / clock.ticks / 1e6;
  const workload = workloads.create(group.workload, {
    seed,
    vm: vm.program,
    memoryPages: vm.memoryPages,
    dataLines: scenario.hosts[first.index]!.dataLines,
    openTrace: (file, again) => openTrace(build, file, again),
  });
  // A second copy is asked nothing until it takes over.
  const requests =
    workload.arrivals && vm.program === vm.name
      ? new Requests(hypervisor.engine, workload.arrivals, {
          seed,
          path: `vm/${vm.name}`,
          mhz,
          bytes: workload.requestBytes ?? 1,
          deliver: (now, complete) => {
            vm.counters.requests_arrived++;
            deliverTo(hosts[vm.host.index]!, vcpu, workload.requestBytes ?? 1, now, complete);
          },
        })
      : null;
  const { piece } = options;
  const software = {
    vm,
    tables: machine.tables,
    workload,
    kernel: group.os,
    mhz,
    stopAfter: duration === 'work' ? (workload.work ?? Infinity) : Infinity,
    marks: piece && (piece.vm ?? vm.name) === vm.name ? [piece.from, piece.to] : [],
    onMark,
    sendBytes: vm.devices.network.sendBytes,
    diskBytes: vm.devices.disk.requestBytes,
  };
  const guest = bootGuest(software, [takeBlock(machine.items, BLOCK_ITEMS)]);
  const kernel = guest.cpus[0]!;
  const { context } = vcpu;
  context.cpiQ8 = workload.cpiQ8;
  context.exposedQ8 = 256 - workload.overlapQ8;
  const noted = isCopied(vm) ? new NotedGuest(kernel) : null;
  vcpu.guest = noted ?? kernel;
  vcpu.guestRoot = kernel.root;
  const arriveAt: Resident['arriveAt'] = ({ hypervisor }, as = vm) => {
    const { observer } = hypervisor;
    const deps = hypervisor.mmuDeps(as);
    // Nothing is backed before it is touched where memory is still to come.
    const upFront = deps.upFront && !vm.missed;
    const mmu = mmuModes.create(group.mmu, { ...deps, upFront });
    const plain = observer === silent ? mmu : observedPort(mmu, observer);
    const faults = workload.kernel ? plain : grantedPort(plain, mmu, () => kernel.space);
    return {
      mmu,
      nested: mmuModes.of(group.mmu.kind).walk === 'two',
      wire: (one) => ({ port: new VcpuPort(hypervisor, one, mmu, requests), faults }),
    };
  };
  const place = hosts[vm.host.index];
  if (place) {
    const { mmu, wire } = arriveAt(place);
    const { faults, port } = wire(vcpu);
    place.hypervisor.mmuOf[vm.id] = mmu;
    context.port = faults;
    vcpu.port = port;
  }
  const pageBytes = mmuModes.of(group.mmu.kind).largestPage(group.mmu);
  return { vm, vcpu, group, workload, guest, kernel, noted, requests, pageBytes, arriveAt };
}

function openTrace({ feeds, options }: Build, file: string, again: boolean): TraceFeed {
  if (!options.openTrace) throw new Error(`no way to open the trace ${file}`);
  const feed = options.openTrace(file, again);
  feeds.push(feed);
  return feed;
}

/** A program that has been running for long has its memory backed already. */
export function powerOn({ hosts }: Build, { group, guest, vcpu }: Member): void {
  const { id, host } = vcpu.vm;
  const place = hosts[host.index];
  if (!place) {
    vcpu.state = Runstate.Off;
    return;
  }
  const mmu = place.hypervisor.mmuOf[id]!;
  mmu.start(vcpu);
  const { kind } = group.mmu;
  const { walk } = mmuModes.of(kind);
  const { nestedRoot } = vcpu.context;
  if ((walk === 'two') !== (nestedRoot !== 0)) {
    throw new Error(
      `the paging mode ${kind} walks ${walk === 'two' ? 'two dimensions' : 'one dimension'}, ` +
        `and its vCPUs have ${nestedRoot === 0 ? 'no' : 'a'} nested root`,
    );
  }
  guest.memory.eachUsed((gfn) => mmu.populate(gfn));
  for (const root of guest.roots) mmu.warm(root);
}

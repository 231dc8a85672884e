import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Core, FaultPort } from '../machine/core.ts';
import { HOST_OWNER, type Machine } from '../machine/machine.ts';
import { type Observer, silent } from '../observe/observer.ts';
import { Cause } from '../stats/leaves.ts';
import type { HypervisorCosts } from './costs.ts';
import { DeviceWork, type Dom0Plan } from './device-work.ts';
import { Disk, type DiskOptions } from './disk.ts';
import { Dispatch } from './dispatch.ts';
import type { Footprint } from './footprint.ts';
import type { GuestCpu } from './guest-port.ts';
import { Holding } from './holding.ts';
import { HostTasks } from './host-task.ts';
import { Interrupts } from './interrupts.ts';
import { Ledger } from './ledger.ts';
import type { Mmu, MmuDeps } from './mmu/mmu.ts';
import { Network } from './network.ts';
import { Pcpu } from './pcpu.ts';
import type { PcpuHost } from './pcpu-host.ts';
import type { Scheduler } from './schedulers/scheduler.ts';
import type { TagPolicy } from './tags/tag-policy.ts';
import { VcpuRequests } from './vcpu-requests.ts';
import { Runstate, type Vcpu, type Vm, type VmHost } from './vm.ts';
import { WorldSwitch } from './world-switch.ts';

export interface HypervisorOptions {
  /** The host that it runs on. */
  readonly host: VmHost;
  readonly machine: Machine;
  readonly engine: HostEngine;
  readonly costs: HypervisorCosts;
  /** What it gives Dom0, where devices need that; one vCPU of usual weight if absent. */
  readonly dom0?: Dom0Plan | undefined;
  /** VMs that are not here may come. */
  readonly connected?: boolean | undefined;
  readonly footprint: Footprint;
  /** Bits per second, each way, of the host's wire to the outside; see Network. */
  readonly bandwidth?: number | undefined;
  /** What its disk can do; undefined: requests do not wait for each other. */
  readonly disk?: DiskOptions | undefined;
  readonly tags: TagPolicy;
  /** All VMs of the simulation by number, those of other hosts included; so the vCPUs. */
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  /** False: native, there is no hypervisor and exits do not happen. */
  readonly virtualized: boolean;
  readonly upFront: boolean;
  readonly observer?: Observer | undefined;
  /** What the scheduler in use wants to know of a VM that says nothing: for tasks of the host. */
  readonly taskScheduling?: object | undefined;
  /** The same for Dom0. */
  readonly dom0Scheduling?: object | undefined;
}

/** What a VM finds on the host that it comes to. */
export interface Arrival {
  /** As the VM knows it from now on. */
  readonly host: VmHost;
  /** Made with this hypervisor's `mmuDeps`, not started. */
  readonly mmu: Mmu;
  /** That mode walks two dimensions. */
  readonly nested: boolean;
  /** NUMA node that its memory comes from first. */
  readonly home: number;
  /** Host frames, taken for this VM, that back its frames here already; 0 = not backed. */
  readonly p2m?: Int32Array;
  /** What is between a vCPU and this host. */
  wire(vcpu: Vcpu): { readonly port: GuestCpu; readonly faults: FaultPort };
}

/**
 * The assembly of a host's software: world switches, interrupts, the ledger, the pCPUs and what the
 * scheduler sees of them. Policies decide (scheduler, tags, paging mode); these parts perform and
 * charge, so that all policies pay the same prices.
 */
export class Hypervisor implements PcpuHost {
  readonly host: VmHost;
  readonly machine: Machine;
  readonly engine: HostEngine;
  readonly costs: HypervisorCosts;
  readonly footprint: Footprint;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  readonly observer: Observer;
  readonly tags: TagPolicy;
  readonly world: WorldSwitch;
  readonly ledger: Ledger;
  readonly requests: VcpuRequests;
  readonly interrupts: Interrupts;
  readonly holding: Holding;
  /** The host's work for virtual devices. */
  readonly work: DeviceWork;
  readonly network: Network;
  readonly disk: Disk;
  /** The host's own threads; all of them are added before the scheduler is made. */
  readonly tasks: HostTasks;
  readonly pcpus: readonly Pcpu[];
  /** What the scheduler may see and ask for. */
  readonly dispatch: Dispatch;
  /** Memory of a new VM is backed at once, not when it is touched. */
  readonly upFront: boolean;
  scheduler!: Scheduler;
  /** By number of the VM, of those that are resident. */
  readonly mmuOf: Mmu[] = [];
  /**
   * The last VM has finished its work: no new turn begins while the others reach the end of the
   * window.
   */
  closing = false;
  /** Called when a VM has finished its work; the run may end with the last one. */
  onVmDone: (vm: Vm) => void = () => {};
  readonly #slice: EventKind;

  constructor(options: HypervisorOptions) {
    const { host, machine, engine, costs, footprint, tags } = options;
    const { vcpus, virtualized, vms } = options;
    const observer = options.observer ?? silent;
    this.host = host;
    this.machine = machine;
    this.engine = engine;
    this.costs = costs;
    this.footprint = footprint;
    this.vms = vms;
    this.vcpus = vcpus;
    this.observer = observer;
    this.upFront = options.upFront;
    this.ledger = new Ledger(machine.cores, vms.length);
    this.requests = new VcpuRequests({
      engine,
      ipi: machine.processor.instructions.ipiDeliver,
      kick: (pcpu) => this.pcpus[pcpu]!.request(),
      loseTag: (vcpu, cause) => this.world.loseTag(vcpu, cause),
      onMmu: (vcpu, core) => this.mmuOf[vcpu.vm.id]!.onRequest?.(vcpu, core),
    });
    const serve = (vcpu: Vcpu, core: Core) => this.requests.serve(vcpu, core);
    this.world = new WorldSwitch({
      ...{ machine, costs, footprint, tags, vcpus, virtualized, observer, serve },
    });
    this.tags = tags;
    this.tasks = new HostTasks({
      engine,
      firstVcpu: vcpus.length,
      firstVm: vms.length,
      scheduling: options.taskScheduling ?? {},
      scheduler: () => this.scheduler,
    });
    this.pcpus = machine.cores.map((core) => new Pcpu(core, this));
    for (const pcpu of this.pcpus) engine.attach(pcpu);
    this.interrupts = new Interrupts(engine, vcpus, host, () => this.scheduler);
    this.work = new DeviceWork({
      ...{ engine, costs, tasks: this.tasks, interrupts: this.interrupts },
      network: () => this.network,
      touch: (core, vm) => this.world.deviceTouches(core, vm),
    });
    if (virtualized) {
      const near = vms.filter((vm) => options.connected || vm.host.index === host.index);
      this.work.addThreads(near, {
        ...(options.dom0 ?? { vcpus: 1, weight: 256 }),
        scheduling: options.dom0Scheduling,
      });
    }
    this.network = new Network({
      engine,
      mhz: machine.mhz,
      bandwidth: options.bandwidth,
      bringIn: (...packets) => this.work.bringIn(...packets),
      raise: (vcpu, vectors, now) => this.interrupts.raise(vcpu, vectors, now),
    });
    this.disk = new Disk(machine.mhz, options.disk);
    const { interrupts, pcpus, requests, tasks } = this;
    this.holding = new Holding({
      ...{ engine, host, vms, vcpus, requests, interrupts },
      scheduler: () => this.scheduler,
    });
    this.dispatch = new Dispatch({
      ...{ machine, engine, virtualized, vms, vcpus, pcpus, tasks, interrupts },
    });
    this.#slice = engine.defineEvent(Phase.Schedule, (_now, id) => this.pcpus[id]!.sliceOver());
    if (virtualized && costs.hostHz > 0) {
      const period = Math.round((machine.mhz * 1e6) / costs.hostHz);
      engine.every(period, Phase.Deliver, () => {
        for (const pcpu of this.pcpus) pcpu.hostTick();
      });
    }
  }

  /** What the paging mode of a VM may use. */
  mmuDeps(vm: Vm): MmuDeps {
    const { costs, engine, machine, observer, requests, world } = this;
    const { memory, processor, tables } = machine;
    return {
      ...{ vm, world, requests, costs, memory, processor, tables, observer },
      hostVm: HOST_OWNER,
      upFront: this.upFront,
      every: (period, task) => engine.every(period, Phase.Deliver, task),
    };
  }

  scheduleSlice(pcpu: number, at: Cycles): number {
    return this.engine.schedule(at, this.#slice, pcpu);
  }

  /** Holds a VM, and lets it go: see Holding. */
  pause(vm: Vm, held?: (now: Cycles) => void): void {
    this.holding.pause(vm, held);
  }

  unpause(vm: Vm, now: Cycles): void {
    this.holding.unpause(vm, now);
  }

  /**
   * A VM whose vCPUs are all held leaves the host. Its timers stop, and go with it. Returns what
   * gives its memory and tables here back, to be called once, now or later. Throws ModelError when
   * it is not held.
   */
  detach(vm: Vm): () => void {
    const { here } = this.engine;
    const { p2m } = vm;
    const vcpus = this.#of(vm);
    if (!vcpus.every(({ state }) => state === Runstate.Paused)) {
      throw new ModelError(`${vm.name} is to leave ${this.host.name}, and is not held`);
    }
    for (const vcpu of vcpus) {
      this.scheduler.remove(vcpu.id, here);
      this.tags.retire(vcpu.id);
      vcpu.timerDue = this.engine.timebase.engine(this.interrupts.timerOf(vcpu));
      this.interrupts.disarmTimer(vcpu);
      for (const pcpu of this.pcpus) pcpu.forget(vcpu);
      vcpu.pcpu = -1;
    }
    const mmu = this.mmuOf[vm.id]!;
    delete this.mmuOf[vm.id];
    vm.p2m = new Int32Array(vm.memoryPages);
    return () => mmu.dispose(p2m);
  }

  /**
   * A VM that has been detached from another host is resident here from `now` on, still held.
   * Throws MemoryError when the host has no room.
   */
  attach(vm: Vm, { home, host, mmu, nested, p2m, wire }: Arrival, now: Cycles): void {
    for (const vcpu of this.#of(vm)) {
      vcpu.left.push({ host: vm.host.index, exits: vcpu.exitCounts.slice() });
    }
    const { timebase } = this.engine;
    vm.host = host;
    vm.home = home;
    if (p2m) vm.p2m = p2m;
    this.mmuOf[vm.id] = mmu;
    for (const vcpu of this.#of(vm)) {
      vm.finishedAt = timebase.from(vcpu.timebase, vm.finishedAt);
      vcpu.moveTo(timebase, now);
      const { port, faults } = wire(vcpu);
      const places = { root: 0, nestedRoot: 0, frameBase: 0 };
      vcpu.context = { ...vcpu.context, ...places, nested, port: faults };
      vcpu.port = port;
      // If it has been here before, its translations of then are lost.
      vcpu.flushCause = Cause.Migration;
      mmu.start(vcpu);
      this.scheduler.insert(vcpu.id, now);
      if (!Number.isNaN(vcpu.timerDue)) {
        const due = timebase.local(vcpu.timerDue);
        this.interrupts.armTimer(vcpu, Math.max(now, due));
      }
      vcpu.timerDue = Number.NaN;
    }
  }

  /**
   * The host loses power at `now`, which is the time of the event that does it: its pCPUs stop for
   * good, and their time is `off` from then on, as is that of its vCPUs and tasks. What they did
   * until then stays in the ledger.
   */
  stop(now: Cycles): void {
    for (const pcpu of this.pcpus) pcpu.stop(now);
    for (const vcpu of this.#residents()) {
      this.interrupts.disarmTimer(vcpu);
      vcpu.requests = 0;
      if (vcpu.state !== Runstate.Off) vcpu.enter(Runstate.Off, now);
    }
    this.tasks.stop(now);
    this.network.stop(now);
    this.work.stop();
  }

  /** Hands every vCPU of its VMs to the scheduler and wakes it: power-on. */
  start(): void {
    const residents = this.#residents();
    for (const vcpu of residents) this.scheduler.insert(vcpu.id, 0);
    this.tasks.start();
    for (const vcpu of residents) this.interrupts.wake(vcpu, 0);
  }

  #of(vm: Vm): readonly Vcpu[] {
    return this.vcpus.filter((vcpu) => vcpu.vm === vm);
  }

  #residents(): readonly Vcpu[] {
    return this.vcpus.filter(({ vm }) => vm.host.index === this.host.index);
  }
}

import { ModelError } from '../base/errors.ts';
import type { Cycles, PcpuId, VcpuId, VmId } from '../base/ids.ts';
import { type Engine, type EventKind, Phase } from '../engine/engine.ts';
import { readHostLine } from '../machine/caches.ts';
import type { Core } from '../machine/core.ts';
import { HOT_COUNTERS } from '../machine/counters.ts';
import { abandon, flushAll, flushAsid } from '../machine/flush.ts';
import { undrained } from '../machine/inspect.ts';
import type { Machine } from '../machine/machine.ts';
import { type Observer, silent } from '../observe/observer.ts';
import { Cause, ExitReason, LEAVES, Leaf } from '../stats/leaves.ts';
import type { HypervisorCosts } from './costs.ts';
import type { VirtualDevices } from './devices.ts';
import { HostFootprint } from './host-footprint.ts';
import type { Mmu, MmuDeps } from './mmu/mmu.ts';
import { Network } from './network.ts';
import { Pcpu } from './pcpu.ts';
import { policyTask, policyTimer } from './policy-timers.ts';
import type { PolicyTimer, Scheduler, SchedulerHost } from './schedulers/scheduler.ts';
import { type TagGrant, type TagPolicy, TlbControl } from './tags/tag-policy.ts';
import { Runstate, type Vcpu, type Vm } from './vm.ts';

/**
 * Mechanism: world switches and what they cost, run states, wake-ups, events, the ledger. Policies
 * decide (scheduler, tags, paging mode); this performs and charges, so that all of them pay the
 * same prices.
 */
export interface HypervisorOptions {
  readonly machine: Machine;
  readonly engine: Engine;
  readonly costs: HypervisorCosts;
  readonly devices: VirtualDevices;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  /** False: native, there is no hypervisor and exits do not happen. */
  readonly virtualized: boolean;
  readonly upFront: boolean;
  readonly observer?: Observer | undefined;
}

/** Exits with which decode assists report the operand. */
const OPERAND_REPORTED: ReadonlySet<ExitReason> = new Set([
  ExitReason.Cr3Write,
  ExitReason.Cr4Write,
  ExitReason.Invlpg,
]);

export class Hypervisor implements SchedulerHost {
  readonly machine: Machine;
  readonly engine: Engine;
  readonly costs: HypervisorCosts;
  readonly devices: VirtualDevices;
  readonly network: Network;
  readonly vms: readonly Vm[];
  readonly vcpus: readonly Vcpu[];
  readonly pcpus: readonly Pcpu[];
  readonly virtualized: boolean;
  readonly upFront: boolean;
  readonly observer: Observer;
  /** Cycles by pCPU, VM (the last row is the host) and leaf. */
  readonly ledger: Float64Array;
  /** Hot counters by VM. */
  readonly counts: Float64Array;
  scheduler!: Scheduler;
  tags!: TagPolicy;
  mmuOf: readonly Mmu[] = [];
  readonly #footprint: HostFootprint;
  readonly #grant: TagGrant = { asid: 0 as never, tlbControl: 0, fresh: false, exhausted: false };
  readonly #out: Cycles;
  readonly #in: Cycles;
  readonly #resched: EventKind;
  readonly #slice: EventKind;
  readonly #timer: EventKind;
  readonly #device: EventKind;
  readonly #timers: number[];
  /** The pCPU whose scheduler timer is being handled, or -1. */
  #timerOn = -1;

  constructor(options: HypervisorOptions) {
    const { machine, engine, costs } = options;
    this.machine = machine;
    this.engine = engine;
    this.costs = costs;
    this.devices = options.devices;
    this.vms = options.vms;
    this.vcpus = options.vcpus;
    this.virtualized = options.virtualized;
    this.upFront = options.upFront;
    this.observer = options.observer ?? silent;
    for (const vcpu of this.vcpus) vcpu.observer = this.observer;
    this.ledger = new Float64Array(machine.cores.length * (this.vms.length + 1) * LEAVES);
    this.counts = new Float64Array((this.vms.length + 1) * HOT_COUNTERS);
    const { svm } = machine.processor;
    this.#out =
      svm.vmexitCycles +
      (costs.vmsaveEveryExit ? svm.vmsaveCycles : 0) +
      (costs.guestInterruptFlag ? svm.stgiCycles : 0);
    this.#in =
      svm.vmrunCycles +
      (costs.vmsaveEveryExit ? svm.vmloadCycles : 0) +
      (costs.guestInterruptFlag ? svm.clgiCycles : 0);
    this.#footprint = new HostFootprint(machine, options.virtualized ? costs.hostFootprint : 0);
    this.pcpus = machine.cores.map((core) => new Pcpu(core, this));
    for (const pcpu of this.pcpus) engine.attach(pcpu);
    this.network = new Network(this);
    this.#timers = this.vcpus.map(() => -1);
    this.#resched = engine.defineEvent(Phase.Schedule, (now, id) => this.pcpus[id]!.kick(now));
    this.#slice = engine.defineEvent(Phase.Schedule, (now, id) => this.pcpus[id]!.sliceOver(now));
    this.#timer = engine.defineEvent(Phase.Deliver, (now, id) => {
      this.#timers[id] = -1;
      this.interrupt(this.vcpus[id]!, 1, now);
    });
    this.#device = engine.defineEvent(Phase.Deliver, (now, id) => {
      this.interrupt(this.vcpus[id]!, 2, now);
    });
    if (this.virtualized && costs.hostHz > 0) {
      const period = Math.round((machine.mhz * 1e6) / costs.hostHz);
      engine.every(period, Phase.Deliver, () => {
        for (const pcpu of this.pcpus) pcpu.hostTick();
      });
    }
  }

  /** What the paging mode of one VM may use. */
  mmuDeps(vm: Vm): MmuDeps {
    return {
      vm,
      processor: this.processor,
      costs: this.costs,
      tables: this.tables,
      memory: this.memory,
      hostVm: this.hostVm,
      upFront: this.upFront,
      observer: this.observer,
      vcpuOn: (core) => this.vcpuOn(core),
      exit: (vcpu, core, reason) => this.exit(vcpu, core, reason),
      handle: (vcpu, core, reason, cycles) => this.handle(vcpu, core, reason, cycles),
      readLine: (vcpu, core, reason, frame, line) => this.readLine(vcpu, core, reason, frame, line),
      decode: (vcpu, core, reason) => this.decode(vcpu, core, reason),
      resume: (vcpu, core, reason) => this.resume(vcpu, core, reason),
      loseTag: (vcpu, cause) => this.loseTag(vcpu, cause),
    };
  }

  // What the paging modes use.

  get processor() {
    return this.machine.processor;
  }
  get tables() {
    return this.machine.tables;
  }
  get memory() {
    return this.machine.memory;
  }
  get hostVm(): number {
    return this.vms.length;
  }

  vcpuOn(core: Core): Vcpu {
    return this.vcpus[core.vcpu]!;
  }

  exit(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    if (!this.virtualized) return;
    vcpu.exitCounts[reason] = vcpu.exitCounts[reason]! + 1;
    vcpu.lastExit = reason;
    this.observer.onVmexit(core.now, core.id, vcpu.id, reason);
    core.charge(Leaf.ExitTransition + reason, this.#out);
    this.handle(vcpu, core, reason, this.costs.exitPath + this.#footprint.touch(core));
  }

  handle(_vcpu: Vcpu, core: Core, reason: ExitReason, cycles: number): void {
    core.charge(Leaf.ExitHandler + reason, cycles);
  }

  readLine(vcpu: Vcpu, core: Core, reason: ExitReason, frame: number, line: number): void {
    this.handle(vcpu, core, reason, readHostLine(core, frame, line));
  }

  resume(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    if (this.virtualized) {
      core.charge(Leaf.ExitTransition + reason, this.#in);
      vcpu.vm.counters.vmruns++;
    }
    this.#vmrun(vcpu, core);
    this.observer.onVmrun(core.now, core.id, vcpu.id, core.asid);
  }

  /**
   * Fetches and decodes the guest's instruction. Decode assists save the fetch, and with accesses
   * to control registers and INVLPG, whose operand they report, the decoding too.
   */
  decode(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    const assisted = this.costs.decodeAssists && this.processor.svm.decodeAssists;
    if (assisted && OPERAND_REPORTED.has(reason)) return;
    this.handle(vcpu, core, reason, this.costs.decode);
    if (!assisted) this.mmuOf[vcpu.vm.id]!.readGuestPath(vcpu, core, reason);
  }

  loseTag(vcpu: Vcpu, cause: Cause): void {
    this.tags.flushVcpu(vcpu.id);
    vcpu.flushCause = cause;
  }

  /** Picks the tag and flushes what the policy asks for. */
  #vmrun(vcpu: Vcpu, core: Core): void {
    const grant = this.#grant;
    this.tags.beforeVmrun(core.id as PcpuId, vcpu.id, grant);
    const pending = vcpu.flushCause;
    // What happens to everybody, and what has happened to this vCPU before that.
    const common = grant.exhausted ? Cause.AsidExhausted : Cause.WorldSwitch;
    const cause = pending >= 0 ? (pending as Cause) : common;
    const { counters } = vcpu.vm;
    if (grant.exhausted) counters.asid_exhaustions++;
    if (grant.tlbControl !== TlbControl.DoNothing || grant.fresh) {
      this.observer.onTlbFlush(core.now, core.id, vcpu.id, cause, grant.tlbControl);
    }
    if (grant.tlbControl === TlbControl.FlushAll) {
      flushAll(core, common, vcpu.id, cause);
      counters.tlb_flushes++;
    } else if (grant.tlbControl !== TlbControl.DoNothing) {
      const keepGlobal = grant.tlbControl === TlbControl.FlushAsidNonGlobal;
      flushAsid(core, grant.asid, vcpu.id, keepGlobal, cause);
      counters.tlb_flushes++;
    } else if (grant.fresh) {
      abandon(core, vcpu.id, cause);
      counters.tlb_flushes++;
    }
    vcpu.flushCause = -1;
    core.enter(vcpu.context, grant.asid);
  }

  // What the pCPUs use.

  /** Adds what a core has charged and counted to the account of the VM it was doing it for. */
  drain(core: Core): void {
    const row = core.vm < 0 ? this.hostVm : core.vm;
    try {
      core.drain(
        this.ledger,
        (core.id * (this.vms.length + 1) + row) * LEAVES,
        this.counts,
        row * HOT_COUNTERS,
      );
    } catch (error) {
      throw new ModelError((error as Error).message);
    }
  }

  /**
   * A counter of a VM from the start of the run, with what cores have counted for it and not handed
   * over yet.
   */
  countSoFar(vm: number, counter: number): number {
    return this.pcpus.reduce(
      (sum, { core }) => sum + (core.vm === vm ? undrained(core, counter) : 0),
      this.counts[vm * HOT_COUNTERS + counter]!,
    );
  }

  /** Cycles of a pCPU that belong to nobody's instructions. */
  chargeHost(core: Core, leaf: number, cycles: Cycles): void {
    const at = (core.id * (this.vms.length + 1) + this.hostVm) * LEAVES + leaf;
    this.ledger[at] = this.ledger[at]! + cycles;
  }

  scheduleSlice(pcpu: Pcpu, at: Cycles): number {
    return this.engine.schedule(at, this.#slice, pcpu.core.id);
  }

  // Interrupts and wake-ups.

  /** Makes vectors pending on a vCPU: an INTR exit if it runs, a wake-up if it sleeps. */
  interrupt(vcpu: Vcpu, vectors: number, now: Cycles): void {
    if (vcpu.done) return;
    vcpu.pending |= vectors;
    if (vcpu.state === Runstate.Blocked) this.wake(vcpu, now);
  }

  wake(vcpu: Vcpu, now: Cycles): void {
    const at = Math.max(now, vcpu.since);
    vcpu.enter(Runstate.Ready, at);
    this.scheduler.wake(vcpu.id, at);
    if (this.scheduler.isParked(vcpu.id)) vcpu.enter(Runstate.Parked, at);
  }

  armTimer(vcpu: Vcpu, at: Cycles): void {
    const old = this.#timers[vcpu.id]!;
    if (old >= 0) this.engine.cancel(old);
    this.#timers[vcpu.id] = this.engine.schedule(at, this.#timer, vcpu.id);
  }

  disarmTimer(vcpu: Vcpu): void {
    const old = this.#timers[vcpu.id]!;
    if (old >= 0) this.engine.cancel(old);
    this.#timers[vcpu.id] = -1;
  }

  completeIo(vcpu: Vcpu, at: Cycles): void {
    this.engine.schedule(at, this.#device, vcpu.id);
  }

  // SchedulerHost.

  get pcpuCount(): number {
    return this.pcpus.length;
  }
  get vcpuCount(): number {
    return this.vcpus.length;
  }
  get vmCount(): number {
    return this.vms.length;
  }
  get pcpusPerSocket(): number {
    const { processor } = this.machine;
    return processor.coresPerDie * processor.diesPerSocket;
  }
  get mhz(): number {
    return this.machine.mhz;
  }
  vmOf(vcpu: VcpuId): VmId {
    return this.vcpus[vcpu]!.vm.id;
  }
  weightOf(vm: VmId): number {
    return this.vms[vm]!.weight;
  }
  capOf(vm: VmId): number {
    return this.vms[vm]!.cap;
  }
  paramsOf(vm: VmId): object {
    return this.vms[vm]!.scheduling;
  }
  mayRunOn(vcpu: VcpuId, pcpu: PcpuId): boolean {
    return this.vcpus[vcpu]!.vm.pin?.includes(pcpu) ?? true;
  }
  ranSinceCharge(pcpu: PcpuId, now: Cycles): Cycles {
    return this.pcpus[pcpu]!.ranSinceCharge(now);
  }
  resched(pcpu: PcpuId): void {
    const target = this.pcpus[pcpu]!;
    if (target.passing) {
      target.again = true;
      return;
    }
    if (target.kicked) return;
    target.kicked = true;
    const needsIpi = this.virtualized && pcpu !== this.#timerOn;
    const ipi = needsIpi ? this.machine.processor.instructions.ipiDeliver : 0;
    this.engine.schedule(this.engine.here + ipi, this.#resched, pcpu);
  }
  every(period: Cycles, task: (now: Cycles) => void): void {
    this.engine.every(period, Phase.Schedule, policyTask(this, task));
  }
  timer(task: (now: Cycles) => void, on = -1 as PcpuId): PolicyTimer {
    const local = (now: Cycles) => {
      this.#timerOn = on;
      task(now);
      this.#timerOn = -1;
    };
    return policyTimer(this.engine, policyTask(this, local));
  }

  /**
   * The last VM has finished its work: no new turn begins while the others reach the end of the
   * window.
   */
  closing = false;

  /** Called when a VM has finished its work; the run may end with the last one. */
  onVmDone: (vm: Vm) => void = () => {};

  /** Software and hardware of a switch between two vCPUs, cold TLBs and caches apart. */
  get switchCycles(): Cycles {
    const { costs } = this;
    const { svm, instructions } = this.processor;
    return (
      costs.vcpuSwitch +
      costs.switchMsrs * (instructions.rdmsr + instructions.wrmsr) +
      instructions.fpuSwitch +
      (costs.vmsaveEveryExit ? 0 : 2 * (svm.vmsaveCycles + svm.vmloadCycles))
    );
  }

  /** Hands every vCPU to the scheduler and wakes it: power-on. */
  start(): void {
    for (const vcpu of this.vcpus) {
      this.scheduler.insert(vcpu.id, 0);
    }
    for (const vcpu of this.vcpus) this.wake(vcpu, 0);
  }
}

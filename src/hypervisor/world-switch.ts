import type { Cycles, PcpuId } from '../base/ids.ts';
import { clearLines } from '../machine/caches.ts';
import type { Core } from '../machine/core.ts';
import { abandon, flushAll, flushAsid } from '../machine/flush.ts';
import type { Machine } from '../machine/machine.ts';
import type { Observer } from '../observe/observer.ts';
import { Cause, ExitReason, Leaf } from '../stats/leaves.ts';
import type { HypervisorCosts } from './costs.ts';
import type { Footprint } from './footprint.ts';
import { HostFootprint, type HostTouches } from './host-footprint.ts';
import type { Step } from './host-text.ts';
import { LearnedFootprint } from './learned-footprint.ts';
import { type TagGrant, type TagPolicy, TlbControl } from './tags/tag-policy.ts';
import type { Vcpu, Vm } from './vm.ts';

export interface WorldSwitchDeps {
  readonly machine: Machine;
  readonly costs: HypervisorCosts;
  readonly footprint: Footprint;
  readonly tags: TagPolicy;
  /** By number. */
  readonly vcpus: readonly Vcpu[];
  /** False: native, there is no hypervisor and exits do not happen. */
  readonly virtualized: boolean;
  readonly observer: Observer;
  /** Serves what has been asked of a vCPU, before it enters. */
  serve(vcpu: Vcpu, core: Core): void;
}

/** Exits with which decode assists report the operand. */
const OPERAND_REPORTED: ReadonlySet<ExitReason> = new Set([ExitReason.Cr3Write, ExitReason.Invlpg]);

/** Cycles of a copy loop for 64 bytes that are there. assumed (4-16): 8 bytes a cycle */
const COPY_LINE = 8;

/**
 * From the guest to the hypervisor and back: #VMEXIT, what a handler does, VMRUN with the tag that
 * the policy grants and the flushes it asks for. Every paging mode and device pays these prices.
 */
export class WorldSwitch {
  readonly virtualized: boolean;
  readonly #deps: WorldSwitchDeps;
  /** Null: handlers touch nothing. */
  readonly #footprint: HostTouches | null;
  /** By pCPU: the vCPU whose VMCB it knows. */
  readonly #vmcbOf: number[] = [];
  readonly #grant: TagGrant = { asid: 0 as never, tlbControl: 0, fresh: false, exhausted: false };
  /** Hardware of a switch between two vCPUs. */
  readonly #switchState: Cycles;
  readonly #out: Cycles;
  readonly #in: Cycles;

  constructor(deps: WorldSwitchDeps) {
    const { costs, machine, virtualized } = deps;
    const { instructions, svm } = machine.processor;
    this.#deps = deps;
    this.virtualized = virtualized;
    this.#footprint = virtualized && deps.footprint.touches ? touchesOf(deps) : null;
    this.#out =
      svm.vmexitCycles +
      (costs.vmsaveEveryExit ? svm.vmsaveCycles : 0) +
      (costs.guestInterruptFlag ? svm.stgiCycles : 0);
    this.#in =
      svm.vmrunCycles +
      (costs.vmsaveEveryExit ? svm.vmloadCycles : 0) +
      (costs.guestInterruptFlag ? svm.clgiCycles : 0);
    this.#switchState =
      costs.switchMsrs * (instructions.rdmsr + instructions.wrmsr) +
      instructions.fpuSwitch +
      (costs.vmsaveEveryExit ? 0 : 2 * (svm.vmsaveCycles + svm.vmloadCycles));
  }

  /** Tables that map what the host has for itself. */
  get ownTables(): number {
    return this.#footprint?.tableCount ?? 0;
  }

  /** The vCPU that a core is executing. */
  vcpuOn(core: Core): Vcpu {
    return this.#deps.vcpus[core.vcpu]!;
  }

  /** #VMEXIT: charges the way out. Nothing happens without a hypervisor. */
  exit(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    if (!this.virtualized) return;
    vcpu.exitCounts[reason] = vcpu.exitCounts[reason]! + 1;
    vcpu.lastExit = reason;
    this.#deps.observer.onVmexit(core.now, core.id, vcpu.id, reason);
    core.charge(Leaf.ExitTransition + reason, this.#out);
    this.perform(core, reason, 'exitPath');
    if (this.#footprint) this.handle(core, reason, this.#footprint.exit(core, vcpu.id));
  }

  /** Work of the handler of the exit under way. */
  handle(core: Core, reason: ExitReason, cycles: Cycles): void {
    core.charge(Leaf.ExitHandler + reason, cycles);
  }

  /** A step of the handler, `times` in a row: its path, and the code that this fetches. */
  perform(core: Core, reason: ExitReason, step: Step, times = 1): void {
    if (times > 0) this.handle(core, reason, this.cyclesOf(core, step, times));
  }

  /** The same, for whoever charges it elsewhere. */
  cyclesOf(core: Core, step: Step, times = 1): Cycles {
    return times * this.#deps.costs[step] + (this.#footprint?.step(core, step) ?? 0);
  }

  /** The host handles an interrupt of its own. */
  takeInterrupt(core: Core, step: 'hostInterrupt' | 'timer'): void {
    core.charge(Leaf.HostInterrupt, this.cyclesOf(core, step));
  }

  /** The device model works on one request: its path, its code and data. */
  deviceModel(core: Core, vm: number): Cycles {
    return this.cyclesOf(core, 'deviceUser') + (this.#footprint?.request(core, vm) ?? 0);
  }

  /** What a thread of the host touches when it works for a device of a VM. */
  deviceTouches(core: Core, vm: number): Cycles {
    const footprint = this.#footprint;
    return footprint ? footprint.step(core, 'deviceUser') + footprint.request(core, vm) : 0;
  }

  /** A fault looks at the structures of its VM. */
  lookAtVm(core: Core, reason: ExitReason, vm: number): void {
    if (this.#footprint) this.handle(core, reason, this.#footprint.fault(core, vm));
  }

  /** A handler notes that a guest frame is mapped, or no longer. */
  noteFrame(core: Core, reason: ExitReason, vm: number, gfn: number): void {
    if (this.#footprint) this.handle(core, reason, this.#footprint.record(core, vm, gfn));
  }

  /** Reads or writes one line of a table of the hypervisor's own. */
  touchTable(core: Core, reason: ExitReason, frame: number, line: number): void {
    if (this.#footprint) this.handle(core, reason, this.#footprint.table(core, frame, line));
  }

  /** Reads one line of a guest's memory in a handler. */
  readGuest(core: Core, reason: ExitReason, { id, p2m }: Vm, gfn: number, line: number): void {
    const frame = p2m[gfn]!;
    if (frame === 0 || !this.#footprint) return;
    this.handle(core, reason, this.#footprint.guest(core, id, gfn, frame, line));
  }

  /** Copies a page of a guest's memory to one of the hypervisor's. */
  copyGuest(core: Core, reason: ExitReason, vm: Vm, gfn: number): void {
    this.handle(core, reason, 64 * COPY_LINE);
    for (let line = 0; line < 64; line++) this.readGuest(core, reason, vm, gfn, line);
  }

  /** Clears `frames` frames from `first` on for whoever gets them. */
  clear(core: Core, reason: ExitReason, first: number, frames = 1): void {
    for (let i = 0; i < frames; i++) this.handle(core, reason, clearLines(core, first + i, 64));
  }

  /** A pCPU takes up a vCPU other than its last: scheduler, state, the host's address space. */
  takeUp(vcpu: Vcpu, core: Core): Cycles {
    this.#footprint?.enterVm(core, vcpu.vm.id);
    return this.#switchState + this.cyclesOf(core, 'vcpuSwitch');
  }

  /**
   * Decodes the guest's instruction, as far as decode assists do not: with accesses to control
   * registers and INVLPG they report the operand. True: it has to be fetched as well, through the
   * guest's tables.
   */
  decode(core: Core, reason: ExitReason): boolean {
    const { costs, machine } = this.#deps;
    const assisted = costs.decodeAssists && machine.processor.svm.decodeAssists;
    if (assisted && OPERAND_REPORTED.has(reason)) return false;
    this.perform(core, reason, 'decode');
    return !assisted;
  }

  /** VMRUN: serves requests, charges the way in, picks the tag and flushes what must be. */
  resume(vcpu: Vcpu, core: Core, reason: ExitReason): void {
    if (vcpu.requests !== 0) this.#deps.serve(vcpu, core);
    if (this.virtualized) {
      core.charge(Leaf.ExitTransition + reason, this.#in + this.#reload(vcpu, core));
      vcpu.vm.counters.vmruns++;
    }
    this.#enter(vcpu, core);
    this.#deps.observer.onVmrun(core.now, core.id, vcpu.id, core.asid);
  }

  /** All translations of the vCPU are stale: it gets a new tag at its next VMRUN. */
  loseTag(vcpu: Vcpu, cause: Cause): void {
    this.#deps.tags.flushVcpu(vcpu.id);
    vcpu.flushCause = cause;
  }

  /** VMRUN reads all of a VMCB that it does not know, or of which nobody says what is unchanged. */
  #reload(vcpu: Vcpu, core: Core): Cycles {
    const known = this.#deps.costs.cleanBits && this.#vmcbOf[core.id] === vcpu.id;
    this.#vmcbOf[core.id] = vcpu.id;
    return known ? 0 : this.#deps.machine.processor.svm.vmcbReloadCycles;
  }

  #enter(vcpu: Vcpu, core: Core): void {
    const grant = this.#grant;
    const { observer, tags } = this.#deps;
    tags.beforeVmrun(core.id as PcpuId, vcpu.id, grant);
    const pending = vcpu.flushCause;
    // What happens to everybody, and what has happened to this vCPU before that.
    const common = grant.exhausted ? Cause.AsidExhausted : Cause.WorldSwitch;
    const cause = pending >= 0 ? (pending as Cause) : common;
    const { counters } = vcpu.vm;
    if (grant.exhausted) counters.asid_exhaustions++;
    if (grant.tlbControl !== TlbControl.DoNothing || grant.fresh) {
      observer.onTlbFlush(core.now, core.id, vcpu.id, cause, grant.tlbControl);
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
}

/** What handlers touch, and in long runs also what they have learned it to cost. */
function touchesOf({ costs, footprint, machine }: WorldSwitchDeps): HostTouches {
  const touches = new HostFootprint(machine, costs, footprint);
  return machine.cores[0]!.learned ? new LearnedFootprint(touches) : touches;
}

import type { Cycles } from '../base/ids.ts';
import { type EventKind, Phase } from '../engine/engine.ts';
import type { HostEngine } from '../engine/host-engine.ts';
import type { Core } from '../machine/core.ts';
import { Cause } from '../stats/leaves.ts';
import { Runstate, type Vcpu } from './vm.ts';

/** What can be asked of a vCPU, as bits (KVM: kvm_make_request). */
export const Request = {
  /** All its translations are stale: it enters with a new tag. */
  FlushTags: 1,
  /** Its VM's paging mode has changed something under it: `Mmu.onRequest`. */
  Mmu: 2,
  /** It is held: it leaves its pCPU at its next exit (Runstate.Paused). See Holding. */
  Pause: 4,
} as const;

export interface VcpuRequestsDeps {
  readonly engine: HostEngine;
  /** From sending an IPI until it arrives. */
  readonly ipi: Cycles;
  /** Forces an exit of the vCPU that runs on a pCPU. */
  kick(pcpu: number): void;
  /** All translations of a vCPU are stale. */
  loseTag(vcpu: Vcpu, cause: Cause): void;
  /** `Mmu.onRequest` of its VM. */
  onMmu(vcpu: Vcpu, core: Core): void;
}

/**
 * Requests to vCPUs. Whoever changes what another vCPU may be using asks it: the request is set, a
 * running vCPU is kicked out of the guest by an IPI, and the request is served before the vCPU
 * enters again, on its own core and at its own time.
 */
export class VcpuRequests {
  readonly #deps: VcpuRequestsDeps;
  readonly #ipi: EventKind;
  /** By vCPU: who waits for its requests to be served. */
  readonly #waiting: ((now: Cycles) => void)[][] = [];
  /** By vCPU: who waits for it to be out of the guest. */
  readonly #inside: ((now: Cycles) => void)[][] = [];

  constructor(deps: VcpuRequestsDeps) {
    this.#deps = deps;
    this.#ipi = deps.engine.defineEvent(Phase.Schedule, (_now, pcpu) => deps.kick(pcpu));
  }

  /** `acked` is called when all of `bits` have been served, with the time of that. */
  ask(vcpu: Vcpu, bits: number, acked?: (now: Cycles) => void): void {
    vcpu.requests |= bits;
    if (acked) (this.#waiting[vcpu.id] ??= []).push(acked);
    if (vcpu.state !== Runstate.Running) return;
    const { engine, ipi } = this.#deps;
    engine.schedule(engine.here + ipi, this.#ipi, vcpu.pcpu);
  }

  /**
   * All translations of these vCPUs are stale. `forgotten` is called when none of them can use one
   * any longer: each has left the guest, and enters with a new tag. That may be at once.
   */
  forget(vcpus: readonly Vcpu[], forgotten: (now: Cycles) => void): void {
    const running = vcpus.filter((vcpu) => vcpu.state === Runstate.Running);
    let inside = running.length;
    for (const vcpu of running) {
      (this.#inside[vcpu.id] ??= []).push((now) => {
        if (--inside === 0) forgotten(now);
      });
    }
    for (const vcpu of vcpus) this.ask(vcpu, Request.FlushTags);
    if (inside === 0) forgotten(this.#deps.engine.here);
  }

  /** The vCPU is out of the guest. */
  left(vcpu: Vcpu, now: Cycles): void {
    for (const told of this.#inside[vcpu.id]?.splice(0) ?? []) told(now);
  }

  /** Before the vCPU enters on `core`. */
  serve(vcpu: Vcpu, core: Core): void {
    const bits = vcpu.requests & ~Request.Pause;
    if (bits === 0) return;
    vcpu.requests &= Request.Pause;
    if ((bits & Request.FlushTags) !== 0) this.#deps.loseTag(vcpu, Cause.Shootdown);
    if ((bits & Request.Mmu) !== 0) this.#deps.onMmu(vcpu, core);
    for (const acked of this.#waiting[vcpu.id]?.splice(0) ?? []) acked(core.now);
    this.left(vcpu, core.now);
  }
}

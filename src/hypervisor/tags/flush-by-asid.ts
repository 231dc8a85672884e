import type { PcpuId, VcpuId } from '../../base/ids.ts';
import { AsidGenerations, asidParams } from './asid-generations.ts';
import {
  type TagDefinition,
  type TagDeps,
  type TagGrant,
  type TagPolicy,
  TlbControl,
} from './tag-policy.ts';

/**
 * KVM on processors with flush-by-ASID, Family 15h and later (Linux 4.10, arch/x86/kvm/svm.c:
 * svm_flush_tlb). Numbers are assigned as by `kvm`, but a vCPU that must be flushed keeps its own
 * and VMRUN drops just its entries, so flushes neither use numbers up nor leave dead entries
 * behind.
 */
export const flushByAsid: TagDefinition<typeof asidParams> = {
  name: 'flush-by-asid',
  summary: 'KVM with flush-by-ASID: a flush keeps the ASID and drops its entries only',
  params: asidParams,
  requires: (_params, { processor, processorName }) =>
    processor.svm.flushByAsid
      ? []
      : [
          {
            message: `flush-by-asid needs a processor that has it, and ${processorName} has not`,
            suggestion: 'use kvm, or a processor of Family 15h',
          },
        ],
  create: ({ asids }, deps) => {
    if (!deps.flushByAsid) {
      throw new Error('tags flush-by-asid: this processor cannot flush a single ASID');
    }
    return new FlushByAsid(deps, asids);
  },
};

/** KVM since Linux 2.6.38, which asks the processor. */
export const kvm32: TagDefinition<typeof asidParams> = {
  name: 'kvm-3.2',
  summary: 'KVM since 2.6.38: flush-by-ASID where the processor has it, else as kvm',
  params: asidParams,
  create: ({ asids }, deps) =>
    deps.flushByAsid ? new FlushByAsid(deps, asids) : new AsidGenerations(deps, asids, 'keep'),
};

class FlushByAsid implements TagPolicy {
  readonly #tags: AsidGenerations;
  /** By vCPU: a flush is due at its next VMRUN. */
  readonly #due: Uint8Array;

  constructor(deps: TagDeps, asids: number | undefined) {
    this.#tags = new AsidGenerations(deps, asids, 'keep');
    this.#due = new Uint8Array(deps.vcpuCount);
  }

  beforeVmrun(pcpu: PcpuId, vcpu: VcpuId, out: TagGrant): void {
    this.#tags.beforeVmrun(pcpu, vcpu, out);
    if (this.#due[vcpu] === 0) return;
    this.#due[vcpu] = 0;
    // A new number has no entries yet, and a flush of everything includes it.
    if (out.tlbControl === TlbControl.DoNothing && !out.fresh) {
      out.tlbControl = TlbControl.FlushAsid;
    }
  }

  flushVcpu(vcpu: VcpuId): void {
    this.#due[vcpu] = 1;
  }

  onVcpuSwitch(): void {}

  onMigrate(vcpu: VcpuId): void {
    this.#tags.onMigrate(vcpu);
  }

  retire(vcpu: VcpuId): void {
    this.#tags.retire(vcpu);
  }
}

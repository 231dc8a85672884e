import * as z from 'zod';
import type { Asid, PcpuId, VcpuId } from '../../base/ids.ts';
import {
  type TagDefinition,
  type TagDeps,
  type TagGrant,
  type TagPolicy,
  TlbControl,
} from './tag-policy.ts';

const params = z.object({
  flush: z
    .enum(['vm-switch', 'every-vmrun'])
    .prefault('vm-switch')
    .describe('when the TLBs are flushed: when another vCPU comes, or at every entry'),
});

/**
 * No tags: every guest runs under ASID 1, so the TLBs hold one vCPU's translations at a time.
 * `vm-switch` flushes when a pCPU takes up another vCPU, as a processor without tags would have to;
 * `every-vmrun` is what Xen does with ASIDs off (xen/arch/x86/hvm/svm/asid.c: erratum 170 on early
 * Opteron Rev F, or the boot option): a full flush at each entry, even of the same vCPU.
 */
export const none: TagDefinition<typeof params> = {
  name: 'none',
  summary: 'one ASID for all guests, flushed at each VM switch or at each VMRUN',
  params,
  create: (chosen, deps) => new NoTags(deps, chosen.flush === 'every-vmrun'),
};

class NoTags implements TagPolicy {
  readonly #everyVmrun: boolean;
  /** By pCPU: the vCPU whose translations its TLBs may hold; -1 = they must be flushed first. */
  readonly #holder: Int32Array;

  constructor(deps: TagDeps, everyVmrun: boolean) {
    this.#everyVmrun = everyVmrun;
    this.#holder = new Int32Array(deps.pcpuCount).fill(-1);
  }

  beforeVmrun(pcpu: PcpuId, vcpu: VcpuId, out: TagGrant): void {
    const flush = this.#everyVmrun || this.#holder[pcpu] !== vcpu;
    this.#holder[pcpu] = vcpu;
    out.asid = 1 as Asid;
    out.tlbControl = flush ? TlbControl.FlushAll : TlbControl.DoNothing;
    out.fresh = false;
    out.exhausted = false;
  }

  flushVcpu(vcpu: VcpuId): void {
    for (let pcpu = 0; pcpu < this.#holder.length; pcpu++) this.#drop(vcpu, pcpu as PcpuId);
  }

  onVcpuSwitch(): void {}

  /** While away it may change mappings, and its flushes of single pages would not reach `from`. */
  onMigrate(vcpu: VcpuId, from: PcpuId): void {
    this.#drop(vcpu, from);
  }

  retire(vcpu: VcpuId): void {
    this.flushVcpu(vcpu);
  }

  #drop(vcpu: VcpuId, pcpu: PcpuId): void {
    if (this.#holder[pcpu] === vcpu) this.#holder[pcpu] = -1;
  }
}

import * as z from 'zod';
import type { Asid, PcpuId, VcpuId } from '../../base/ids.ts';
import { type TagDeps, type TagGrant, type TagPolicy, TlbControl } from './tag-policy.ts';

/** Parameters of all policies that hand out ASIDs. */
export const asidParams = z.object({
  asids: z
    .int()
    .min(2)
    .meta({ unit: 'ASIDs', usual: 'as many as the processor has' })
    .optional()
    .describe("number of ASIDs, the host's included; the processor's if absent"),
});

/**
 * What a switch between two vCPUs does to the tags of a pCPU: nothing; all numbers become void; or
 * all become void and numbering starts at 1 again.
 */
export type SwitchEffect = 'keep' | 'void' | 'restart';

/** A vCPU without a generation: it takes a new number at its next VMRUN. */
const LOST = 0;

/**
 * The scheme that KVM (Linux 2.6.33, arch/x86/kvm/svm.c) and Xen (4.1, xen/arch/x86/hvm/asid.c)
 * share. Nobody can free a single ASID, so each pCPU hands out increasing numbers, and number 1
 * comes with a flush of everything. When the numbers run out a new generation starts, and a vCPU of
 * an older generation takes a new number when it next runs. To flush a vCPU is to forget its
 * number: its entries stay in the TLBs, out of reach, until they are replaced.
 */
export class AsidGenerations implements TagPolicy {
  readonly #atSwitch: SwitchEffect;
  readonly #pcpuCount: number;
  readonly #maxAsid: number;
  /** By pCPU. */
  readonly #generation: Float64Array;
  readonly #next: Int32Array;
  /** By vCPU. */
  readonly #vcpuGeneration: Float64Array;
  readonly #vcpuAsid: Int32Array;
  /** By vCPU and pCPU: the number under which it last ran there; 0 = never ran there. */
  readonly #ranUnder: Int32Array;

  constructor(deps: TagDeps, asids: number | undefined, atSwitch: SwitchEffect) {
    const { pcpuCount, vcpuCount } = deps;
    this.#atSwitch = atSwitch;
    this.#pcpuCount = pcpuCount;
    this.#maxAsid = (asids ?? deps.asids) - 1;
    this.#generation = new Float64Array(pcpuCount).fill(1);
    this.#next = new Int32Array(pcpuCount).fill(1);
    this.#vcpuGeneration = new Float64Array(vcpuCount).fill(LOST);
    this.#vcpuAsid = new Int32Array(vcpuCount);
    this.#ranUnder = new Int32Array(vcpuCount * pcpuCount);
  }

  beforeVmrun(pcpu: PcpuId, vcpu: VcpuId, out: TagGrant): void {
    out.tlbControl = TlbControl.DoNothing;
    out.fresh = false;
    out.exhausted = false;
    if (this.#vcpuGeneration[vcpu] !== this.#generation[pcpu]) this.#assign(pcpu, vcpu, out);
    out.asid = this.#vcpuAsid[vcpu] as Asid;
  }

  flushVcpu(vcpu: VcpuId): void {
    this.#vcpuGeneration[vcpu] = LOST;
  }

  onVcpuSwitch(pcpu: PcpuId): void {
    if (this.#atSwitch === 'keep') return;
    this.#generation[pcpu]!++;
    if (this.#atSwitch === 'restart') this.#next[pcpu] = 1;
  }

  /** Generations of different pCPUs cannot be compared, so a number is good on one pCPU only. */
  onMigrate(vcpu: VcpuId): void {
    this.#vcpuGeneration[vcpu] = LOST;
  }

  retire(vcpu: VcpuId): void {
    this.#vcpuGeneration[vcpu] = LOST;
  }

  #assign(pcpu: PcpuId, vcpu: VcpuId, out: TagGrant): void {
    if (this.#next[pcpu]! > this.#maxAsid) {
      this.#generation[pcpu]!++;
      this.#next[pcpu] = 1;
      out.exhausted = true;
    } else if (this.#atSwitch === 'keep') {
      // Nothing else voids the number of a vCPU that has not lost it: they ran out while others
      // ran.
      out.exhausted = this.#vcpuGeneration[vcpu] !== LOST;
    }
    const asid = this.#next[pcpu]!++;
    if (asid === 1) out.tlbControl = TlbControl.FlushAll;
    this.#vcpuGeneration[vcpu] = this.#generation[pcpu]!;
    this.#vcpuAsid[vcpu] = asid;
    const at = vcpu * this.#pcpuCount + pcpu;
    const before = this.#ranUnder[at]!;
    out.fresh = before !== 0 && before !== asid;
    this.#ranUnder[at] = asid;
  }
}

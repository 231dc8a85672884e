import type { z } from 'zod';
import type { Asid, PcpuId, VcpuId } from '../../base/ids.ts';
import { type Definition, registry } from '../../base/registry.ts';
import type { Lack, PolicyHost } from '../requirements.ts';

/** What VMRUN is asked to flush: AMD's TLB_CONTROL encodings. */
export const TlbControl = {
  DoNothing: 0,
  FlushAll: 1,
  FlushAsid: 3,
  FlushAsidNonGlobal: 7,
} as const;
export type TlbControl = (typeof TlbControl)[keyof typeof TlbControl];

/** Owned by the caller; `beforeVmrun` overwrites it. */
export interface TagGrant {
  asid: Asid;
  tlbControl: TlbControl;
  /**
   * True when `asid` differs from the one under which this vCPU last ran on this pCPU (its old
   * entries are unreachable).
   */
  fresh: boolean;
  /** True when the flush or the fresh tag happened because the numbers ran out. */
  exhausted: boolean;
}

/**
 * Which ASID a vCPU runs under, and what VMRUN flushes. ASIDs belong to a pCPU: 1 .. asids-1, 0 is
 * the host. No two vCPUs may have live entries under one ASID of one pCPU. A policy only decides;
 * the hypervisor flushes, charges and records why translations were lost.
 */
export interface TagPolicy {
  /** Before every VMRUN of `vcpu` on `pcpu`. */
  beforeVmrun(pcpu: PcpuId, vcpu: VcpuId, out: TagGrant): void;
  /** Guest or shadow state changed: all translations of `vcpu` are stale everywhere. */
  flushVcpu(vcpu: VcpuId): void;
  /** The pCPU switches from one vCPU to a different one (not to idle and back). */
  onVcpuSwitch(pcpu: PcpuId, from: VcpuId, to: VcpuId): void;
  /** `vcpu` will run on another pCPU than last time. */
  onMigrate(vcpu: VcpuId, from: PcpuId, to: PcpuId): void;
  /** `vcpu` leaves the host: what TLBs hold of it must never be found again, should it return. */
  retire(vcpu: VcpuId): void;
}

export interface TagDeps {
  readonly pcpuCount: number;
  readonly vcpuCount: number;
  /** CPUID Fn8000_000A EBX: number of ASIDs, the host's included. */
  readonly asids: number;
  readonly flushByAsid: boolean;
  /** Early K8: entries of different ASIDs are not reliably told apart. */
  readonly erratum170: boolean;
}

export interface TagDefinition<P extends z.ZodObject = z.ZodObject>
  extends Definition<TagPolicy, TagDeps, P> {
  /** What it needs of processor and hypervisor and does not find there. */
  requires?(params: z.output<P>, host: PolicyHost): readonly Lack[];
}
export const tagRegistry = (definitions: readonly TagDefinition[]) =>
  registry<TagPolicy, TagDeps, TagDefinition>('tag policy', definitions);

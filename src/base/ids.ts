/**
 * Identity by branded number: the compiler keeps the spaces apart, the code indexes flat arrays.
 */
declare const space: unique symbol;
type Id<Space extends string> = number & { readonly [space]: Space };

export type PcpuId = Id<'pcpu'>;
export type VcpuId = Id<'vcpu'>;
export type VmId = Id<'vm'>;
/** Tag of a TLB entry: 0 is the host. */
export type Asid = Id<'asid'>;
/** Whole cycles of the host clock, below 2^53. */
export type Cycles = number;

import type { Vm } from '../hypervisor/vm.ts';
import type { PageTables } from '../machine/page-tables.ts';
import type { Requests } from './requests.ts';
import type { Workload } from './workloads/workload.ts';

/** Items of a visit block: one fill of a program. */
export const BLOCK_ITEMS = 256;

/** What a guest kernel is made from. */
export interface KernelOptions {
  readonly vm: Vm;
  readonly tables: PageTables;
  readonly workload: Workload;
  /** First item of this vCPU's block. */
  readonly block: number;
  readonly mhz: number;
  /** Hardware costs the kernel causes directly, in cycles. */
  readonly instructions: {
    readonly syscall: number;
    readonly sysret: number;
    readonly exception: number;
    readonly iret: number;
  };
  /** Units of work after which the VM powers off; Infinity = never. */
  readonly stopAfter: number;
  /** Counts of user instructions, ascending, at which `onMark` is to be called. */
  readonly marks: readonly number[];
  readonly onMark: (index: number) => void;
  readonly requests: Requests | null;
  /** Most bytes that the drivers of network and disk hand over at once. */
  readonly sendBytes: number;
  readonly diskBytes: number;
}

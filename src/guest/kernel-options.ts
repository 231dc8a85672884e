import type { Vm } from '../hypervisor/vm.ts';
import type { PageTables } from '../machine/page-tables.ts';
import type { GuestTables } from './frames.ts';
import type { KernelPaths } from './kernel-paths.ts';
import type { KernelProfile } from './kernel-schema.ts';
import type { Milestones, Progress } from './progress.ts';
import type { Workload } from './workloads/workload.ts';

/** Items of a visit block: one fill of a program. */
export const BLOCK_ITEMS = 256;

/** What the software of a VM is made from. */
export interface GuestOptions extends Milestones {
  readonly vm: Vm;
  readonly tables: PageTables;
  readonly workload: Workload;
  readonly kernel: KernelProfile;
  readonly mhz: number;
  /** Most bytes that the drivers of network and disk hand over at once. */
  readonly sendBytes: number;
  readonly diskBytes: number;
}

/** What all vCPUs of a VM share, whatever kernel runs on them. */
export interface GuestShared {
  readonly vm: Vm;
  readonly workload: Workload;
  readonly kernel: KernelProfile;
  readonly guest: GuestTables;
  readonly paths: KernelPaths;
  readonly progress: Progress;
  readonly mhz: number;
}

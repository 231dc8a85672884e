import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { VmHost } from '../hypervisor/vm.ts';
import type { Machine } from '../machine/machine.ts';

/** A machine with its hypervisor. All hosts of a simulation share its clock and page tables. */
export interface Host extends VmHost {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** Bytes of its memory that are for VMs. */
  readonly room: number;
  /** False: it has lost power, and nothing runs there any more. */
  alive: boolean;
}

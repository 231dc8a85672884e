import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { VmHost } from '../hypervisor/vm.ts';
import type { Machine } from '../machine/machine.ts';

/** A machine with its hypervisor. All hosts of a simulation share its clock and page tables. */
export interface Host extends VmHost {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** False: it has lost power, and nothing runs there any more. */
  alive: boolean;
}

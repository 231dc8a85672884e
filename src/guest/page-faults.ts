import { MemoryError } from '../base/errors.ts';
import { Entry, type GuestCpu } from '../hypervisor/guest-port.ts';
import { type AddressSpace, anonymousPage, FaultOutcome } from './address-space.ts';
import { kernelInstructions as cost } from './kernel-costs.ts';
import type { GuestShared } from './kernel-options.ts';

/** The kernel's handler of a page fault on `vpn`, from the exception to the IRET. */
export function handlePageFault(
  { vm, paths }: GuestShared,
  cpu: GuestCpu,
  space: AddressSpace,
  vpn: number,
  write: boolean,
): void {
  const { counters } = vm;
  counters.guest_faults++;
  cpu.enterKernel(Entry.Exception);
  const breaks = counters.cow_breaks;
  paths.run(cpu, cost.pageFault, 1);
  grantAccess(vm.name, space, cpu, vpn, write);
  if (counters.cow_breaks !== breaks) paths.run(cpu, cost.cowBreak, 2);
  cpu.leaveKernel(Entry.Exception);
}

/**
 * Makes the access possible; `cpu` null = it happened before the run. Recorded programs touch pages
 * whose mapping was never recorded: they get one. Throws MemoryError when the VM `vm` has no large
 * pages left.
 */
export function grantAccess(
  vm: string,
  space: AddressSpace,
  cpu: GuestCpu | null,
  vpn: number,
  write: boolean,
): void {
  let outcome = space.fault(cpu, vpn, write);
  if (outcome === FaultOutcome.Denied) {
    space.protect(cpu, vpn, 1, true);
    outcome = space.fault(cpu, vpn, write);
  }
  if (outcome === FaultOutcome.Unmapped) {
    space.add(anonymousPage(vpn));
    outcome = space.fault(cpu, vpn, write);
  }
  if (outcome !== FaultOutcome.Fixed) outOfLargePages(vm, `page ${vpn.toString(16)}`);
}

export function outOfLargePages(vm: string, what: string): never {
  throw new MemoryError(`VM ${vm} has no large pages left for ${what}`, { vm });
}

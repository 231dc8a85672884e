import { MemoryError } from '../base/errors.ts';
import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { AddressSpace } from './address-space.ts';
import { anonymousPage } from './anonymous-page.ts';
import type { GuestShared } from './kernel-options.ts';
import { FaultOutcome } from './work.ts';

/** The kernel's handler of a page fault on `vpn`. */
export function handlePageFault(
  { kernel, paths, vm }: GuestShared,
  cpu: GuestCpu,
  space: AddressSpace,
  vpn: number,
  write: boolean,
): void {
  const { counters } = vm;
  counters.guest_faults++;
  const breaks = counters.cow_breaks;
  const { instructions: cost } = kernel;
  paths.run(cpu, cost.exception + cost.pageFault, 1);
  grantAccess(vm.name, space, cpu, vpn, write);
  const { around, found, taken } = space.work;
  if (taken > 0) paths.run(cpu, taken * (cost.takePage + cost.chargePage), 20);
  if (found > 0) paths.run(cpu, found * cost.filePage + around * cost.mapAround, 21);
  if (counters.cow_breaks !== breaks) paths.run(cpu, cost.cowBreak, 2);
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

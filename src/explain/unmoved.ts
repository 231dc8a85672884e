import type { Choice } from '../base/registry.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { Scenario } from '../scenario/resolve.ts';

/**
 * Worlds in which a VM is not protected, or does not move: what the present one is held against.
 */

const ofGroup = (vm: string) => vm.slice(0, vm.lastIndexOf('-'));

/**
 * The same world with the VM, and others of its group, unprotected; first as it is paged, then as
 * the hypervisor would page it, where that is different. Nothing fails there.
 */
export function unprotected(
  scenario: Scenario,
  vm: string,
): { readonly same: Scenario; readonly usual: Scenario | undefined; readonly paging: Choice } {
  const { hypervisor, vms } = scenario;
  const group = vms.find(({ name }) => name === ofGroup(vm))!;
  const paged = (mmu: Choice): Scenario => ({
    ...scenario,
    events: [],
    vms: vms.map((one) => (one === group ? { ...one, mmu, faultTolerance: undefined } : one)),
  });
  const usual = hypervisor.mmu;
  const differs = usual.kind !== group.mmu.kind && mmuModes.of(usual.kind).walk === 'two';
  return { same: paged(group.mmu), usual: differs ? paged(usual) : undefined, paging: group.mmu };
}

/** The same world with the VM where it is. */
export const unmoved = (scenario: Scenario, vm: string): Scenario => ({
  ...scenario,
  events: scenario.events.filter(({ choice }) => choice.kind === 'migrate' && choice['vm'] !== vm),
});

import type { VmId } from '../base/ids.ts';
import type { Cluster, Protection } from '../cluster/cluster.ts';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { Vm } from '../hypervisor/vm.ts';
import { secondCopy } from '../stats/copies.ts';
import type { Scenario, VmGroup } from './resolve.ts';

/**
 * The second copies of protected VMs, numbered after all VMs that the scenario names, with the
 * group of each. They boot the same program.
 */
export function secondariesOf(
  { hosts }: Scenario,
  vms: readonly Vm[],
  groups: readonly VmGroup[],
): { readonly vm: Vm; readonly group: VmGroup }[] {
  const pairs = vms.flatMap((vm, i) => {
    const group = groups[i]!;
    return group.faultTolerance ? [{ vm, group, on: group.faultTolerance.secondary }] : [];
  });
  return pairs.map(({ vm, group, on }, i) => {
    const index = hosts.findIndex(({ name }) => name === on);
    const second = new Vm((vms.length + i) as VmId, {
      name: secondCopy(vm.name),
      program: vm.name,
      host: { name: on, index },
      memoryPages: vm.memoryPages,
      weight: vm.weight,
      cap: vm.cap,
      pin: vm.pin,
      scheduling: vm.scheduling,
    });
    return { vm: second, group };
  });
}

/** What protects the VMs of a scenario; before the schedulers are made, since threads are added. */
export function buildProtections(cluster: Cluster, groups: readonly VmGroup[]): Protection[] {
  const { members } = cluster;
  return members.flatMap((primary, i) => {
    const { faultTolerance } = groups[i]!;
    if (!faultTolerance || primary.vm.program !== primary.vm.name) return [];
    const { kind, link, secondary: host, ...params } = faultTolerance;
    const secondary = members.find(({ vm }) => vm !== primary.vm && vm.program === primary.vm.name);
    const { create } = protections.of(kind);
    if (!create || !secondary) throw new Error(`protection by ${kind} cannot be simulated`);
    return [create(params, { cluster, primary, secondary, host, link })];
  });
}

import type { VmId } from '../base/ids.ts';
import type { Cluster, Protection } from '../cluster/cluster.ts';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { Vm } from '../hypervisor/vm.ts';
import { secondCopy } from '../stats/copies.ts';
import { copiesOf, isRenewed } from './copies.ts';
import type { Scenario, VmGroup } from './resolve.ts';

/** Of a VM that is on no host yet. */
const NOWHERE = { name: '', index: -1 };

/**
 * The second copies of protected VMs, numbered after all VMs that the scenario names, with the
 * group of each. They boot the same program. Those that are made while the VM runs are on no host
 * until then.
 */
export function secondariesOf(
  scenario: Scenario,
  vms: readonly Vm[],
  groups: readonly VmGroup[],
): { readonly vm: Vm; readonly group: VmGroup }[] {
  const { hosts } = scenario;
  const pairs = vms.flatMap((vm, i) => {
    const group = groups[i]!;
    if (!group.faultTolerance) return [];
    const { kind, secondary: name } = group.faultTolerance;
    const named = { name, index: hosts.findIndex((host) => host.name === name) };
    const first = protections.of(kind).whileRunning ? NOWHERE : named;
    const later = new Array<typeof NOWHERE>(copiesOf(scenario, vm, group)).fill(NOWHERE);
    return [first, ...later].map((host, n) => {
      return { vm, group, host, name: secondCopy(vm.name, n + 1) };
    });
  });
  return pairs.map(({ vm, group, host, name }, i) => {
    const second = new Vm((vms.length + i) as VmId, {
      ...{ name, program: vm.name, host, memoryPages: vm.memoryPages, weight: vm.weight },
      ...{ cap: vm.cap, pin: vm.pin, scheduling: vm.scheduling },
    });
    return { vm: second, group };
  });
}

/** What protects the VMs of a scenario; before the schedulers are made, since threads are added. */
export function buildProtections(
  cluster: Cluster,
  groups: readonly VmGroup[],
  scenario: Scenario,
): Protection[] {
  const { members } = cluster;
  return members.flatMap((primary, i) => {
    const { faultTolerance } = groups[i]!;
    if (!faultTolerance || primary.vm.program !== primary.vm.name) return [];
    const { kind, link, secondary: host, ...params } = faultTolerance;
    const [secondary, ...spares] = members.filter(
      ({ vm }) => vm !== primary.vm && vm.program === primary.vm.name,
    );
    const { alike, create } = protections.of(kind);
    if (!create || !secondary) throw new Error(`protection by ${kind} cannot be simulated`);
    const renews = isRenewed(scenario, primary.vm, groups[i]!);
    const clocks = alike?.clocks ?? Infinity;
    return [create(params, { cluster, primary, secondary, spares, renews, clocks, host, link })];
  });
}

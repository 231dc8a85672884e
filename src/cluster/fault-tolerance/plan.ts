import { crowded, unavailable, unfit, unusable } from '../events/event.ts';
import type { PlanFault, PlannedCluster, PlannedVm } from '../planned.ts';
import { protections } from './index.ts';
import { groupOf } from './processor-groups.ts';

/** Where a second copy is to be, and over which link. */
export interface Place {
  readonly secondary: string;
  readonly link: string;
}

/** Why a VM cannot be protected that way at the time; `key` is one of the protection. */
export function checkProtection(
  cluster: PlannedCluster,
  vm: PlannedVm,
  { secondary, link }: Place,
): PlanFault | undefined {
  const missing = unavailable(cluster, 'secondary', secondary);
  if (missing || vm.host === undefined) return missing;
  if (secondary === vm.host) {
    const others = cluster.hosts.filter(({ name }) => name !== vm.host).map(({ name }) => name);
    return {
      key: 'secondary',
      message: `the secondary of ${vm.name} would be on ${secondary}, where the VM itself is`,
      suggestion: others.length > 0 ? `use ${others.join(' or ')}` : 'it takes two hosts',
    };
  }
  return (
    unusable(cluster, 'link', link, [vm.host, secondary]) ??
    unlike(cluster, vm, secondary) ??
    unfit(cluster, 'secondary', vm, secondary) ??
    crowded(cluster, 'secondary', vm, secondary)
  );
}

/** Both copies have to execute alike. */
function unlike(
  cluster: PlannedCluster,
  { host, name, protection }: PlannedVm,
  secondary: string,
): PlanFault | undefined {
  const { alike } = protections.of(protection!.kind);
  if (!alike) return undefined;
  const [a, b] = [cluster.host(host!)!.processor, cluster.host(secondary)!.processor];
  const [first, second] = [groupOf(a), groupOf(b)];
  for (const [group, { name: processor }] of [
    [first, a],
    [second, b],
  ] as const) {
    if (group !== undefined) continue;
    return {
      key: 'secondary',
      message:
        `${processor} cannot count to an exact instruction and interrupt there, which replay ` +
        'needs',
      suggestion: `${protection!.kind} needs processors of Family 10h or later`,
    };
  }
  if (first !== second) {
    return {
      key: 'secondary',
      message:
        `${name} cannot be protected between ${a.name} (${first}) and ${b.name} (${second}): ` +
        'the processors must be of one group',
      suggestion: 'Opteron 13xx, 23xx and 83xx with four cores are one group',
    };
  }
  const apart = Math.abs(a.clock - b.clock);
  if (apart > alike.clocks) {
    return {
      key: 'secondary',
      message:
        `the clocks of ${host} and ${secondary} are ${apart / 1e6} MHz apart, and no more than ` +
        `${alike.clocks / 1e6} MHz are allowed`,
    };
  }
  return undefined;
}

/**
 * A VM has lost its secondary: notes the new one that it gets by itself, if there can be one, as
 * made by the time of the next event.
 */
export function renewByPlan(cluster: PlannedCluster, vm: PlannedVm): void {
  const { protection, renews } = vm;
  if (!renews || !protection || vm.host === undefined || vm.unsure) return;
  const first = <T extends { readonly name: string }>(all: readonly T[], name: string) =>
    all.toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
  for (const { name: secondary } of first(cluster.hosts, protection.secondary)) {
    for (const { name: link } of first(cluster.links, protection.link)) {
      if (checkProtection(cluster, vm, { secondary, link })) continue;
      Object.assign(vm, { secondary, via: link });
      return;
    }
  }
}

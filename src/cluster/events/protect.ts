import * as z from 'zod';
import { protections } from '../fault-tolerance/index.ts';
import { checkProtection } from '../fault-tolerance/plan.ts';
import type { PlanFault, PlannedCluster, PlannedVm } from '../planned.ts';
import {
  absent,
  astray,
  type EventDefinition,
  hostName,
  linkName,
  unavailable,
  vmName,
} from './event.ts';

const params = z.object({
  vm: vmName(),
  secondary: hostName('host of the new secondary')
    .meta({ usual: 'that of `faultTolerance`, or the host of the primary that has failed over' })
    .optional(),
  link: linkName().meta({ usual: 'that of `faultTolerance`' }).optional(),
});

export const protect: EventDefinition<typeof params> = {
  name: 'protect',
  summary: 'a VM that has lost its secondary gets a new one',
  params,
  plan({ vm: name, secondary, link }, cluster) {
    const missing = absent(cluster, 'vm', name);
    if (missing) return missing;
    const vm = cluster.vm(name)!;
    const { protection } = vm;
    if (!protection) {
      return {
        key: 'vm',
        message: `${name} has no faultTolerance, which says how it is to be protected`,
        suggestion: 'add faultTolerance: { kind: … } to its group',
      };
    }
    const unable = cannotRenew(vm);
    if (unable) return unable;
    if (vm.unsure || vm.host === undefined) {
      const where = secondary ?? protection.secondary;
      return (
        (secondary !== undefined ? unavailable(cluster, 'secondary', where) : undefined) ??
        (link !== undefined ? astray(cluster, link, where) : undefined)
      );
    }
    if (vm.secondary !== undefined) {
      return { key: 'vm', message: `${name} is protected at that time, on ${vm.secondary}` };
    }
    const where = secondary ?? otherEnd(cluster, vm, link ?? protection.link);
    const fault = checkProtection(cluster, vm, { secondary: where, link: link ?? protection.link });
    if (fault) {
      const key = fault.key in { secondary, link } ? fault.key : 'vm';
      return { ...fault, key };
    }
    Object.assign(vm, { secondary: where, via: link ?? protection.link });
    return undefined;
  },
  create:
    ({ link, secondary, vm: name }) =>
    ({ protections: all }, now) =>
      all.find(({ vm }) => vm.name === name)?.renew?.({ link, secondary }, now),
};

/** Why a VM never gets another secondary. */
function cannotRenew({ copyable, name, protection }: PlannedVm): PlanFault | undefined {
  const { kind } = protection!;
  if (!protections.of(kind).renewable) {
    return {
      key: 'vm',
      message: `a VM that is protected by ${kind} cannot get a new secondary yet`,
    };
  }
  if (copyable) return undefined;
  return {
    key: 'vm',
    message: `${name} replays a trace, and cannot be copied while it runs`,
  };
}

/** The host that its protection names, or where it was when that is where it is now. */
function otherEnd(cluster: PlannedCluster, { host, protection }: PlannedVm, name: string): string {
  const { secondary } = protection!;
  if (host !== secondary) return secondary;
  const link = cluster.link(name);
  return link?.between.find((end) => end !== host) ?? secondary;
}

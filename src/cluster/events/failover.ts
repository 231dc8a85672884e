import * as z from 'zod';
import { renewByPlan } from '../fault-tolerance/plan.ts';
import { absent, type EventDefinition, vmName } from './event.ts';

const params = z.object({ vm: vmName() });

export const failover: EventDefinition<typeof params> = {
  name: 'failover',
  summary: 'the primary of a protected VM ends, and its secondary takes over: a test of it',
  params,
  plan({ vm: name }, cluster) {
    const missing = absent(cluster, 'vm', name);
    if (missing) return missing;
    const vm = cluster.vm(name)!;
    if (vm.unsure) return undefined;
    if (vm.secondary === undefined) {
      return {
        key: 'vm',
        message: `${name} has no secondary at that time that could take over`,
        suggestion: vm.protection ? 'protect it first' : 'add faultTolerance to its group',
      };
    }
    Object.assign(vm, { host: vm.secondary, secondary: undefined, via: undefined });
    renewByPlan(cluster, vm);
    return undefined;
  },
  create:
    ({ vm: name }) =>
    ({ protections }, now) =>
      protections.find(({ vm }) => vm.name === name)?.failover(now),
};

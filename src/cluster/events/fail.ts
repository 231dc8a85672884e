import * as z from 'zod';
import { hostNamed } from '../cluster.ts';
import { renewByPlan } from '../fault-tolerance/plan.ts';
import type { PlannedCluster, PlannedVm } from '../planned.ts';
import { type EventDefinition, hostName, unavailable } from './event.ts';

const params = z.object({ host: hostName('name of the host that loses power') });

export const fail: EventDefinition<typeof params> = {
  name: 'fail',
  summary: 'a host loses power: all that runs there stops for good',
  params,
  plan({ host: name }, cluster, at) {
    const fault = unavailable(cluster, 'host', name);
    if (fault) return fault;
    const left = cluster.hosts.filter((host) => host.failedAt === undefined);
    if (left.length === 1) {
      return {
        key: 'host',
        message: `${name} is the last host that has not failed: nothing would be left to measure`,
        suggestion: 'end the run before that',
      };
    }
    cluster.host(name)!.failedAt = at;
    for (const vm of cluster.vms) lose(cluster, vm, name);
    return undefined;
  },
  create:
    ({ host: name }) =>
    (cluster, now) => {
      const host = hostNamed(cluster, name);
      host.alive = false;
      host.hypervisor.stop(host.hypervisor.engine.timebase.local(now));
      for (const migration of cluster.migrations) migration.hostFailed(host, now);
      for (const protection of cluster.protections) protection.hostLost(name, now);
    },
};

/** What becomes of a VM when a host fails. */
function lose(cluster: PlannedCluster, vm: PlannedVm, host: string): void {
  const { secondary } = vm;
  if (vm.moving?.to === host) vm.unsure = true;
  if (vm.host === host && secondary !== undefined) vm.host = secondary;
  else if (vm.host === host && !vm.unsure) {
    vm.host = undefined;
    vm.gone = `it was on ${host}, which has failed`;
  } else if (secondary !== host) return;
  Object.assign(vm, { secondary: undefined, via: undefined });
  if (secondary !== undefined) renewByPlan(cluster, vm);
}

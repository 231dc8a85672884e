import * as z from 'zod';
import { linkNamed } from '../cluster.ts';
import { migrationPolicies } from '../migration/index.ts';
import { addMigrationThread, startMigration } from '../migration/migrate.ts';
import {
  absent,
  astray,
  crowded,
  type EventDefinition,
  hostName,
  linkName,
  unavailable,
  unfit,
  unusable,
  vmName,
} from './event.ts';

const params = z.object({
  vm: vmName(),
  to: hostName('name of the host that it moves to'),
  link: linkName(),
  policy: migrationPolicies.schema
    .meta({ usual: 'that of the product of the hypervisor profile' })
    .optional()
    .describe('when rounds of copying end'),
});

export const migrate: EventDefinition<typeof params> = {
  name: 'migrate',
  summary: 'a VM moves to another host while it runs',
  params,
  plan({ vm: name, to, link, policy }, cluster) {
    const missing = absent(cluster, 'vm', name) ?? unavailable(cluster, 'to', to);
    if (missing) return missing;
    const vm = cluster.vm(name)!;
    if (!policy && !policyOf(cluster.profile)) {
      const all = migrationPolicies.definitions.map((one) => one.name).join(', ');
      return {
        key: 'kind',
        message: `the profile ${cluster.profile} has no way of its own to migrate`,
        suggestion: `write policy: { kind: … }, one of ${all}`,
      };
    }
    if (vm.unsure || vm.host === undefined) return astray(cluster, link, to);
    if (vm.host === to) return { key: 'to', message: `${name} is on ${to} already at that time` };
    if (vm.secondary !== undefined) {
      return {
        key: 'vm',
        message: `${name} is protected, and a protected VM does not move`,
        suggestion: 'leave its faultTolerance out',
      };
    }
    const fault =
      unusable(cluster, 'link', link, [vm.host, to]) ??
      crowded(cluster, 'to', vm, to) ??
      unfit(cluster, 'to', vm, to);
    if (fault) return fault;
    vm.host = to;
    vm.moving = { link, to };
    return undefined;
  },
  prepare({ link }, cluster) {
    for (const end of linkNamed(cluster, link).between) addMigrationThread(cluster.hosts[end]!);
  },
  create:
    ({ vm, to, link, policy }) =>
    (cluster, now) => {
      const kind = policyOf(cluster.profile);
      const usual = () => migrationPolicies.schema.parse({ kind });
      startMigration(cluster, { vm, to, link, policy: policy ?? usual() }, now);
    },
};

/** The policy of a product: what it does when an event names none. */
export const policyOf = (profile: string): string | undefined =>
  migrationPolicies.definitions.find(({ products }) =>
    products.some((product: string) => profile.startsWith(product)),
  )?.name;

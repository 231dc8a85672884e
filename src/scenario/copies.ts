import { protections } from '../cluster/fault-tolerance/index.ts';
import { renewsItself } from '../cluster/fault-tolerance/renewal.ts';
import type { Vm } from '../hypervisor/vm.ts';
import type { Scenario, VmGroup } from './resolve.ts';

type Planned = Pick<Scenario, 'events' | 'hosts' | 'links'>;

/**
 * How many copies of a protected VM may be made while it runs: one for each event that asks for one,
 * or after which a lost secondary may be replaced. There may turn out to be fewer.
 */
export function copiesOf(scenario: Planned, vm: Pick<Vm, 'name'>, group: VmGroup): number {
  const { faultTolerance, workload } = group;
  if (!faultTolerance) return 0;
  const { events } = scenario;
  const asked = events.filter(
    ({ choice }) => choice.kind === 'protect' && choice['vm'] === vm.name,
  ).length;
  if (!renewsItself(faultTolerance, workload, asked > 0)) return asked;
  return asked + occasions(scenario, vm.name);
}

/** Events after which a VM may be without a secondary while a link to another host works. */
function occasions({ events, hosts, links }: Planned, vm: string): number {
  const alive = new Set(hosts.map(({ name }) => name));
  const up = new Map(links.map(({ between, name }) => [name, between]));
  let count = 0;
  for (const { choice } of events) {
    const { kind } = choice;
    const link = choice['link'] as string;
    if (kind === 'fail') alive.delete(choice['host'] as string);
    else if (kind === 'cut') up.delete(link);
    else if (kind === 'restore') up.set(link, links.find(({ name }) => name === link)!.between);
    else if (kind !== 'failover' || choice['vm'] !== vm) continue;
    const reachable = [...up.values()].some((ends) => ends.every((end) => alive.has(end)));
    if (reachable) count++;
  }
  return count;
}

/** Whether a guest keeps the history that copies of it are made from. */
export function isCopied(scenario: Planned, vm: Vm, group: VmGroup): boolean {
  const { faultTolerance } = group;
  if (!faultTolerance) return false;
  const { whileRunning } = protections.of(faultTolerance.kind);
  return whileRunning || copiesOf(scenario, { name: vm.program }, group) > 0;
}

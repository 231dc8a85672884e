import { protections } from '../cluster/fault-tolerance/index.ts';
import { renewsItself } from '../cluster/fault-tolerance/renewal.ts';
import type { Vm } from '../hypervisor/vm.ts';
import type { Scenario, VmGroup } from './resolve.ts';

type Named = Pick<Vm, 'name'>;
type Planned = Pick<Scenario, 'events' | 'hosts' | 'links'>;

/**
 * How many copies of a protected VM may be made while it runs: one for each event that asks for
 * one,
 * or after which a lost secondary may be replaced. There may turn out to be fewer.
 */
export function copiesOf(scenario: Planned, vm: Named, group: VmGroup): number {
  if (!group.faultTolerance) return 0;
  if (isRenewed(scenario, vm, group)) return occasions(scenario, vm.name);
  return requestsFor(scenario, vm);
}

/** Whether a VM that has lost its secondary gets a new one without an event that says so. */
export function isRenewed(scenario: Planned, vm: Named, group: VmGroup): boolean {
  const { faultTolerance, workload } = group;
  if (!faultTolerance) return false;
  return renewsItself(faultTolerance, workload, requestsFor(scenario, vm) > 0);
}

/** Events that ask for a new secondary. */
const requestsFor = ({ events }: Planned, { name }: Named): number =>
  events.filter(({ choice }) => choice.kind === 'protect' && choice['vm'] === name).length;

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

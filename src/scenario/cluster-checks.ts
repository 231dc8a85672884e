import { eventKinds } from '../cluster/events/index.ts';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { checkProtection } from '../cluster/fault-tolerance/plan.ts';
import type { ProtectionChoice } from '../cluster/fault-tolerance/protection.ts';
import { isCopyable, renewsItself } from '../cluster/fault-tolerance/renewal.ts';
import { PlannedCluster, type PlannedVm } from '../cluster/planned.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { CheckContext } from './check-context.ts';
import { hostOfGroup, hostsOf, roomFor } from './hosts.ts';
import { checkLinks } from './link-checks.ts';
import type { Path } from './located.ts';
import { pagingOf } from './paging.ts';
import type { ParsedScenario } from './schema.ts';

/** Links between hosts, protection of VMs, and what happens at given times. */
export function checkCluster(context: CheckContext): void {
  const { scenario, sound } = context;
  checkLinks(context);
  checkPaging(context);
  const inputs = ['host', 'hosts', 'links', 'vms', 'events'].map((key): Path => [key]);
  if (!sound(...inputs)) return;
  const cluster = plannedCluster(context);
  for (const [i, group] of scenario.vms.entries()) {
    const { faultTolerance: choice } = group;
    if (!choice) continue;
    for (const vm of vmsOf(cluster, group)) {
      const fault = checkProtection(cluster, vm, choice);
      if (fault) {
        context.fault(['vms', i, 'faultTolerance', fault.key], fault.message, fault.suggestion);
        break;
      }
      Object.assign(vm, { secondary: choice.secondary, via: choice.link });
    }
    checkReady(context, i, choice);
    checkRenewal(context, cluster, i, choice);
  }
  checkEvents(context, cluster);
}

/** What a protection says of the paging and the vCPUs of a VM. */
function checkPaging({ scenario, sound, fault }: CheckContext): void {
  for (const [i, group] of scenario.vms.entries()) {
    const { faultTolerance, vcpus } = group;
    const at = (...keys: Path): Path => ['vms', i, ...keys];
    if (!faultTolerance || !sound(at('faultTolerance'), at('mmu'), ['hypervisor', 'mmu'])) continue;
    const { kind: way, link: _, secondary: __, ...params } = faultTolerance;
    const { maxVcpus, name, nestedOnly, notNested } = protections.of(way);
    const { kind } = pagingOf(scenario, group);
    if (notNested !== undefined && mmuModes.of(kind).walk === 'two') {
      fault(
        at('mmu', 'kind'),
        `a VM that is protected by ${name} cannot have ${kind} paging: ${notNested}`,
        'write mmu: { kind: shadow, profile: vmware-trace }, or leave mmu out',
      );
    }
    const needed = nestedOnly?.(params);
    if (needed !== undefined && mmuModes.of(kind).walk !== 'two' && mmuModes.of(kind).virtualized) {
      fault(
        at('mmu', 'kind'),
        `a VM that is protected by ${name} cannot have ${kind} paging: ${needed}`,
        'write mmu: { kind: nested }',
      );
    }
    if (!mmuModes.of(kind).virtualized) {
      fault(at('faultTolerance'), 'without a hypervisor nothing can be protected');
    }
    if (sound(at('vcpus')) && vcpus > maxVcpus) {
      fault(
        at('vcpus'),
        maxVcpus === 1
          ? `a VM that is protected by ${name} has one vCPU: the order in which several touch ` +
              'memory is not in the log'
          : `a VM that is protected by ${name} has ${maxVcpus} vCPUs at most`,
        `write vcpus: ${maxVcpus}`,
      );
    }
  }
}

/** What the kind of a protection cannot do. */
function checkReady(
  { fault, scenario }: CheckContext,
  i: number,
  { kind }: ProtectionChoice,
): void {
  const { create, whileRunning } = protections.of(kind);
  const at: Path = ['vms', i, 'faultTolerance', 'kind'];
  if (!create) fault(at, `protection by ${kind} cannot be simulated yet`);
  if (whileRunning && !isCopyable(scenario.vms[i]!.workload)) {
    fault(at, `a VM that replays a trace cannot be protected by ${kind}`, 'use record-replay');
  }
}

/** The cluster at the start of the run; nobody is protected yet. */
function plannedCluster({ scenario }: CheckContext): PlannedCluster {
  const hosts = hostsOf(scenario);
  return new PlannedCluster({
    profile: scenario.hypervisor.profile,
    hosts: hosts.map(({ name, host }) => ({
      name,
      processor: host.cpu,
      room: roomFor(host.memory),
    })),
    links: (scenario.links ?? []).map(({ name, between }) => ({
      name,
      between: between as [string, string],
      up: true,
    })),
    vms: scenario.vms.flatMap((group) =>
      Array.from({ length: group.count }, (_, n): PlannedVm => {
        return {
          name: `${group.name}-${n}`,
          memory: group.memory,
          nested: mmuModes.of(pagingOf(scenario, group).kind).walk === 'two',
          host: hostOfGroup(hosts, group)?.name,
          unsure: false,
          protection: group.faultTolerance,
          renews: renews(scenario, group, n),
          copyable: isCopyable(group.workload),
          ...{ secondary: undefined, via: undefined },
        };
      }),
    ),
  });
}

type Group = ParsedScenario['vms'][number];

/** The event that asks for a new secondary of a VM. */
const requestFor = ({ events = [] }: ParsedScenario, vm: string) =>
  events.find(({ kind, ...params }) => kind === 'protect' && params['vm'] === vm);

function renews(scenario: ParsedScenario, { faultTolerance, name, workload }: Group, n: number) {
  if (!faultTolerance) return false;
  return renewsItself(faultTolerance, workload, requestFor(scenario, `${name}-${n}`) !== undefined);
}

/** What is written of new secondaries must be able to be so. */
function checkRenewal(
  { fault, scenario }: CheckContext,
  cluster: PlannedCluster,
  i: number,
  choice: ProtectionChoice,
): void {
  if (choice['renew'] !== true) return;
  const at: Path = ['vms', i, 'faultTolerance', 'renew'];
  const group = scenario.vms[i]!;
  if (!isCopyable(group.workload)) {
    fault(at, 'a VM that replays a trace cannot be copied while it runs', 'leave it out');
    return;
  }
  const asked = vmsOf(cluster, group).find(({ name }) => requestFor(scenario, name));
  if (!asked) return;
  fault(
    at,
    `an event says when ${asked.name} gets a new secondary, and with renew: true it gets one ` +
      'by itself',
    'leave out one of them',
  );
}

const vmsOf = (cluster: PlannedCluster, { name, count }: { name: string; count: number }) =>
  Array.from({ length: count }, (_, n) => cluster.vm(`${name}-${n}`)!);

/** Events in the order of their times: each is judged by what has happened before it. */
function checkEvents({ scenario, sound, fault }: CheckContext, cluster: PlannedCluster): void {
  const { duration, events = [] } = scenario;
  const order = [...events.entries()].toSorted(([, a], [, b]) => a.at - b.at);
  for (const [i, event] of order) {
    const { at, kind, ...params } = event;
    if (sound(['duration']) && duration !== 'work' && at >= duration) {
      fault(
        ['events', i, 'at'],
        `the run is over at ${duration / 1e9}ms, and this would be at ${at / 1e9}ms`,
        'make the duration longer, or the time earlier',
      );
      continue;
    }
    const definition = eventKinds.of(kind);
    const found = definition.plan(params, cluster, at);
    if (found) fault(['events', i, found.key], found.message, found.suggestion);
    else if (!definition.create) {
      fault(['events', i, 'kind'], `an event of the kind ${kind} cannot be simulated yet`);
    }
  }
}

import { MOST_TICKS, tickRate } from '../engine/timebase.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { CheckContext } from './check-context.ts';
import { didYouMean, listed } from './findings.ts';
import { hostOfGroup, hostsOf, type WrittenHost } from './hosts.ts';

/** Which host each VM is on, what the hosts must have in common, and paging modes of single VMs. */
export function checkPlacement(context: CheckContext): void {
  const hosts = hostsOf(context.scenario);
  checkNames(context, hosts);
  checkDataLines(context, hosts);
  checkClocks(context, hosts);
  checkModes(context);
}

function checkNames({ scenario, sound, fault }: CheckContext, hosts: readonly WrittenHost[]): void {
  if (!sound(['hosts'])) return;
  const names = hosts.map(({ name }) => name);
  for (const [i, group] of scenario.vms.entries()) {
    if (!sound(['vms', i, 'host']) || hostOfGroup(hosts, group)) continue;
    const { host, name } = group;
    if (host === undefined) {
      fault(
        ['vms', i],
        `VM ${name} does not say which host it is on`,
        `write host: ${names[0]}; the hosts are ${listed(names)}`,
      );
    } else if (scenario.host) {
      fault(
        ['vms', i, 'host'],
        `there is no host "${host}": the scenario has a single one, which has no name`,
        `leave "host" out, or write hosts: { ${host}: … } instead of host`,
      );
    } else {
      const hint = didYouMean(host, names);
      const which = `the hosts are ${listed(names)}`;
      fault(['vms', i, 'host'], `there is no host "${host}"`, hint ? `${hint} ${which}` : which);
    }
  }
}

/** The programs of VMs draw lines or do not; a VM that moves takes its program along. */
function checkDataLines(
  { sound, fault }: CheckContext,
  [first, ...others]: readonly WrittenHost[],
): void {
  for (const { host, path, name } of others) {
    const at = [...path, 'caches', 'data'];
    if (!sound(at, [...first!.path, 'caches']) || host.caches.data === first!.host.caches.data) {
      continue;
    }
    fault(
      at,
      `caches.data of ${name} is ${host.caches.data}, and that of ${first!.name} is ` +
        `${first!.host.caches.data}: hosts of one scenario have the same`,
    );
  }
}

/** Of a run that ends with its work, it is not known how long it takes. */
const WORK = 100e12;

/**
 * Cycles of all hosts are whole numbers of ticks, and a run has no more ticks than can be counted.
 * The fault is at the first host with which that is no longer so.
 */
function checkClocks(
  { scenario, sound, fault }: CheckContext,
  hosts: readonly WrittenHost[],
): void {
  if (!sound(['duration'])) return;
  const clocks: number[] = [];
  for (const { host, path, name } of hosts) {
    if (!sound(path)) return;
    clocks.push(host.cpu.clock);
    const duration = scenario.duration === 'work' ? WORK : scenario.duration;
    const longest = (MOST_TICKS / tickRate(clocks)) * 1e12;
    if (clocks.every((clock) => clock === clocks[0]) || duration <= longest) continue;
    const others = hosts.slice(0, clocks.length - 1).map((other) => other.name);
    const seconds = Number((longest / 1e12).toPrecision(2));
    fault(
      [...path, 'cpu', 'clock'],
      `the clock of ${name}, ${host.cpu.clock / 1e9} GHz, has too few edges in common with ` +
        `${others.length > 1 ? 'those' : 'that'} of ${listed(others)}: a run of them cannot ` +
        `last longer than ${seconds} s`,
      'use clocks that are multiples of 1 MHz',
    );
    return;
  }
}

/** A machine either has a hypervisor or has none. */
function checkModes({ scenario, sound, fault }: CheckContext): void {
  if (!sound(['hypervisor', 'mmu'])) return;
  const all = scenario.hypervisor.mmu.kind;
  for (const [i, { mmu }] of scenario.vms.entries()) {
    if (!mmu || !sound(['vms', i, 'mmu'])) continue;
    const own = mmuModes.of(mmu.kind);
    if (own.virtualized === mmuModes.of(all).virtualized) continue;
    fault(
      ['vms', i, 'mmu', 'kind'],
      own.virtualized
        ? `with hypervisor.mmu: { kind: ${all} } there is no hypervisor, and no ${mmu.kind} paging`
        : `a VM with ${mmu.kind} paging has no hypervisor, and the others have one`,
      own.virtualized ? 'leave it out' : `write hypervisor: { mmu: { kind: ${mmu.kind} } }`,
    );
  }
}

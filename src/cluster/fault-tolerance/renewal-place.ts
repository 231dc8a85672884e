import { Runstate, type Vm } from '../../hypervisor/vm.ts';
import { type Cluster, hostNamed, linkNamed, type RenewedPlace } from '../cluster.ts';
import type { Host } from '../host.ts';
import type { Link } from '../link.ts';
import { isUnderWay } from '../migration/migrate.ts';
import { areAlike } from './processor-groups.ts';

/** Where a new secondary may be. */
export interface Spot {
  readonly host: Host;
  readonly link: Link;
}

/** What a protection says of that. */
export interface Preference {
  /** Names of the host and the link of its first secondary. */
  readonly host: string;
  readonly link: string;
  /** Clocks of both hosts differ by at most so much, in Hz. */
  readonly clocks: number;
}

/** The place that an event names, completed by what the protection says. */
export function askedSpot(
  cluster: Cluster,
  from: Host,
  { host, link }: Preference,
  place: RenewedPlace,
): Spot {
  const chosen = linkNamed(cluster, place.link ?? link);
  const other = from.name === host && chosen.between.includes(from.index);
  const usual = other ? cluster.hosts[chosen.peerOf(from.index)]! : hostNamed(cluster, host);
  return { link: chosen, host: place.secondary ? hostNamed(cluster, place.secondary) : usual };
}

/**
 * Where the service of the product's cluster would put it: on the host of the first secondary if it
 * can, or on the first one that can; over the link of the protection, or the first that works.
 */
export function bestSpot(
  cluster: Cluster,
  vm: Vm,
  from: Host,
  preference: Preference,
): Spot | undefined {
  const first = <T extends { readonly name: string }>(all: readonly T[], name: string) =>
    all.toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
  for (const host of first(cluster.hosts, preference.host)) {
    for (const link of first(cluster.links, preference.link)) {
      const spot = { host, link };
      if (obstacle(cluster, vm, from, spot, preference) === undefined) return spot;
    }
  }
  return undefined;
}

/** Why a new secondary cannot be there now; undefined if it can. */
export function obstacle(
  cluster: Cluster,
  vm: Vm,
  from: Host,
  { host, link }: Spot,
  { clocks }: Preference,
): string | undefined {
  if (!host.alive) return `${host.name} has failed`;
  if (host === from) return `the VM itself is on ${host.name}`;
  const ends = link.between;
  if (!ends.includes(from.index) || !ends.includes(host.index)) {
    return `the link ${link.name} is not between ${from.name} and ${host.name}`;
  }
  if (!link.up) return `the link ${link.name} is cut`;
  if (!areAlike(from.machine.processor, host.machine.processor, clocks)) {
    return `the processors of ${from.name} and ${host.name} cannot replay each other`;
  }
  if (usedOn(cluster, host, vm) + bytesOf(vm) > host.room) return `${host.name} has no room`;
  return undefined;
}

const bytesOf = ({ memoryPages }: Vm): number => memoryPages * 4096;

/** Bytes of VMs that are on a host or on their way to it; a halted copy of `vm` makes room. */
function usedOn({ members, migrations }: Cluster, host: Host, { program }: Vm): number {
  const there = members.filter(
    ({ vcpu, vm }) =>
      vm.host.index === host.index && vcpu.state !== Runstate.Off && vm.program !== program,
  );
  const coming = migrations.filter(({ record }) => record.to === host.name && isUnderWay(record));
  const moving = coming.map(({ record }) => members.find(({ vm }) => vm.name === record.vm)!);
  return [...there, ...moving].reduce((sum, { vm }) => sum + bytesOf(vm), 0);
}

import * as z from 'zod';
import { type Definition, type Registry, registry } from '../../base/registry.ts';
import { duration, showBytes } from '../../base/units.ts';
import { didYouMean, listed } from '../../base/words.ts';
import type { Cluster, Happening } from '../cluster.ts';
import type { PlanFault, PlannedCluster, PlannedVm } from '../planned.ts';

/**
 * What can happen to a cluster at a given time: one file for each kind. A kind says what is wrong
 * with an event before the run, as far as that can be known, and what it changes; and it makes it
 * happen.
 */
export interface EventDefinition<P extends z.ZodObject = z.ZodObject>
  extends Omit<Definition<Happening, undefined, P>, 'create'> {
  /**
   * Judges the event, given what has happened before it, and notes in `cluster` what it changes.
   * `at`: picoseconds.
   */
  plan(params: z.output<P>, cluster: PlannedCluster, at: number): PlanFault | undefined;
  /**
   * Called before the run, and before hosts have schedulers: for threads of hosts that it takes.
   */
  readonly prepare?: (params: z.output<P>, cluster: Pick<Cluster, 'hosts' | 'links'>) => void;
  /** Undefined: it can be written down, but not be simulated yet. */
  readonly create?: (params: z.output<P>) => Happening;
}

// biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
export type AnyEventDefinition = EventDefinition<any>;

/** An event as the scenario says it. */
export interface PlannedEvent {
  readonly kind: string;
  /** Picoseconds. */
  readonly at: number;
  readonly [param: string]: unknown;
}

export interface EventRegistry {
  readonly schema: z.ZodType<PlannedEvent>;
  readonly definitions: readonly AnyEventDefinition[];
  of(kind: string): AnyEventDefinition;
}

const at = { at: duration().describe('simulated time from the start of the run') };

export function eventRegistry(definitions: readonly AnyEventDefinition[]): EventRegistry {
  const timed = definitions.map((definition) => ({
    ...definition,
    params: z.object({ ...at, ...definition.params.shape }),
  }));
  const { of, schema } = registry('event', timed as never) as unknown as Registry<
    Happening,
    undefined,
    never
  >;
  return { of, schema: schema as unknown as z.ZodType<PlannedEvent>, definitions };
}

const words = (what: string) => z.string().min(1).max(60).describe(what);
export const vmName = () => words('name of a VM, for example web-0');
export const hostName = (what: string) => words(what);
export const linkName = () => words('name of a link');

/** A name that stands for nothing. */
export function unknown(key: string, noun: string, name: string, names: readonly string[]) {
  const hint = didYouMean(name, names);
  const all = names.length > 0 ? `there is ${listed(names)}` : `there is none`;
  return { key, message: `there is no ${noun} "${name}"`, suggestion: hint ?? all };
}

/** Why an event cannot happen to a VM: there is none of that name, or it is gone. */
export function absent(cluster: PlannedCluster, key: string, name: string): PlanFault | undefined {
  const vm = cluster.vm(name);
  const names = cluster.vms.map((one) => one.name);
  if (!vm) return unknown(key, 'VM', name, names);
  if (vm.gone === undefined) return undefined;
  return { key, message: `${name} is not there any more: ${vm.gone}` };
}

/** Why a link cannot be used between two hosts. */
export function unusable(
  cluster: PlannedCluster,
  key: string,
  name: string,
  [from, to]: readonly [string, string],
): PlanFault | undefined {
  const link = cluster.link(name);
  const names = cluster.links.map((one) => one.name);
  if (!link) return unknown(key, 'link', name, names);
  if (!link.between.includes(from) || !link.between.includes(to)) {
    const fitting = cluster.links.filter(
      ({ between }) => between.includes(from) && between.includes(to),
    );
    return {
      key,
      message:
        `the link ${name} is between ${link.between.join(' and ')}, ` +
        `not between ${from} and ${to}`,
      suggestion:
        fitting.length > 0
          ? `use ${listed(fitting.map((one) => one.name))}`
          : `add a link between: [${from}, ${to}]`,
    };
  }
  if (!link.up) return { key, message: `the link ${name} is cut at that time` };
  return undefined;
}

/** Why a link cannot be the way to a host, wherever the VM is by then. */
export function astray(cluster: PlannedCluster, name: string, to: string): PlanFault | undefined {
  const link = cluster.link(name);
  const reaching = cluster.links.filter(({ between }) => between.includes(to));
  if (!link) {
    const names = cluster.links.map((one) => one.name);
    return unknown('link', 'link', name, names);
  }
  if (reaching.includes(link)) return undefined;
  return {
    key: 'link',
    message: `the link ${name} is between ${link.between.join(' and ')}, and does not reach ${to}`,
    suggestion:
      reaching.length > 0
        ? `use ${listed(reaching.map((one) => one.name))}`
        : `add a link to ${to}`,
  };
}

/** Why a VM, or a second one of it, has no room on a host at the time. */
export function crowded(
  cluster: PlannedCluster,
  key: string,
  vm: PlannedVm,
  name: string,
): PlanFault | undefined {
  const host = cluster.host(name)!;
  const used = cluster.usedOn(name);
  if (used + vm.memory <= host.room) return undefined;
  return {
    key,
    message:
      `${vm.name} of ${showBytes(vm.memory)} has no room on ${name}: ` +
      `${showBytes(host.room)} are for VMs there, and ${showBytes(used)} are taken at that time`,
    suggestion: `use smaller VMs, or more hosts.${name}.memory`,
  };
}

/** Why the processor of a host cannot run a VM as it is. */
export function unfit(
  cluster: PlannedCluster,
  key: string,
  vm: PlannedVm,
  host: string,
): PlanFault | undefined {
  const { name, svm } = cluster.host(host)!.processor;
  if (!vm.nested || svm.nestedPaging) return undefined;
  return {
    key,
    message: `${vm.name} has nested paging, and ${host} has an ${name}, which has none`,
    suggestion: 'give the VM mmu: { kind: shadow }',
  };
}

/** Why a host cannot take anything at the time. */
export function unavailable(
  cluster: PlannedCluster,
  key: string,
  name: string,
): PlanFault | undefined {
  const host = cluster.host(name);
  const names = cluster.hosts.map((one) => one.name);
  if (!host) return unknown(key, 'host', name, names);
  if (host.failedAt === undefined) return undefined;
  return { key, message: `${name} has failed before, at ${host.failedAt / 1e9}ms` };
}

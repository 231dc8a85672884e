import * as z from 'zod';
import { type Choice, type Definition, type Registry, registry } from '../../base/registry.ts';
import type { Cluster, Protection, Resident } from '../cluster.ts';

/** What a protection is made of. */
export interface ProtectionDeps {
  readonly cluster: Cluster;
  readonly primary: Resident;
  /** The copy, booted as the same program: it stands still until it is told what to do. */
  readonly secondary: Resident;
  /** Those for later secondaries, each for one: they are on no host until then. */
  readonly spares: readonly Resident[];
  /** A lost secondary is replaced without an event that asks for it. */
  readonly renews: boolean;
  /** Clocks of both hosts differ by at most so much, in Hz. */
  readonly clocks: number;
  /** Names. */
  readonly host: string;
  readonly link: string;
}

/** A way of protecting a VM, and what it asks of VM and hosts. */
export interface ProtectionDefinition<P extends z.ZodObject = z.ZodObject>
  extends Omit<Definition<Protection, ProtectionDeps, P>, 'create'> {
  /** The paging that both copies have, where the VM names none. Undefined: any. */
  readonly mmu: Choice | undefined;
  /** Why paging that walks two dimensions is out of the question; undefined: it is not. */
  readonly notNested: string | undefined;
  /** Why it must walk two dimensions, with these parameters; undefined: it need not. */
  nestedOnly?(params: z.output<P>): string | undefined;
  readonly maxVcpus: number;
  /** The second copy does not execute along: it is made of the running guest when it is needed. */
  readonly whileRunning: boolean;
  /** A lost secondary can be replaced. */
  readonly renewable: boolean;
  /** Both hosts have processors of one group, with clocks that differ by no more (Hz). */
  readonly alike: { readonly clocks: number } | undefined;
  /** Undefined: it can be written down, but not be simulated yet. */
  readonly create?: (params: z.output<P>, deps: ProtectionDeps) => Protection;
}

// biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
export type AnyProtectionDefinition = ProtectionDefinition<any>;

/** As the scenario says it, under `vms[].faultTolerance`. */
export interface ProtectionChoice extends Choice {
  readonly secondary: string;
  readonly link: string;
}

export interface ProtectionRegistry {
  readonly schema: z.ZodType<ProtectionChoice>;
  readonly definitions: readonly AnyProtectionDefinition[];
  of(kind: string): AnyProtectionDefinition;
}

const places = {
  secondary: z.string().min(1).max(60).describe('name of the host of the second copy'),
  link: z.string().min(1).max(60).describe('name of the link between both hosts'),
};

export function protectionRegistry(
  definitions: readonly AnyProtectionDefinition[],
): ProtectionRegistry {
  const placed = definitions.map((definition) => ({
    ...definition,
    params: z.object({ ...places, ...definition.params.shape }),
  }));
  const { of, schema } = registry('protection', placed as never) as unknown as Registry<
    Protection,
    ProtectionDeps,
    never
  >;
  return { of, schema: schema as unknown as z.ZodType<ProtectionChoice>, definitions };
}

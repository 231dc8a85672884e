import type { Cycles } from '../base/ids.ts';
import type { Engine } from '../engine/engine.ts';
import type { GuestSoftware } from '../guest/guest.ts';
import type { Requests } from '../guest/requests.ts';
import type { VcpuLoop } from '../guest/vcpu-loop.ts';
import type { Arrival } from '../hypervisor/hypervisor.ts';
import type { Vcpu, Vm } from '../hypervisor/vm.ts';
import type { FaultToleranceRow } from '../stats/result.ts';
import type { NotedGuest } from './copy/noted-guest.ts';
import type { Host } from './host.ts';
import type { Link } from './link.ts';
import type { MigrationRecord } from './migration/rows.ts';

/** A VM with the software in it, which goes with it wherever it moves. */
export interface Resident {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  readonly guest: GuestSoftware;
  /** What runs on its vCPU. */
  readonly kernel: VcpuLoop;
  readonly requests: Requests | null;
  /** Largest pages that back its memory, in bytes. */
  readonly pageBytes: number;
  /** What it was told since it booted; null: nobody will want a copy of it. */
  readonly noted: NotedGuest | null;
  /**
   * Makes what it needs of a host to run there: its paging, and the ports of its vCPU. `as`:
   * another
   * view of the VM, whose memory it has there.
   */
  arriveAt(host: Pick<Host, 'hypervisor'>, as?: Vm): Pick<Arrival, 'mmu' | 'nested' | 'wire'>;
}

/** Where a new secondary is to be; what is undefined is as its protection says. */
export interface RenewedPlace {
  /** Name of the host, and of the link to there. */
  readonly secondary?: string | undefined;
  readonly link?: string | undefined;
}

/** A side of a protected pair is in another state from now on; '': there is none on that host. */
export interface SideNote {
  readonly cycle: Cycles;
  readonly host: string;
  readonly state: string;
}

/** A VM with its second copy, while the simulation runs. */
export interface Protection {
  readonly vm: Vm;
  /** Rows of results so far. */
  readonly rows: readonly FaultToleranceRow[];
  /** What its sides were when; undefined: it keeps no notes. */
  readonly sides?: readonly SideNote[];
  /** From the start of the run on. */
  protect(now: Cycles): void;
  /** It has a secondary, or one is being made. */
  readonly guarded: boolean;
  /** Lost secondaries may be replaced in this run, which shows among its migrations. */
  readonly renewable: boolean;
  /** Replaces a lost secondary, or notes among the migrations why not. */
  renew?(place: RenewedPlace, now: Cycles): void;
  /** Ends the primary, so that the secondary takes over. */
  failover(now: Cycles): void;
  /** A host has lost its power. */
  hostLost(host: string, now: Cycles): void;
}

/** All hosts of a simulation, what connects them, and the VMs on them. */
export interface Cluster {
  readonly engine: Engine;
  /** Cycles of the engine in a microsecond. */
  readonly mhz: number;
  readonly hosts: readonly Host[];
  readonly links: readonly Link[];
  /** By number of the VM. */
  readonly members: readonly Resident[];
  /** Name of the hypervisor profile. */
  readonly profile: string;
  /** All migrations so far, in the order of their beginning. */
  readonly migrations: Migration[];
  readonly protections: readonly Protection[];
}

/** A migration, over or under way. */
export interface Migration {
  readonly record: MigrationRecord;
  /** A host has lost power. */
  hostFailed(host: Host, now: Cycles): void;
}

/** What a scenario names, a simulation has. */
function named<T>(things: readonly T[], name: string, nameOf: (thing: T) => string): T {
  const found = things.find((thing) => nameOf(thing) === name);
  if (!found) throw new Error(`there is no ${name} in this simulation`);
  return found;
}

export const hostNamed = ({ hosts }: Pick<Cluster, 'hosts'>, name: string): Host =>
  named(hosts, name, (host) => host.name);
export const linkNamed = ({ links }: Pick<Cluster, 'links'>, name: string): Link =>
  named(links, name, (link) => link.name);
export const memberNamed = ({ members }: Cluster, name: string): Resident =>
  named(members, name, ({ vm }) => vm.name);

/** Something that happens to a cluster at a given time. */
export type Happening = (cluster: Cluster, now: Cycles) => void;

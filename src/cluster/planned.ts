import type { Processor } from '../machine/processor.ts';

/**
 * What can be known of a cluster before it runs: where each VM is, who is protected by whom, and
 * what has failed, event after event. Checks of events read it and say what the event changes. What
 * depends on the run itself (whether a migration finishes, who wins after a cut) is taken to end
 * well, unless something has come in between: then it is not known.
 */
export interface PlannedHost {
  readonly name: string;
  readonly processor: Processor;
  /** Bytes for VMs. */
  readonly room: number;
  /** When it has lost power; undefined: it has not. Picoseconds. */
  failedAt?: number;
}

export interface PlannedLink {
  readonly name: string;
  readonly between: readonly [string, string];
  up: boolean;
}

/** A second copy of a VM. */
export interface PlannedProtection {
  readonly kind: string;
  readonly secondary: string;
  readonly link: string;
}

export interface PlannedVm {
  readonly name: string;
  /** Bytes. */
  readonly memory: number;
  /** Its paging walks two dimensions. */
  readonly nested: boolean;
  /** Name of its host; undefined: gone, because that failed, or not known. */
  host: string | undefined;
  /** It depends on the run where it is. */
  unsure: boolean;
  /** Why it is gone. */
  gone?: string;
  /** How it can be protected, as the scenario says; undefined: it is not to be. */
  readonly protection: PlannedProtection | undefined;
  /** It gets a new secondary without an event, where there can be one. */
  readonly renews: boolean;
  /** Its program can be copied while it runs. */
  readonly copyable: boolean;
  /** Host of its secondary, and the link to there; undefined: it runs unprotected. */
  secondary: string | undefined;
  via: string | undefined;
  /** It is on its way since then, over that link. */
  moving?: { readonly link: string; readonly to: string };
}

/** What is wrong with a key of an event. */
export interface PlanFault {
  readonly key: string;
  readonly message: string;
  readonly suggestion?: string | undefined;
}

export class PlannedCluster {
  readonly hosts: readonly PlannedHost[];
  readonly links: readonly PlannedLink[];
  readonly vms: readonly PlannedVm[];
  /** The hypervisor's profile. */
  readonly profile: string;

  constructor(plan: Pick<PlannedCluster, 'hosts' | 'links' | 'vms' | 'profile'>) {
    this.hosts = plan.hosts;
    this.links = plan.links;
    this.vms = plan.vms;
    this.profile = plan.profile;
  }

  host(name: string): PlannedHost | undefined {
    return this.hosts.find((host) => host.name === name);
  }

  link(name: string): PlannedLink | undefined {
    return this.links.find((link) => link.name === name);
  }

  vm(name: string): PlannedVm | undefined {
    return this.vms.find((vm) => vm.name === name);
  }

  /** Bytes of the VMs on a host, secondaries included. */
  usedOn(host: string): number {
    return this.vms.reduce((sum, vm) => {
      const copies = (vm.host === host ? 1 : 0) + (vm.secondary === host ? 1 : 0);
      return sum + copies * vm.memory;
    }, 0);
  }
}

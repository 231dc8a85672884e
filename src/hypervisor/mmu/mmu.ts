import type { z } from 'zod';
import type { Cycles } from '../../base/ids.ts';
import { type Definition, registry } from '../../base/registry.ts';
import type { Core, FaultPort } from '../../machine/core.ts';
import type { HostMemory } from '../../machine/host-memory.ts';
import type { PageTables } from '../../machine/page-tables.ts';
import type { Processor } from '../../machine/processor.ts';
import type { Observer } from '../../observe/observer.ts';
import type { HypervisorCosts } from '../costs.ts';
import type { Lack, PolicyHost } from '../requirements.ts';
import type { VcpuRequests } from '../vcpu-requests.ts';
import type { Vcpu, Vm } from '../vm.ts';
import type { WorldSwitch } from '../world-switch.ts';

/**
 * How a VM's memory is virtualized. One method per event that a guest can cause; each lets its time
 * pass on the core, exits included. One instance per VM.
 */
export interface Mmu extends FaultPort {
  /** Before the VM runs for the first time: back memory, build what exists from the start. */
  start(vcpu: Vcpu): void;
  /** MOV CR3 to `root`; `same` when the guest only wants a flush. */
  onCr3Write(vcpu: Vcpu, core: Core, root: number, same: boolean): void;
  /**
   * The hardware walks for the guest's root from now on: no exit, nothing flushed (trace studies).
   */
  useRoot(vcpu: Vcpu, core: Core): void;
  onInvlpg(vcpu: Vcpu, core: Core, vpn: number): void;
  /** The guest's kernel writes a table entry: the visit that does it, and what follows from it. */
  storePte(vcpu: Vcpu, core: Core, slot: number, entry: number): void;
  /**
   * Something that this mode has asked of the vCPU (Request.Mmu), before it enters on its own core.
   */
  onRequest?(vcpu: Vcpu, core: Core): void;
  /**
   * Takes the right to store away from the page around a guest frame, larger ones than those of
   * `level` (1 = 4 KiB, 2 = 2 MiB) being split. Loads go on; the first store faults and gets the
   * right back. What TLBs hold stays as it was: whoever calls this has the vCPUs flush
   * (Request.FlushTags). Only where the hypervisor has tables of its own for guest frames.
   */
  writeProtect?(gfn: number, level: number): void;
  /**
   * Dirty log: from now on each guest frame that is stored to is noted. All frames are protected
   * from stores; the first store to one faults (ExitReason.DirtyLog), is noted, and gets the right
   * back. Stores by devices, by the emulator and by the hardware or the hypervisor to the guest's
   * tables are noted too. Large nested leaves are split when they are first stored to, as KVM and
   * Xen do it, and stay small.
   *
   * Three rules. After `startLog` and each `takeLog`, ask the vCPUs of the VM to forget what they
   * may store through (Request.FlushTags). What a frame of the log contains must be read after
   * those that were running have served that request; those that were not serve it before they
   * enter. `logCycles` is for the account of whoever called.
   */
  startLog?(): void;
  /**
   * The frames noted since the last call, in rising order, each once; returns their number. `out`
   * has room for all frames of the VM. They are noted no longer, and protected again.
   */
  takeLog?(out: Int32Array): number;
  /** Whether a frame has been noted since the log was last taken. Changes nothing. */
  isLogged?(gfn: number): boolean;
  /**
   * Ends the log. What it has protected stays so until it is next stored to, which is then a fault
   * like any other.
   */
  stopLog?(): void;
  /** Cycles of software that the last `startLog` or `takeLog` has taken. */
  readonly logCycles?: Cycles;
  /**
   * The VM has left the host: all tables are given back, and the frames of `p2m`, which has backed
   * it here. The mode must not be used afterwards.
   */
  dispose(p2m: Int32Array): void;
  /** A guest frame is about to be touched, or stored to, by a device or by set-up code. */
  populate(gfn: number): void;
  /**
   * Builds, at no cost, what a long-running process (given by its top table) would have built up:
   * for all that it maps, or for `page` alone.
   */
  warm(root: number, page?: number): void;
  /**
   * What is wrong with the tables that this mode keeps for the hardware, compared with the guest's
   * tables from `root` and the backing of its frames; undefined if nothing is. For checks: changes
   * nothing.
   */
  inspect(root: number): string | undefined;
}

/** What a VM's mode may use of the hypervisor. */
export interface MmuDeps {
  readonly vm: Vm;
  /** Exits and entries, and what handlers do between them. */
  readonly world: WorldSwitch;
  readonly processor: Processor;
  readonly costs: HypervisorCosts;
  readonly tables: PageTables;
  readonly memory: HostMemory;
  /** As whose the host's own frames (tables) count. */
  readonly hostVm: number;
  readonly upFront: boolean;
  readonly observer: Observer;
  /** Asks other vCPUs of the VM. */
  readonly requests: VcpuRequests;
  /** Calls `task` every `period` cycles from now on. */
  every(period: Cycles, task: (now: Cycles) => void): void;
}

/**
 * A paging mode says what it is; whoever builds, checks or reports a run asks this, never its name.
 */
export interface MmuDefinition<P extends z.ZodObject = z.ZodObject>
  extends Definition<Mmu, MmuDeps, P> {
  /**
   * How the hardware walks. `one`: one tree of tables, from `context.root`. `two`: the guest's
   * tables from there, each frame of which is translated by those from `context.nestedRoot`.
   */
  readonly walk: 'one' | 'two';
  /** False: there is no hypervisor, nothing exits, and nothing of it is charged. */
  readonly virtualized: boolean;
  /**
   * Bytes of the largest page that the hypervisor's own tables map with these parameters. Infinity:
   * the hardware walks the guest's tables and no others, so that only the guest decides.
   */
  largestPage(params: z.output<P>): number;
  /** What it needs of processor and hypervisor and does not find there. */
  requires?(params: z.output<P>, host: PolicyHost): readonly Lack[];
  /** Parameters that the hypervisor's profile gives where a scenario does not, by its key there. */
  readonly fromProfile?: Readonly<Record<string, 'shadowProfile'>>;
  /** The parameter that a run's summary shows beside the name. */
  readonly shows?: keyof z.output<P> & string;
  /**
   * Parameters as a scenario writes them, one set for each way in which the mode can work: the
   * conformance and equivalence tests try all of them. Left out: the defaults alone.
   */
  readonly variants?: readonly Readonly<Record<string, unknown>>[];
}
export const mmuRegistry = (definitions: readonly MmuDefinition[]) =>
  registry<Mmu, MmuDeps, MmuDefinition>('paging mode', definitions);

import type { z } from 'zod';
import { type Definition, registry } from '../../base/registry.ts';
import type { Core, FaultPort } from '../../machine/core.ts';
import type { HostMemory } from '../../machine/host-memory.ts';
import type { PageTables } from '../../machine/page-tables.ts';
import type { Processor } from '../../machine/processor.ts';
import type { Observer } from '../../observe/observer.ts';
import type { Cause, ExitReason } from '../../stats/leaves.ts';
import type { HypervisorCosts } from '../costs.ts';
import type { Vcpu, Vm } from '../vm.ts';

/**
 * How a VM's memory is virtualized. One method per event that a guest can cause; each lets its time
 * pass on the core, exits included. One instance per VM.
 */
export interface Mmu extends FaultPort {
  /** True when the hardware walks two dimensions. */
  readonly nested: boolean;
  /** Before the VM runs for the first time: back memory, build what exists from the start. */
  start(vcpu: Vcpu): void;
  /** MOV CR3 to `root`; `same` when the guest only wants a flush. */
  onCr3Write(vcpu: Vcpu, core: Core, root: number, same: boolean): void;
  /**
   * The hardware walks for the guest's root from now on: no exit, nothing flushed (trace studies).
   */
  useRoot(vcpu: Vcpu, core: Core): void;
  onInvlpg(vcpu: Vcpu, core: Core, vpn: number): void;
  /** CR4.PGE toggled: global entries go too. */
  onGlobalFlush(vcpu: Vcpu, core: Core): void;
  /**
   * The guest writes a table entry; `store` performs the visit that writes it and returns when it
   * is done.
   */
  storePte(vcpu: Vcpu, core: Core, slot: number, entry: number): void;
  /**
   * The emulator translates the guest's instruction pointer in software: four entries, read for
   * real.
   */
  readGuestPath(vcpu: Vcpu, core: Core, reason: ExitReason): void;
  /** A guest frame is about to be touched by a device or by set-up code. */
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
  readonly processor: Processor;
  readonly costs: HypervisorCosts;
  readonly tables: PageTables;
  readonly memory: HostMemory;
  /** Where the host's own frames (tables) are accounted. */
  readonly hostVm: number;
  readonly upFront: boolean;
  readonly observer: Observer;
  /** The vCPU that a core executes. */
  vcpuOn(core: Core): Vcpu;
  /** #VMEXIT: charges the exit. */
  exit(vcpu: Vcpu, core: Core, reason: ExitReason): void;
  /** Handler work of the exit being handled. */
  handle(vcpu: Vcpu, core: Core, reason: ExitReason, cycles: number): void;
  /** Reads one line of memory in a handler: charged at the level that has it. */
  readLine(vcpu: Vcpu, core: Core, reason: ExitReason, frame: number, line: number): void;
  /** Fetches and decodes the exiting instruction, unless decode assists do it. */
  decode(vcpu: Vcpu, core: Core, reason: ExitReason): void;
  /** VMRUN: picks the tag, flushes what must be flushed, charges the entry. */
  resume(vcpu: Vcpu, core: Core, reason: ExitReason): void;
  /** All translations of the vCPU are stale: a new tag at the next VMRUN. */
  loseTag(vcpu: Vcpu, cause: Cause): void;
}

export type MmuDefinition<P extends z.ZodObject = z.ZodObject> = Definition<Mmu, MmuDeps, P>;
export const mmuRegistry = (definitions: readonly MmuDefinition[]) =>
  registry<Mmu, MmuDeps>('paging mode', definitions);

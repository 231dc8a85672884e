import type { Core } from '../../machine/core.ts';
import { flushAsid, invalidatePage } from '../../machine/flush.ts';
import { Cause, Leaf } from '../../stats/leaves.ts';
import { TlbControl } from '../tags/tag-policy.ts';
import type { Vcpu } from '../vm.ts';
import { visitEntry } from './guest-tables.ts';
import type { MmuDeps } from './mmu.ts';

/** What a guest does to tables and TLBs of its own, without an exit: native and nested paging. */

/** MOV CR3 without an exit: the hardware drops the non-global entries of the current ASID. */
export function loadCr3InGuest(deps: MmuDeps, vcpu: Vcpu, core: Core, root: number): void {
  core.charge(Leaf.GuestKernel, deps.processor.instructions.movCr3);
  vcpu.context.root = root;
  core.root = root;
  flushAsid(core, core.asid, vcpu.id, true, Cause.Cr3);
  vcpu.vm.counters.tlb_flushes++;
  deps.observer.onTlbFlush(core.now, core.id, vcpu.id, Cause.Cr3, TlbControl.FlushAsidNonGlobal);
}

/** INVLPG without an exit: the page of the current ASID goes, global or not. */
export function invlpgInGuest(deps: MmuDeps, core: Core, vpn: number): void {
  core.charge(Leaf.GuestKernel, deps.processor.instructions.invlpg);
  invalidatePage(core, vpn, Cause.Invlpg);
}

/** A store to a table entry, which nobody traps. */
export function storeInGuest({ tables }: MmuDeps, core: Core, slot: number, entry: number): void {
  visitEntry(core, tables, slot);
  tables.set(slot, entry);
}

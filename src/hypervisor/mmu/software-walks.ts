import type { Core } from '../../machine/core.ts';
import { indexAt } from '../../machine/page-tables.ts';
import type { ExitReason } from '../../stats/leaves.ts';
import { DIRECT_MAP } from '../guest-port.ts';
import type { Vcpu } from '../vm.ts';
import { type SoftWalk, softWalk, walkSoftly } from './guest-tables.ts';
import type { MmuDeps } from './mmu.ts';

type Deps = Pick<MmuDeps, 'tables' | 'vm' | 'world'>;

/** First page of the kernel text the emulator fetches from: every decode walks to it. */
const KERNEL_TEXT = DIRECT_MAP + 256;

/** The hypervisor walks the guest's tables for `page`: one line read per level. */
export function readGuestTables(
  { tables, vm, world }: Deps,
  vcpu: Vcpu,
  core: Core,
  reason: ExitReason,
  page: number,
  walk: SoftWalk,
): void {
  walkSoftly(tables, vcpu.guestRoot, page, walk);
  for (let i = 0; i < walk.depth; i++) {
    const gfn = tables.frame[walk.nodes[i]!]!;
    world.readGuest(core, reason, vm, gfn, indexAt(page, 4 - i) >> 3);
  }
}

/**
 * Decode of the exiting instruction, as far as decode assists do not save it: the emulator
 * translates the guest's instruction pointer, four entries that are read for real.
 */
export function decode(deps: Deps, vcpu: Vcpu, core: Core, reason: ExitReason): void {
  if (!deps.world.decode(core, reason)) return;
  readGuestTables(deps, vcpu, core, reason, KERNEL_TEXT, softWalk());
}

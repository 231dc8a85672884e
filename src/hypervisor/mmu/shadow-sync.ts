import type { Core } from '../../machine/core.ts';
import { PTE_SHIFT, Pte, target } from '../../machine/page-tables.ts';
import type { ExitReason } from '../../stats/leaves.ts';
import type { MmuDeps } from './mmu.ts';
import { isStorable, Role, type ShadowPage, type ShadowPages } from './shadow-pages.ts';
import type { ShadowProfile } from './shadow-profiles.ts';

/** What shadows are derived from, and whose they are. */
export interface Shadows {
  readonly deps: MmuDeps;
  readonly pages: ShadowPages;
  readonly profile: ShadowProfile;
}

const PRESENT_AND_USED = Pte.Present | Pte.Accessed;
const isUsed = (entry: number) => (entry & PRESENT_AND_USED) === PRESENT_AND_USED;

/** Slot of the first entry of the guest table that a shadow page translates; 0 = it is gone. */
const guestTable = ({ deps }: Shadows, page: ShadowPage): number =>
  deps.vm.nodeOfFrame[page.gfn]! << 9;

/**
 * Brings an out-of-sync leaf shadow up to date; false if nothing was left of it and it was
 * dropped. KVM compares the entries that the shadow has, and lets new ones of the guest fault; Xen
 * compares the whole table with its snapshot, and takes them over.
 */
export function syncShadow(
  shadows: Shadows,
  core: Core,
  reason: ExitReason,
  page: ShadowPage,
): boolean {
  const { deps, pages, profile } = shadows;
  const { tables, vm, world } = deps;
  page.unsync = false;
  pages.unsync.delete(page);
  pages.writeProtect(page.gfn);
  pages.tieMirror(page);
  vm.counters.resyncs++;
  const guest = guestTable(shadows, page);
  const first = page.node << 9;
  let compared = 0;
  let kept = 0;
  let line = -1;
  for (let index = 0; index < 512; index++) {
    const held = (tables.entries[first + index]! & Pte.Present) !== 0;
    if (!held && !profile.pullIn) continue;
    compared++;
    if (index >> 3 !== line) {
      line = index >> 3;
      world.readGuest(core, reason, vm, page.gfn, line);
      world.touchTable(core, reason, tables.frame[page.node]!, line);
    }
    const entry = guest === 0 ? 0 : tables.entries[guest + index]!;
    const used = isUsed(entry);
    if (held && !(used && target(entry) === page.gfns[index])) pages.dropLeaf(page, index);
    if (!used || vm.p2m[target(entry)] === 0) continue;
    if (held && target(entry) === page.gfns[index]) {
      const flags = pages.leafFlags(entry, target(entry));
      tables.entries[first + index] = (vm.p2m[target(entry)]! << PTE_SHIFT) | flags;
    } else if (profile.pullIn) {
      pages.setLeaf(page, index, target(entry), pages.leafFlags(entry, target(entry)));
      world.perform(core, reason, 'shadowFill');
    } else continue;
    kept++;
  }
  vm.counters.resync_entries += compared;
  world.perform(core, reason, 'syncEntry', compared);
  pages.work.flush = true;
  if (kept > 0) return true;
  pages.zap(page);
  return false;
}

/**
 * A hidden fault has filled entry `index` of a leaf shadow: the profile may fill others beside it,
 * as far as the guest has used them and no bit has to be set in the guest's table first.
 * `large`: the guest's entry, where the page is a piece of what the guest maps large.
 */
export function prefetchLeaves(
  shadows: Shadows,
  core: Core,
  reason: ExitReason,
  page: ShadowPage,
  index: number,
  large: number,
): void {
  const { deps, pages, profile } = shadows;
  const { tables, vm, world } = deps;
  const { group, following } = profile.prefetch;
  if (group + following === 0) return;
  const direct = page.role !== Role.Table;
  const guest = direct ? 0 : guestTable(shadows, page);
  if (!direct && guest === 0) return;
  const first = group > 0 ? index - (index % group) : index + 1;
  const end = Math.min(512, group > 0 ? first + group : first + following);
  for (let i = first; i < end; i++) {
    if (i === index) continue;
    if ((tables.entries[(page.node << 9) | i]! & Pte.Present) !== 0) {
      // Xen takes this for the end of what has not been seen yet.
      if (following > 0) return;
      continue;
    }
    const entry = direct ? large : tables.entries[guest + i]!;
    const gfn = direct ? page.gfn + i : target(entry);
    if ((entry & Pte.Present) === 0) continue;
    const clean = (entry & Pte.Writable) !== 0 && !isStorable(entry);
    if (following > 0 && ((entry & Pte.Accessed) === 0 || clean)) return;
    if (!isUsed(entry) || gfn >= vm.memoryPages || vm.p2m[gfn] === 0) continue;
    pages.setLeaf(page, i, gfn, pages.leafFlags(entry, gfn));
    vm.counters.prefetched_entries++;
    world.perform(core, reason, 'shadowFill');
    world.noteFrame(core, reason, vm.id, gfn);
  }
}

/**
 * INVLPG has dropped entry `index` of a leaf shadow: the profile may look at the guest's entry and
 * install it again at once, which saves a hidden fault.
 */
export function refillLeaf(
  shadows: Shadows,
  core: Core,
  reason: ExitReason,
  page: ShadowPage,
  index: number,
): void {
  const { deps, pages, profile } = shadows;
  const { tables, vm, world } = deps;
  const guest = guestTable(shadows, page);
  if (!profile.refillAtInvlpg || page.role !== Role.Table || guest === 0) return;
  world.readGuest(core, reason, vm, page.gfn, index >> 3);
  const entry = tables.entries[guest + index]!;
  if (!isUsed(entry) || vm.p2m[target(entry)] === 0) return;
  pages.setLeaf(page, index, target(entry), pages.leafFlags(entry, target(entry)));
  vm.counters.prefetched_entries++;
  world.perform(core, reason, 'shadowFill');
  world.noteFrame(core, reason, vm.id, target(entry));
}

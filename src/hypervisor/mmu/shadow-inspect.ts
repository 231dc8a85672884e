import { type PageTables, Pte, target } from '../../machine/page-tables.ts';
import type { Vm } from '../vm.ts';
import { isStorable, Role, type ShadowPage, type ShadowPages } from './shadow-pages.ts';

const present = (entry: number) => (entry & Pte.Present) !== 0;

/**
 * Compares what the hardware can walk from the shadow of the guest table `guestRoot` with the
 * guest's tables and its backing. Out-of-sync leaves may lag the guest's entries, but not the
 * backing. Undefined = all right.
 */
export function inspectShadows(
  tables: PageTables,
  vm: Vm,
  pages: ShadowPages,
  guestRoot: number,
): string | undefined {
  const { entries, frame } = tables;

  /** `large`: the large entry of the guest that a piece of memory belongs to. */
  const leaf = (page: ShadowPage, guestNode: number, large: number): string | undefined => {
    for (let i = 0; i < 512; i++) {
      const entry = entries[(page.node << 9) | i]!;
      if (!present(entry)) continue;
      const gfn = page.gfns[i]!;
      const where = `entry ${i} of the shadow of frame ${page.gfn}`;
      if (target(entry) !== vm.p2m[gfn]) {
        return `${where} maps frame ${gfn} to ${target(entry)}, it is ${vm.p2m[gfn]}`;
      }
      if (page.unsync) continue;
      const direct = page.role !== Role.Table;
      const guest = direct ? large : entries[(guestNode << 9) | i]!;
      const expected = direct ? page.gfn + i : target(guest);
      if (!present(guest) || expected !== gfn) {
        return `${where} maps frame ${gfn}, the guest ${present(guest) ? expected : 'none'}`;
      }
      if ((entry & Pte.Writable) !== 0 && !isStorable(guest)) {
        return `${where} is writable, the guest's entry is ${guest & 127}`;
      }
    }
    return undefined;
  };

  /**
   * Tables, or (`large` given) a piece of memory of more than 2 MiB that the guest maps by one
   * entry.
   */
  const upper = (page: ShadowPage, guestNode: number, large: number): string | undefined => {
    for (let i = 0; i < 512; i++) {
      const entry = entries[(page.node << 9) | i]!;
      if (!present(entry)) continue;
      const child = pages.at(target(entry));
      const guest = large !== 0 ? large : entries[(guestNode << 9) | i]!;
      const where = `entry ${i} of the level-${page.level} shadow of frame ${page.gfn}`;
      if (!child) return `${where} points to a shadow page that is gone`;
      if (!present(guest)) return `${where} is present, the guest's is not`;
      const direct = (guest & Pte.Large) !== 0;
      const piece = large !== 0 ? page.gfn + i * 512 ** (page.level - 1) : target(guest);
      const gfn = direct ? piece : frame[target(guest)]!;
      if (
        child.gfn !== gfn ||
        (child.role !== Role.Table) !== direct ||
        child.level !== page.level - 1
      ) {
        return `${where} points to the shadow of frame ${child.gfn}, the guest's to ${gfn}`;
      }
      const wrong =
        child.level === 1
          ? leaf(child, direct ? 0 : target(guest), guest)
          : upper(child, direct ? 0 : target(guest), direct ? guest : 0);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

  const root = pages.get(frame[guestRoot]!, 4, Role.Table);
  return root ? upper(root, guestRoot, 0) : undefined;
}

import { indexAt, type PageTables, Pte, target } from '../../machine/page-tables.ts';
import { isStorable, Role, type ShadowPage, type ShadowPages } from './shadow-pages.ts';

/** Top-level entries of user space; the kernel's direct map is left to be filled on use. */
const USER_TOPS = 15;

/**
 * Builds the shadows that a long-running process would have, at no cost: of everything that its
 * tables map in user space, as long as shadow pages are left (`room`). What the guest maps large is
 * shadowed in pieces of 4 KiB, which faults would fill one by one. Nothing runs yet.
 */
export function warmShadows(
  pages: ShadowPages,
  tables: PageTables,
  root: number,
  options: {
    /** Shadow pages that may exist in the end. */
    readonly room: number;
    /** Host frame behind each guest frame; 0 = none. */
    readonly p2m: Int32Array;
    /** Build only what translates this page. */
    readonly page?: number | undefined;
  },
): void {
  const { room, p2m, page } = options;
  const shadowOf = (gfn: number, level: number, role: Role): ShadowPage | undefined => {
    const known = pages.get(gfn, level, role);
    if (known || pages.active.size >= room) return known;
    return pages.build(gfn, level, role);
  };
  const install = (shadow: ShadowPage, index: number, entry: number, gfn: number): void => {
    if (p2m[gfn] !== 0) pages.setLeaf(shadow, index, gfn, pages.leafFlags(entry, gfn));
  };
  /** Fills the shadow of the piece of memory from `first` on that the large entry `entry` maps. */
  const fill = (shadow: ShadowPage, level: number, first: number, entry: number): boolean => {
    for (let index = 0; index < 512; index++) {
      const gfn = first + index * 512 ** (level - 1);
      if (level === 1) install(shadow, index, entry, gfn);
      else if (!piece(shadow, index, level - 1, gfn, entry)) return false;
    }
    return true;
  };
  /**
   * Links and fills the child of an upper shadow entry that the guest maps large; false = no room.
   */
  const piece = (
    parent: ShadowPage,
    index: number,
    level: number,
    gfn: number,
    entry: number,
  ): boolean => {
    const child = shadowOf(gfn, level, isStorable(entry) ? Role.DirectWrite : Role.DirectRead);
    if (!child) return false;
    pages.link((parent.node << 9) | index, child);
    return fill(child, level, gfn, entry);
  };
  const visit = (node: number, shadow: ShadowPage, level: number): void => {
    const first = page === undefined ? 0 : indexAt(page, level);
    const last = page === undefined ? (level === 4 ? USER_TOPS : 512) : first + 1;
    for (let index = first; index < last; index++) {
      const entry = tables.entries[(node << 9) | index]!;
      if ((entry & Pte.Present) === 0) continue;
      const to = target(entry);
      if (level === 1) install(shadow, index, entry, to);
      else if ((entry & Pte.Large) !== 0) {
        if (!piece(shadow, index, level - 1, to, entry)) return;
      } else {
        const child = shadowOf(tables.frame[to]!, level - 1, Role.Table);
        if (!child) return;
        pages.link((shadow.node << 9) | index, child);
        visit(to, child, level - 1);
      }
    }
  };
  const top = shadowOf(tables.frame[root]!, 4, Role.Table);
  if (top) visit(root, top, 4);
  pages.resetWork();
}

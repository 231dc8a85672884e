import { type PageTables, Pte, target } from '../../machine/page-tables.ts';
import { Role, type ShadowPage, type ShadowPages } from './shadow-pages.ts';

/** Top-level entries of user space; the kernel's direct map is left to be filled on use. */
const USER_TOPS = 15;

/**
 * Builds the shadows that a process which has been running for long would have: of everything its tables
 * map in user space, at no cost, as long as shadow pages are left (`room`). Nothing runs yet.
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
  },
): void {
  const { room, p2m } = options;
  const shadowOf = (node: number, level: number): ShadowPage | undefined => {
    const gfn = tables.frame[node]!;
    const known = pages.get(gfn, level, Role.Table);
    if (known || pages.active.size >= room) return known;
    return pages.build(gfn, level, Role.Table);
  };
  const visit = (node: number, shadow: ShadowPage, level: number): void => {
    const last = level === 4 ? USER_TOPS : 512;
    for (let index = 0; index < last; index++) {
      const entry = tables.entries[(node << 9) | index]!;
      if ((entry & Pte.Present) === 0 || (entry & Pte.Large) !== 0) continue;
      if (level === 1) {
        const gfn = target(entry);
        if (p2m[gfn] !== 0) pages.setLeaf(shadow, index, gfn, pages.leafFlags(entry, gfn));
        continue;
      }
      const child = shadowOf(target(entry), level - 1);
      if (!child) return;
      pages.link((shadow.node << 9) | index, child);
      visit(target(entry), child, level - 1);
    }
  };
  const top = shadowOf(root, 4);
  if (top) visit(root, top, 4);
  pages.resetWork();
}

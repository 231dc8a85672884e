import { ModelError } from '../../base/errors.ts';
import type { Core } from '../../machine/core.ts';
import { Visit } from '../../machine/items.ts';
import { indexAt, type PageTables, Pte, target } from '../../machine/page-tables.ts';
import { visitKernel } from '../../machine/run.ts';
import { DIRECT_MAP } from '../guest-port.ts';

/** Instructions of the kernel's set_pte with its bookkeeping. assumed (5-20) */
const SET_PTE_INSTRUCTIONS = 8;

/**
 * The kernel's store to the table entry `slot`, through its direct map of the table's frame. Under
 * shadow paging the visit may be trapped and emulated. Returns after the store has been performed.
 */
export function visitEntry(core: Core, tables: PageTables, slot: number): void {
  const vpn = DIRECT_MAP + tables.frame[slot >> 9]!;
  const line = (slot & 511) >> 3;
  if (!visitKernel(core, vpn, Visit.Store, SET_PTE_INSTRUCTIONS, line, 1)) {
    throw new ModelError(`guest kernel faulted on its direct map at page ${vpn.toString(16)}`);
  }
}

/**
 * A software walk of a table tree. `level` 0 = not mapped; else the level of the leaf and its
 * entry.
 */
export interface SoftWalk {
  level: number;
  entry: number;
  slot: number;
  /** Nodes visited from the top: `nodes[0]` is the root; `depth` of them. */
  readonly nodes: number[];
  depth: number;
}

export const softWalk = (): SoftWalk => ({
  level: 0,
  entry: 0,
  slot: 0,
  nodes: [0, 0, 0, 0],
  depth: 0,
});

/** Walks `root` for `page` in software, without touching caches or A/D bits. */
export function walkSoftly(
  tables: PageTables,
  root: number,
  page: number,
  out: SoftWalk,
): SoftWalk {
  let node = root;
  out.depth = 0;
  for (let level = 4; ; level--) {
    out.nodes[out.depth++] = node;
    const slot = (node << 9) | indexAt(page, level);
    const entry = tables.entries[slot]!;
    out.slot = slot;
    out.entry = entry;
    if ((entry & Pte.Present) === 0) {
      out.level = 0;
      return out;
    }
    if (level === 1 || (entry & Pte.Large) !== 0) {
      out.level = level;
      return out;
    }
    node = target(entry);
  }
}

/** Frame of the 4 KiB page that a completed soft walk found. */
export function frameOf(walk: SoftWalk, page: number): number {
  return target(walk.entry) + (page & ((1 << (9 * (walk.level - 1))) - 1));
}

import type { Core } from './core.ts';
import {
  KEY as KEY_,
  TAG as TAG_,
  USED as USED_,
  WAY_ENTRY,
  WAY_HELD,
  WAY_REGION as WAY_REGION_,
  WAY_ROOT as WAY_ROOT_,
  WAY_SLOT,
  WAYS,
} from './entries.ts';
import { find } from './hash.ts';
import { PTE_SHIFT as PTE_SHIFT_ } from './page-tables.ts';

/**
 * HOT. Nothing of the machine: a short cut of the simulator. Most walks go the way of an earlier one through the three upper
 * tables, and find all three entries in the page-walk cache. A core remembers such ways by region of 2 MiB, and
 * walks them again in one step, with the same effect, if a look at each entry shows that it would.
 */
// Imported constants are bound to module-level ones: the compiler folds those, but loads an imported
// binding at each use (docs/decisions/0003).
const KEY = KEY_;
const TAG = TAG_;
const USED = USED_;
const WAY_REGION = WAY_REGION_;
const WAY_ROOT = WAY_ROOT_;
const [SLOT3, SLOT2, SLOT1] = WAY_SLOT;
const [ENTRY3, ENTRY2, ENTRY1] = WAY_ENTRY;
const [HELD3, HELD2, HELD1] = WAY_HELD;
const LAST_WAY = WAYS - 1;
const PTE_SHIFT = PTE_SHIFT_;

/**
 * The way from `root` to the last table for `page`, when the core knows one and nothing on it has changed: neither the three
 * entries, nor where the page-walk cache holds them. Otherwise 0.
 */
export const findWay = (core: Core, root: number, page: number): number => {
  const keys = KEY;
  const tags = TAG;
  const way = (core.ways + ((page >>> 9) & LAST_WAY)) | 0;
  if (WAY_REGION[way] !== page >>> 9 || WAY_ROOT[way] !== root) return 0;
  const tag = core.asid;
  const { entries } = core.tables;
  const slot3 = SLOT3[way]!;
  const slot2 = SLOT2[way]!;
  const slot1 = SLOT1[way]!;
  const held3 = HELD3[way]!;
  const held2 = HELD2[way]!;
  const held1 = HELD1[way]!;
  const changed =
    (entries[slot3]! ^ ENTRY3[way]!) |
    (entries[slot2]! ^ ENTRY2[way]!) |
    (entries[slot1]! ^ ENTRY1[way]!) |
    (keys[held3]! ^ slot3) |
    (keys[held2]! ^ slot2) |
    (keys[held1]! ^ slot1) |
    (tags[held3]! ^ tag) |
    (tags[held2]! ^ tag) |
    (tags[held1]! ^ tag);
  return changed === 0 ? way : 0;
};

/** The last table of a way. */
export const lastNode = (way: number): number => ENTRY1[way]! >>> PTE_SHIFT;

/**
 * Goes a way that `findWay` found: hits its three entries in the page-walk cache, one after the other from `now + 1` on.
 */
export const goWay = (way: number, now: number): void => {
  const uses = USED;
  uses[HELD3[way]!] = now + 1;
  uses[HELD2[way]!] = now + 2;
  uses[HELD1[way]!] = now + 3;
};

/** Remembers the way from `root` to `page`, all of whose three upper entries the page-walk cache has just given. */
export const rememberWay = (core: Core, root: number, page: number): void => {
  const way = core.ways + ((page >>> 9) & LAST_WAY);
  WAY_REGION[way] = page >>> 9;
  WAY_ROOT[way] = root;
  let node = root;
  for (let i = 0; i < 3; i++) {
    const slot = (node << 9) | ((page >>> (27 - 9 * i)) & 511);
    const entry = core.tables.entries[slot]!;
    WAY_SLOT[i]![way] = slot;
    WAY_ENTRY[i]![way] = entry;
    WAY_HELD[i]![way] = find(core.pwcHeads, core.pwcShift, slot, core.asid);
    node = entry >>> PTE_SHIFT;
  }
};

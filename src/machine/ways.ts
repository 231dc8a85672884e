import type { Core } from './core.ts';
import {
  FRAME as FRAME_,
  KEY as KEY_,
  TAG as TAG_,
  USED as USED_,
  WAY_CACHES as WAY_CACHES_,
  WAY_ENTRY,
  WAY_FRAME as WAY_FRAME_,
  WAY_HELD,
  WAY_NODE as WAY_NODE_,
  WAY_REGION as WAY_REGION_,
  WAY_ROOT as WAY_ROOT_,
  WAY_SLOT,
  WAY_TABLES as WAY_TABLES_,
  WAY_TAG as WAY_TAG_,
  WAY_UNDER,
  WAYS,
} from './entries.ts';
import { find } from './hash.ts';
import { PTE_SHIFT } from './page-tables.ts';

/**
 * HOT. A shortcut of the simulator, not a part of the machine. Most walks follow the path of an
 * earlier walk through the three upper tables, and find all three entries in the page-walk cache
 * (and, where these are guest tables under nested ones, the frames of all four tables in the nested
 * TLB). A core remembers such paths by 2 MiB region and repeats them in one step, with the same
 * effect, as long as neither the tables nor the walk caches have changed. Every change increments a
 * version; a check of each entry then shows whether the path still holds. Imported constants are
 * bound to module-level ones: the compiler folds those, but loads an imported binding at each use
 * (docs/decisions/0003).
 */
// Imported constants are bound to module-level ones: the compiler folds those, but loads an
// imported binding at each use (docs/decisions/0003).
const FRAME = FRAME_;
const KEY = KEY_;
const TAG = TAG_;
const USED = USED_;
const WAY_CACHES = WAY_CACHES_;
const WAY_FRAME = WAY_FRAME_;
const WAY_NODE = WAY_NODE_;
const WAY_REGION = WAY_REGION_;
const WAY_ROOT = WAY_ROOT_;
const WAY_TABLES = WAY_TABLES_;
const WAY_TAG = WAY_TAG_;
const [SLOT3, SLOT2, SLOT1] = WAY_SLOT;
const [ENTRY3, ENTRY2, ENTRY1] = WAY_ENTRY;
const [HELD3, HELD2, HELD1] = WAY_HELD;
const [UNDER3, UNDER2, UNDER1, UNDER0] = WAY_UNDER;
const LAST_WAY = WAYS - 1;

/**
 * The path from `root` to the last table for `page`, when the core knows one among its `ways` and
 * nothing on it has changed: neither the entries, nor where the walk caches hold them. Otherwise 0.
 */
export const findWay = (core: Core, ways: number, root: number, page: number): number => {
  const { walker } = core;
  const regions = WAY_REGION;
  const roots = WAY_ROOT;
  const tags = WAY_TAG;
  const tables = WAY_TABLES;
  const caches = WAY_CACHES;
  const way = (ways + ((page >>> 9) & LAST_WAY)) | 0;
  if (((regions[way]! ^ (page >>> 9)) | (roots[way]! ^ root) | (tags[way]! ^ core.asid)) !== 0) {
    return 0;
  }
  const changed = (tables[way]! ^ core.tables.version) | (caches[way]! ^ walker.version);
  return changed === 0 || isSame(core, way) ? way : 0;
};

/**
 * Whether each entry of a path is what it was and where it was. If so, that is noted for the
 * present versions.
 */
const isSame = (core: Core, way: number): boolean => {
  const { walker } = core;
  const keys = KEY;
  const tagsOf = TAG;
  const { tables, asid } = core;
  const { entries } = tables;
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
    (tagsOf[held3]! ^ asid) |
    (tagsOf[held2]! ^ asid) |
    (tagsOf[held1]! ^ asid);
  if (changed !== 0) return false;
  if (UNDER0[way] !== 0 && !isSameUnder(core, way)) return false;
  WAY_TABLES[way] = tables.version;
  WAY_CACHES[way] = walker.version;
  return true;
};

/** Whether the nested TLB still has the frames of the four tables. */
const isSameUnder = (core: Core, way: number): boolean => {
  const keys = KEY;
  const tagsOf = TAG;
  const { tables, asid } = core;
  const { frame } = tables;
  const under3 = UNDER3[way]!;
  const under2 = UNDER2[way]!;
  const under1 = UNDER1[way]!;
  const under0 = UNDER0[way]!;
  const changed =
    (keys[under3]! ^ frame[SLOT3[way]! >> 9]!) |
    (keys[under2]! ^ frame[SLOT2[way]! >> 9]!) |
    (keys[under1]! ^ frame[SLOT1[way]! >> 9]!) |
    (keys[under0]! ^ frame[WAY_NODE[way]!]!) |
    (tagsOf[under3]! ^ asid) |
    (tagsOf[under2]! ^ asid) |
    (tagsOf[under1]! ^ asid) |
    (tagsOf[under0]! ^ asid);
  return changed === 0 && FRAME[under0] === WAY_FRAME[way];
};

/**
 * Follows a path that `findWay` found: hits its three entries in the page-walk cache, one after the
 * other, from `now + 1` on.
 */
export const goWay = (way: number, now: number): void => {
  const uses = USED;
  uses[HELD3[way]!] = now + 1;
  uses[HELD2[way]!] = now + 2;
  uses[HELD1[way]!] = now + 3;
};

/** The same where each table is looked up in the nested TLB before its entry is: seven hits. */
export const goWayUnder = (way: number, now: number): void => {
  const uses = USED;
  uses[UNDER3[way]!] = now + 1;
  uses[HELD3[way]!] = now + 2;
  uses[UNDER2[way]!] = now + 3;
  uses[HELD2[way]!] = now + 4;
  uses[UNDER1[way]!] = now + 5;
  uses[HELD1[way]!] = now + 6;
  uses[UNDER0[way]!] = now + 7;
};

/**
 * Remembers the path from `root` to `page`. The page-walk cache must just have supplied all three
 * upper entries and, if `under`, the nested TLB all four frames.
 */
export const rememberWay = (
  core: Core,
  ways: number,
  root: number,
  page: number,
  under: boolean,
): void => {
  const { walker } = core;
  const way = ways + ((page >>> 9) & LAST_WAY);
  const { tables, asid } = core;
  const held = (node: number) =>
    under ? find(walker.ntlbHeads, walker.ntlbShift, tables.frame[node]!, asid) : 0;
  WAY_REGION[way] = page >>> 9;
  WAY_ROOT[way] = root;
  WAY_TAG[way] = asid;
  WAY_TABLES[way] = tables.version;
  WAY_CACHES[way] = walker.version;
  let node = root;
  for (let i = 0; i < 3; i++) {
    const slot = (node << 9) | ((page >>> (27 - 9 * i)) & 511);
    const entry = tables.entries[slot]!;
    WAY_SLOT[i]![way] = slot;
    WAY_ENTRY[i]![way] = entry;
    WAY_HELD[i]![way] = find(walker.pwcHeads, walker.pwcShift, slot, asid);
    WAY_UNDER[i]![way] = held(node);
    node = entry >>> PTE_SHIFT;
  }
  const last = held(node);
  UNDER0[way] = last;
  WAY_NODE[way] = node;
  WAY_FRAME[way] = last === 0 ? tables.frame[node]! : FRAME[last]!;
};

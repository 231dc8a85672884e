import type { Core } from './core.ts';
import {
  FRAME,
  KEY,
  MEMO_CACHES,
  MEMO_ENTRY,
  MEMO_FRAME,
  MEMO_HELD,
  MEMO_NODE,
  MEMO_REGION,
  MEMO_ROOT,
  MEMO_SLOT,
  MEMO_TABLES,
  MEMO_TAG,
  MEMO_UNDER,
  MEMOS,
  TAG,
  USED,
} from './entries.ts';
import { find } from './hash.ts';
import { PTE_SHIFT } from './page-tables.ts';

/**
 * HOT. A shortcut of the simulator, not a part of the machine. Most walks follow the path of an
 * earlier walk through the three upper tables, and find all three entries in the page-walk cache
 * (and, where these are guest tables under nested ones, the frames of all four tables in the nested
 * TLB). A memo is such a path, by 2 MiB region; a core repeats it in one step, with the same
 * effect, as long as neither the tables nor the walk caches have changed. Every change increments a
 * version; a check of each entry then shows whether the memo still holds.
 */
const [SLOT3, SLOT2, SLOT1] = MEMO_SLOT;
const [ENTRY3, ENTRY2, ENTRY1] = MEMO_ENTRY;
const [HELD3, HELD2, HELD1] = MEMO_HELD;
const [UNDER3, UNDER2, UNDER1, UNDER0] = MEMO_UNDER;
const LAST_MEMO = MEMOS - 1;

/**
 * The path from `root` to the last table for `page`, when the core knows one among its `memos` and
 * nothing on it has changed: neither the entries, nor where the walk caches hold them. Otherwise 0.
 */
export const findMemo = (core: Core, memos: number, root: number, page: number): number => {
  const { walker } = core;
  const regions = MEMO_REGION;
  const roots = MEMO_ROOT;
  const tags = MEMO_TAG;
  const tables = MEMO_TABLES;
  const caches = MEMO_CACHES;
  const memo = (memos + ((page >>> 9) & LAST_MEMO)) | 0;
  if (((regions[memo]! ^ (page >>> 9)) | (roots[memo]! ^ root) | (tags[memo]! ^ core.asid)) !== 0) {
    return 0;
  }
  const changed = (tables[memo]! ^ core.tables.version) | (caches[memo]! ^ walker.version);
  return changed === 0 || isSame(core, memo) ? memo : 0;
};

/**
 * Whether each entry of a path is what it was and where it was. If so, that is noted for the
 * present versions.
 */
const isSame = (core: Core, memo: number): boolean => {
  const { walker } = core;
  const keys = KEY;
  const tagsOf = TAG;
  const { tables, asid } = core;
  const { entries } = tables;
  const slot3 = SLOT3[memo]!;
  const slot2 = SLOT2[memo]!;
  const slot1 = SLOT1[memo]!;
  const held3 = HELD3[memo]!;
  const held2 = HELD2[memo]!;
  const held1 = HELD1[memo]!;
  const changed =
    (entries[slot3]! ^ ENTRY3[memo]!) |
    (entries[slot2]! ^ ENTRY2[memo]!) |
    (entries[slot1]! ^ ENTRY1[memo]!) |
    (keys[held3]! ^ slot3) |
    (keys[held2]! ^ slot2) |
    (keys[held1]! ^ slot1) |
    (tagsOf[held3]! ^ asid) |
    (tagsOf[held2]! ^ asid) |
    (tagsOf[held1]! ^ asid);
  if (changed !== 0) return false;
  if (UNDER0[memo] !== 0 && !isSameUnder(core, memo)) return false;
  MEMO_TABLES[memo] = tables.version;
  MEMO_CACHES[memo] = walker.version;
  return true;
};

/** Whether the nested TLB still has the frames of the four tables. */
const isSameUnder = (core: Core, memo: number): boolean => {
  const keys = KEY;
  const tagsOf = TAG;
  const { tables, asid } = core;
  const { frame } = tables;
  const under3 = UNDER3[memo]!;
  const under2 = UNDER2[memo]!;
  const under1 = UNDER1[memo]!;
  const under0 = UNDER0[memo]!;
  const changed =
    (keys[under3]! ^ frame[SLOT3[memo]! >> 9]!) |
    (keys[under2]! ^ frame[SLOT2[memo]! >> 9]!) |
    (keys[under1]! ^ frame[SLOT1[memo]! >> 9]!) |
    (keys[under0]! ^ frame[MEMO_NODE[memo]!]!) |
    (tagsOf[under3]! ^ asid) |
    (tagsOf[under2]! ^ asid) |
    (tagsOf[under1]! ^ asid) |
    (tagsOf[under0]! ^ asid);
  return changed === 0 && FRAME[under0] === MEMO_FRAME[memo];
};

/**
 * Follows a path that `findMemo` found: hits its three entries in the page-walk cache, one after
 * the other, from `now + 1` on.
 */
export const replayMemo = (memo: number, now: number): void => {
  const uses = USED;
  uses[HELD3[memo]!] = now + 1;
  uses[HELD2[memo]!] = now + 2;
  uses[HELD1[memo]!] = now + 3;
};

/** The same where each table is looked up in the nested TLB before its entry is: seven hits. */
export const replayMemo2d = (memo: number, now: number): void => {
  const uses = USED;
  uses[UNDER3[memo]!] = now + 1;
  uses[HELD3[memo]!] = now + 2;
  uses[UNDER2[memo]!] = now + 3;
  uses[HELD2[memo]!] = now + 4;
  uses[UNDER1[memo]!] = now + 5;
  uses[HELD1[memo]!] = now + 6;
  uses[UNDER0[memo]!] = now + 7;
};

/**
 * Remembers the path from `root` to `page`. The page-walk cache must just have supplied all three
 * upper entries and, if `under`, the nested TLB all four frames.
 */
export const rememberWalk = (
  core: Core,
  memos: number,
  root: number,
  page: number,
  under: boolean,
): void => {
  const { walker } = core;
  const memo = memos + ((page >>> 9) & LAST_MEMO);
  const { tables, asid } = core;
  const held = (node: number) =>
    under ? find(walker.ntlbHeads, walker.ntlbShift, tables.frame[node]!, asid) : 0;
  MEMO_REGION[memo] = page >>> 9;
  MEMO_ROOT[memo] = root;
  MEMO_TAG[memo] = asid;
  MEMO_TABLES[memo] = tables.version;
  MEMO_CACHES[memo] = walker.version;
  let node = root;
  for (let i = 0; i < 3; i++) {
    const slot = (node << 9) | ((page >>> (27 - 9 * i)) & 511);
    const entry = tables.entries[slot]!;
    MEMO_SLOT[i]![memo] = slot;
    MEMO_ENTRY[i]![memo] = entry;
    MEMO_HELD[i]![memo] = find(walker.pwcHeads, walker.pwcShift, slot, asid);
    MEMO_UNDER[i]![memo] = held(node);
    node = entry >>> PTE_SHIFT;
  }
  const last = held(node);
  UNDER0[memo] = last;
  MEMO_NODE[memo] = node;
  MEMO_FRAME[memo] = last === 0 ? tables.frame[node]! : FRAME[last]!;
};

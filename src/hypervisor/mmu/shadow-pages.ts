import { type PageTables, PTE_SHIFT, Pte, target } from '../../machine/page-tables.ts';
import type { Vm } from '../vm.ts';
import type { DirtyLog } from './dirty-log.ts';

/**
 * What a shadow page translates: one guest table page, or a piece of guest memory that the guest
 * maps large and the hypervisor does not. The latter come with and without the right to store,
 * because two large entries for one piece may differ in it (part of KVM's shadow page role).
 */
export const Role = { Table: 0, DirectRead: 1, DirectWrite: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** A shadow page: the hypervisor's translation of one guest table page or piece of guest memory. */
export interface ShadowPage {
  readonly gfn: number;
  readonly level: number;
  readonly role: Role;
  /** The table the hardware walks. */
  readonly node: number;
  /** Guest frame that each present leaf entry maps. */
  readonly gfns: Int32Array;
  /** Slots of parent shadow tables that point here. */
  readonly parents: Set<number>;
  /** May lag behind its guest table until the next flush point (KVM: out of sync). */
  unsync: boolean;
  /** Consecutive emulated writes that cleared a present entry: the sign of a process that exits. */
  cleared: number;
}

/** The guest's entry allows stores, and one has set its D bit. */
export const isStorable = (entry: number) =>
  (entry & (Pte.Writable | Pte.Dirty)) === (Pte.Writable | Pte.Dirty);

const keyOf = (gfn: number, level: number, role: Role) => gfn * 32 + level * 4 + role;

/** What a change cost, in entries; the caller charges for it. */
export interface ShadowWork {
  rmap: number;
  zapped: number;
  /** A mapping that may be cached was removed or restricted: translations are stale. */
  flush: boolean;
}

/** The set of shadow pages of one VM, their reverse mappings and parent links. */
export class ShadowPages {
  readonly #tables: PageTables;
  readonly #vm: Vm;
  readonly #takeFrame: () => number;
  readonly #giveFrame: (frame: number) => void;
  /** In order of creation: the oldest is recycled first. */
  readonly active = new Set<ShadowPage>();
  readonly unsync = new Set<ShadowPage>();
  readonly #byKey = new Map<number, ShadowPage>();
  readonly #byNode = new Map<number, ShadowPage>();
  /** Shadow pages of each guest frame that is (or was) a table. */
  readonly #ofTable = new Map<number, ShadowPage[]>();
  /** Leaf slots that map each guest frame. */
  readonly #rmap: (number[] | undefined)[];
  readonly work: ShadowWork = { rmap: 0, zapped: 0, flush: false };
  /** While it is on, frames that it has not noted are kept from stores. */
  log: DirtyLog | null = null;

  constructor(
    tables: PageTables,
    vm: Vm,
    takeFrame: () => number,
    giveFrame: (frame: number) => void,
  ) {
    this.#tables = tables;
    this.#vm = vm;
    this.#takeFrame = takeFrame;
    this.#giveFrame = giveFrame;
    this.#rmap = new Array<number[] | undefined>(vm.memoryPages);
  }

  resetWork(): ShadowWork {
    const { work } = this;
    work.rmap = 0;
    work.zapped = 0;
    work.flush = false;
    return work;
  }

  get(gfn: number, level: number, role: Role): ShadowPage | undefined {
    return this.#byKey.get(keyOf(gfn, level, role));
  }

  at(node: number): ShadowPage | undefined {
    return this.#byNode.get(node);
  }

  /** Shadow pages that translate the table in `gfn`; empty if it is not shadowed as a table. */
  ofTable(gfn: number): readonly ShadowPage[] {
    return this.#ofTable.get(gfn) ?? [];
  }

  isTable(gfn: number): boolean {
    return this.#ofTable.has(gfn);
  }

  /** True if stores to this table page go through: every shadow of it is an out-of-sync leaf. */
  isWritableTable(gfn: number): boolean {
    return this.ofTable(gfn).every((page) => page.unsync);
  }

  /**
   * Rights of a leaf: writable only once the guest's entry is dirty and the frame is no synced
   * table. Its own D bit tells the hypervisor nothing then, so it is set from the start (KVM:
   * shadow_dirty_mask; Xen passes the guest's on).
   */
  leafFlags(guestEntry: number, gfn: number): number {
    const flags = Pte.Present | Pte.Accessed | (guestEntry & Pte.Global);
    const writable = isStorable(guestEntry) && (!this.isTable(gfn) || this.isWritableTable(gfn));
    if (this.log?.has(gfn) === false) return flags;
    return writable ? flags | Pte.Writable | Pte.Dirty : flags;
  }

  /** A new, empty shadow page. Its guest table becomes read-only everywhere. */
  build(gfn: number, level: number, role: Role): ShadowPage {
    const node = this.#tables.alloc(this.#takeFrame());
    const page: ShadowPage = {
      gfn,
      level,
      role,
      node,
      gfns: new Int32Array(level === 1 ? 512 : 0),
      parents: new Set(),
      unsync: false,
      cleared: 0,
    };
    this.#byKey.set(keyOf(gfn, level, role), page);
    this.#byNode.set(node, page);
    this.active.add(page);
    if (role === Role.Table) {
      const pages = this.#ofTable.get(gfn);
      if (pages) pages.push(page);
      else this.#ofTable.set(gfn, [page]);
      this.tieMirror(page);
      this.writeProtect(gfn);
    }
    return page;
  }

  /** The loss records of a leaf shadow now belong to the guest table that it mirrors. */
  tieMirror(page: ShadowPage): void {
    const guestNode = this.#vm.nodeOfFrame[page.gfn]!;
    if (page.level === 1 && guestNode !== 0) this.#tables.mirror[page.node] = guestNode;
  }

  /** Points an upper entry at a child. */
  link(parentSlot: number, child: ShadowPage): void {
    const old = this.#tables.entries[parentSlot]!;
    if ((old & Pte.Present) !== 0) this.unlink(parentSlot);
    const flags = Pte.Present | Pte.Writable | Pte.Accessed;
    this.#tables.set(parentSlot, (child.node << PTE_SHIFT) | flags);
    child.parents.add(parentSlot);
  }

  /** Clears an upper entry; the child stays cached. */
  unlink(slot: number): void {
    const entry = this.#tables.entries[slot]!;
    if ((entry & Pte.Present) === 0) return;
    this.#byNode.get(target(entry))?.parents.delete(slot);
    this.#tables.set(slot, 0);
    this.work.zapped++;
    this.work.flush = true;
  }

  /** Installs a leaf that maps guest frame `gfn`. */
  setLeaf(page: ShadowPage, index: number, gfn: number, flags: number): void {
    const slot = (page.node << 9) | index;
    const old = this.#tables.entries[slot]!;
    if ((old & Pte.Present) !== 0 && page.gfns[index] !== gfn) this.dropLeaf(page, index);
    const fresh = (this.#tables.entries[slot]! & Pte.Present) === 0;
    this.#tables.set(slot, (this.#vm.p2m[gfn]! << PTE_SHIFT) | flags);
    if (fresh) {
      page.gfns[index] = gfn;
      const slots = this.#rmap[gfn];
      if (slots) slots.push(slot);
      else this.#rmap[gfn] = [slot];
    }
  }

  /** Clears a leaf and its reverse mapping. */
  dropLeaf(page: ShadowPage, index: number): void {
    const slot = (page.node << 9) | index;
    if ((this.#tables.entries[slot]! & Pte.Present) === 0) return;
    const gfn = page.gfns[index]!;
    const slots = this.#rmap[gfn]!;
    const at = slots.indexOf(slot);
    slots[at] = slots[slots.length - 1]!;
    slots.pop();
    this.#tables.set(slot, 0);
    this.work.zapped++;
    this.work.flush = true;
  }

  /** Removes write access to a guest frame wherever it is mapped. */
  writeProtect(gfn: number): void {
    const slots = this.#rmap[gfn];
    if (!slots) return;
    const { entries } = this.#tables;
    for (const slot of slots) {
      this.work.rmap++;
      const entry = entries[slot]!;
      if ((entry & Pte.Writable) === 0) continue;
      entries[slot] = entry & ~Pte.Writable;
      this.work.flush = true;
    }
  }

  /** Drops a shadow page with its entries and the links to it. */
  zap(page: ShadowPage): void {
    this.#vm.counters.shadow_zaps++;
    const { entries } = this.#tables;
    const first = page.node << 9;
    for (let index = 0; index < 512; index++) {
      if ((entries[first + index]! & Pte.Present) === 0) continue;
      if (page.level === 1) this.dropLeaf(page, index);
      else this.unlink(first + index);
    }
    for (const slot of page.parents) {
      this.#tables.set(slot, 0);
      this.work.zapped++;
    }
    page.parents.clear();
    this.work.flush = true;
    this.active.delete(page);
    this.unsync.delete(page);
    this.#byKey.delete(keyOf(page.gfn, page.level, page.role));
    this.#byNode.delete(page.node);
    const pages = this.#ofTable.get(page.gfn);
    if (pages && page.role === Role.Table) {
      const at = pages.indexOf(page);
      pages.splice(at, 1);
      if (pages.length === 0) this.#ofTable.delete(page.gfn);
    }
    this.#giveFrame(this.#tables.frame[page.node]!);
    this.#tables.free(page.node);
  }

  /** Entries of all shadow pages. */
  get entries(): number {
    let count = 0;
    for (const { node } of this.active) count += this.#tables.used[node]!;
    return count;
  }

  /** True if a walk from `root` can reach `page`. */
  reaches(root: ShadowPage, page: ShadowPage): boolean {
    if (page === root) return true;
    for (const slot of page.parents) {
      const parent = this.#byNode.get(slot >> 9);
      if (parent && this.reaches(root, parent)) return true;
    }
    return false;
  }
}

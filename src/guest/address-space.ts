import { DIRECT_MAP, type GuestCpu } from '../hypervisor/guest-port.ts';
import { indexAt, PTE_SHIFT, Pte, target } from '../machine/page-tables.ts';
import { clearFrames, type GuestTables, giveTable, takeTable } from './frames.ts';
import { type Mapping, Mappings } from './mappings.ts';
import { pagesAt, ZERO_PAGE } from './memory.ts';
import { cachedFrame, cacheFrame, cacheOf, mapAround } from './page-cache.ts';
import { clearFrame, copyFrame } from './streams.ts';
import { type Change, FaultOutcome, type FaultWork } from './work.ts';
import type { Region } from './workloads/workload.ts';

const UPPER = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty;

/** A process's page tables and mappings, in guest frames. */
export class AddressSpace {
  readonly guest: GuestTables;
  readonly root: number;
  /**
   * Top table of user mode: `root` without the kernel when page tables are isolated, else `root`.
   */
  readonly userRoot: number;
  readonly mappings = new Mappings();
  /** Told of ranges whose entries change, but for single pages by faults. */
  readonly onChange: ((start: number, end: number) => void)[] = [];
  /** Processes that have it: more than one while a child borrows it (vfork). */
  users = 0;
  /** Of the last change of a range. */
  readonly change: Change = { changed: 0, first: 0, last: 0, freed: 0, scanned: 0 };
  /** Of the last fault. */
  readonly work: FaultWork = { taken: 0, found: 0, around: 0 };

  constructor(guest: GuestTables, cpu: GuestCpu | null) {
    this.guest = guest;
    this.root = takeTable(guest, cpu);
    this.userRoot = guest.isolated ? takeTable(guest, cpu) : this.root;
    const slot = (this.root << 9) | 15;
    const entry = (guest.kernelTable << PTE_SHIFT) | UPPER;
    if (cpu) cpu.storePte(slot, entry);
    else guest.tables.set(slot, entry);
  }

  /** Its top tables. */
  get roots(): number[] {
    return this.userRoot === this.root ? [this.root] : [this.root, this.userRoot];
  }

  add(region: Region, start = region.start, pages = region.pages): void {
    this.mappings.add({
      start,
      pages,
      kind: region.kind,
      writable: region.writable,
      pageShift: region.pageShift,
      object: region.name,
      fileStart: start - region.start,
      owned: region.kind === 'anon' || region.pageShift > 12,
    });
  }

  /**
   * Slot of the leaf entry for `vpn` at `level`, building tables on the way; 0 if `build` is false
   * and there is none.
   */
  slotOf(vpn: number, level: number, build: boolean, cpu: GuestCpu | null): number {
    const { tables } = this.guest;
    let node = this.root;
    for (let at = 4; at > level; at--) {
      const slot = (node << 9) | indexAt(vpn, at);
      let entry = tables.entries[slot]!;
      if ((entry & Pte.Present) === 0) {
        if (!build) return 0;
        const child = takeTable(this.guest, cpu);
        entry = (child << PTE_SHIFT) | UPPER;
        this.#store(cpu, slot, entry);
        if (node === this.root) this.#storeForUser(cpu, slot, entry);
      } else if ((entry & Pte.Large) !== 0) {
        return build ? -1 : 0;
      }
      node = target(entry);
    }
    return (node << 9) | indexAt(vpn, level);
  }

  #store(cpu: GuestCpu | null, slot: number, entry: number): void {
    if (cpu) cpu.storePte(slot, entry);
    else this.guest.tables.set(slot, entry);
  }

  /** What an entry of the top table says of user memory, its twin for user mode says too. */
  #storeForUser(cpu: GuestCpu | null, slot: number, entry: number): void {
    if (this.userRoot !== this.root) this.#store(cpu, (this.userRoot << 9) | (slot & 511), entry);
  }

  /** A frame for a page of the process. */
  #take(): number {
    this.work.taken++;
    return this.guest.memory.take();
  }

  /**
   * Handles a fault on `vpn`: demand-zero, page cache, shared memory, or a copy-on-write break.
   * `cpu` null = populate before the run.
   */
  fault(cpu: GuestCpu | null, vpn: number, write: boolean): FaultOutcome {
    const { work } = this;
    work.taken = work.found = work.around = 0;
    const mapping = this.mappings.at(vpn);
    if (!mapping) return FaultOutcome.Unmapped;
    if (write && !mapping.writable) return FaultOutcome.Denied;
    return this.#mapPage(cpu, mapping, vpn, write) ? FaultOutcome.Fixed : FaultOutcome.NoLargePage;
  }

  #mapPage(cpu: GuestCpu | null, mapping: Mapping, vpn: number, write: boolean): boolean {
    const { tables, memory } = this.guest;
    const level = (mapping.pageShift - 3) / 9;
    const slot = this.slotOf(vpn, level, true, cpu);
    const entry = slot < 0 ? 0 : tables.entries[slot]!;
    if ((entry & Pte.Present) !== 0) {
      if (!write || (entry & Pte.Writable) !== 0) return true;
      mapping.owned = true;
      return this.#breakCow(cpu, vpn, slot, entry, level);
    }
    const rights = mapping.writable ? Pte.Writable : 0;
    const base = Pte.Present | Pte.Accessed;
    if (level > 1) {
      const frame = this.#largeFrame(cpu, mapping, vpn, level);
      if (frame < 0) return false;
      memory.references[frame] = memory.references[frame]! + 1;
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | rights | Pte.Dirty | Pte.Large);
      return true;
    }
    if (mapping.kind === 'anon') {
      if (!write && cpu) {
        // A read of untouched memory maps the zero page; the first write copies it.
        memory.references[ZERO_PAGE] = 2;
        this.#store(cpu, slot, (ZERO_PAGE << PTE_SHIFT) | base | Pte.Cow);
        return true;
      }
      const frame = this.#take();
      memory.references[frame] = 1;
      if (cpu) clearFrame(cpu, frame);
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | Pte.Dirty | rights);
      return true;
    }
    const frame = this.#objectFrame(cpu, mapping, vpn);
    if (cpu && !write) this.work.around += mapAround(this.guest, cpu, mapping, vpn, slot);
    if (mapping.kind === 'shared' || !mapping.writable) {
      memory.references[frame] = memory.references[frame]! + 1;
      const dirty = write || (!cpu && mapping.writable) ? Pte.Dirty : 0;
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | rights | dirty);
      return true;
    }
    // A page of a private file mapping: a read shares the page cache, a write makes a copy.
    if (!write) {
      memory.references[frame] = memory.references[frame]! + 1;
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | Pte.Cow);
      return true;
    }
    const copy = this.#take();
    mapping.owned = true;
    memory.references[copy] = 1;
    if (cpu) copyFrame(cpu, frame, copy);
    this.#store(cpu, slot, (copy << PTE_SHIFT) | base | Pte.Dirty | Pte.Writable);
    return true;
  }

  /**
   * First frame of a large page, cleared; -1 if no memory is left for it. What is shared or only
   * read is the page of the object; a private page that can be written is a copy from the start
   * (as hugetlbfs has it).
   */
  #largeFrame(cpu: GuestCpu | null, mapping: Mapping, vpn: number, level: number): number {
    const { memory } = this.guest;
    const pages = pagesAt(level);
    const shared = mapping.kind === 'shared' || (mapping.kind !== 'anon' && !mapping.writable);
    const page = mapping.fileStart + vpn - mapping.start;
    const first = page - (page % pages);
    const known = shared ? cacheOf(this.guest, mapping.object).get(first) : undefined;
    if (known !== undefined) return known;
    const frame = memory.takeLarge(level);
    if (frame < 0) return -1;
    this.work.taken++;
    if (cpu) clearFrames(cpu, frame, pages);
    // The object keeps a reference of its own.
    memory.references[frame] = shared ? 1 : 0;
    if (shared) cacheOf(this.guest, mapping.object).set(first, frame);
    return frame;
  }

  #objectFrame(cpu: GuestCpu | null, mapping: Mapping, vpn: number): number {
    const { work } = this;
    work.found++;
    return (
      cachedFrame(this.guest, mapping, vpn) ??
      cacheFrame(this.guest, mapping, vpn, this.#take(), cpu)
    );
  }

  #breakCow(
    cpu: GuestCpu | null,
    vpn: number,
    slot: number,
    entry: number,
    level: number,
  ): boolean {
    const { memory, vm } = this.guest;
    const old = target(entry);
    const flags = Pte.Present | Pte.Accessed | Pte.Dirty | Pte.Writable;
    vm.counters.cow_breaks++;
    if (level > 1 || memory.references[old] === 1) {
      // Nobody else uses it: the page only becomes writable again.
      const kept = level > 1 ? Pte.Large : 0;
      this.#store(cpu, slot, (old << PTE_SHIFT) | flags | kept);
    } else {
      const copy = this.#take();
      memory.references[copy] = 1;
      if (cpu) {
        if (old === ZERO_PAGE) clearFrame(cpu, copy);
        else copyFrame(cpu, old, copy);
      }
      if (old !== ZERO_PAGE) memory.references[old] = memory.references[old]! - 1;
      this.#store(cpu, slot, (copy << PTE_SHIFT) | flags);
    }
    cpu?.invlpg(vpn);
    return true;
  }

  #release(entry: number, level: number): void {
    const { memory } = this.guest;
    const frame = target(entry);
    if (frame === ZERO_PAGE) return;
    const left = memory.references[frame]! - 1;
    memory.references[frame] = left;
    if (left > 0) return;
    this.change.freed++;
    if (level > 1) memory.giveLarge(frame, level);
    else memory.give(frame);
  }

  /** Calls `visit` for every present leaf entry of a range, in order. */
  #eachLeaf(
    node: number,
    level: number,
    base: number,
    start: number,
    end: number,
    visit: (slot: number, entry: number, level: number, vpn: number) => void,
  ): void {
    const { tables } = this.guest;
    const span = 512 ** (level - 1);
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(level === 4 ? 14 : 511, Math.floor((end - 1 - base) / span));
    if (level === 1) this.change.scanned += last - first + 1;
    for (let index = first; index <= last; index++) {
      const slot = (node << 9) | index;
      const entry = tables.entries[slot]!;
      if ((entry & Pte.Present) === 0) continue;
      if (level === 1 || (entry & Pte.Large) !== 0) visit(slot, entry, level, base + index * span);
      else this.#eachLeaf(target(entry), level - 1, base + index * span, start, end, visit);
    }
  }

  /** Unmaps a range; tables that become empty are freed. Returns how many entries were cleared. */
  unmap(cpu: GuestCpu | null, start: number, pages: number): number {
    const cut = this.mappings.cut(start, start + pages);
    const cleared = this.#clear(cpu, start, start + pages);
    if (cut.length === 0) this.change.scanned = 0;
    return cleared;
  }

  /** Clears the entries of a range, whose mappings stay (madvise DONTNEED). Returns how many. */
  discard(cpu: GuestCpu | null, start: number, pages: number): number {
    return this.#clear(cpu, start, start + pages);
  }

  #begin(start: number, end: number): Change {
    const { change } = this;
    for (const changed of this.onChange) changed(start, end);
    change.changed = change.freed = change.scanned = 0;
    return change;
  }

  /** The entry at `level` for `vpn` has changed. */
  #count(vpn: number, level: number): void {
    const { change } = this;
    if (change.changed++ === 0) change.first = vpn;
    change.last = vpn + pagesAt(level) - 1;
  }

  #clear(cpu: GuestCpu | null, start: number, end: number): number {
    const change = this.#begin(start, end);
    this.#eachLeaf(this.root, 4, 0, start, end, (slot, entry, level, vpn) => {
      this.#store(cpu, slot, 0);
      this.#release(entry, level);
      this.#count(vpn, level);
    });
    if (change.changed > 0) this.#prune(cpu, this.root, 4, 0, start, end);
    return change.changed;
  }

  /** Frees the tables of a range that no longer hold anything. */
  #prune(
    cpu: GuestCpu | null,
    node: number,
    level: number,
    base: number,
    start: number,
    end: number,
  ): void {
    const { tables } = this.guest;
    const span = 512 ** (level - 1);
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(level === 4 ? 14 : 511, Math.floor((end - 1 - base) / span));
    for (let index = first; index <= last; index++) {
      const slot = (node << 9) | index;
      const entry = tables.entries[slot]!;
      if ((entry & Pte.Present) === 0 || (entry & Pte.Large) !== 0) continue;
      const child = target(entry);
      if (level > 2) this.#prune(cpu, child, level - 1, base + index * span, start, end);
      if (tables.used[child] === 0) {
        this.#store(cpu, slot, 0);
        if (level === 4) this.#storeForUser(cpu, slot, 0);
        giveTable(this.guest, child);
      }
    }
  }

  /** Grants or revokes write permission on a range. Returns how many entries changed. */
  protect(cpu: GuestCpu | null, start: number, pages: number, writable: boolean): number {
    const end = start + pages;
    for (const mapping of this.mappings.cut(start, end)) {
      this.mappings.add({ ...mapping, writable });
    }
    const change = this.#begin(start, end);
    this.#eachLeaf(this.root, 4, 0, start, end, (slot, entry, level, vpn) => {
      // Write permission comes back by a fault, so that shared frames stay shared.
      if (writable || (entry & Pte.Writable) === 0) return;
      this.#store(cpu, slot, (entry & ~Pte.Writable) | Pte.Cow);
      this.#count(vpn, level);
    });
    return change.changed;
  }

  /**
   * Moves `pages` pages to another place (mremap): entries go along, contents stay where they are.
   * Returns how many entries moved.
   */
  move(cpu: GuestCpu | null, start: number, to: number, pages: number): number {
    this.unmap(cpu, to, pages);
    const moved = this.mappings.cut(start, start + pages);
    const change = this.#begin(start, start + pages);
    this.#eachLeaf(this.root, 4, 0, start, start + pages, (slot, entry, level, vpn) => {
      this.#store(cpu, slot, 0);
      this.#store(cpu, this.slotOf(vpn - start + to, level, true, cpu), entry);
      this.#count(vpn, level);
    });
    if (change.changed > 0) this.#prune(cpu, this.root, 4, 0, start, start + pages);
    for (const mapping of moved) {
      this.mappings.add({ ...mapping, start: mapping.start - start + to });
    }
    return change.changed;
  }

  /**
   * fork: a copy whose private writable pages are shared copy-on-write with this one. Mappings
   * without a page of their own are left to faults (Linux since 2.6.14: copy_page_range).
   */
  fork(cpu: GuestCpu): { child: AddressSpace; copied: number } {
    const { memory } = this.guest;
    const child = new AddressSpace(this.guest, cpu);
    let copied = 0;
    for (const changed of this.onChange) changed(0, DIRECT_MAP);
    for (const mapping of this.mappings.all) {
      child.mappings.add({ ...mapping });
      if (!mapping.owned) continue;
      const end = mapping.start + mapping.pages;
      this.#eachLeaf(this.root, 4, 0, mapping.start, end, (slot, entry, level, vpn) => {
        let shared = entry;
        if (mapping.kind !== 'shared' && (entry & Pte.Writable) !== 0) {
          shared = (entry & ~Pte.Writable) | Pte.Cow;
          cpu.storePte(slot, shared);
        }
        const childSlot = child.slotOf(vpn, level, true, cpu);
        cpu.storePte(childSlot, shared & ~Pte.Dirty);
        const frame = target(entry);
        if (frame !== ZERO_PAGE) memory.references[frame] = memory.references[frame]! + 1;
        copied++;
      });
    }
    return { child, copied };
  }

  /** exit: everything is freed, the top table included. Returns how many entries were cleared. */
  destroy(cpu: GuestCpu | null): number {
    const cleared = this.unmap(cpu, 0, DIRECT_MAP);
    for (const root of this.roots) giveTable(this.guest, root);
    return cleared;
  }
}

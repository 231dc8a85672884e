import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { Vm } from '../hypervisor/vm.ts';
import { indexAt, type PageTables, PTE_SHIFT, Pte, target } from '../machine/page-tables.ts';
import { type Mapping, Mappings } from './mappings.ts';
import { type GuestMemory, ZERO_PAGE } from './memory.ts';
import { clearFrame, copyFrame } from './streams.ts';
import type { Region } from './workloads/workload.ts';

/** What became of a fault. */
export const FaultOutcome = {
  /** The access can be repeated. */
  Fixed: 0,
  /** No mapping has the page. */
  Unmapped: 1,
  /** A store to a mapping that cannot be written. */
  Denied: 2,
  /** A region of large pages, and no 2 MB of consecutive memory is left. */
  NoLargePage: 3,
} as const;
export type FaultOutcome = (typeof FaultOutcome)[keyof typeof FaultOutcome];

/** A region for a page nobody mapped: a program image or stack that predates a trace. */
export function anonymousPage(vpn: number): Region {
  return {
    name: `page-${vpn}`,
    start: vpn,
    pages: 1,
    kind: 'anon',
    writable: true,
    pageShift: 12,
    populated: false,
  };
}

/** What the address spaces of one guest share. */
export interface GuestTables {
  readonly vm: Vm;
  readonly tables: PageTables;
  readonly memory: GuestMemory;
  /** Page cache and shared memory: frame of each page of each object. */
  readonly objects: Map<string, Map<number, number>>;
  /** Level-3 table of the kernel's direct map, in every address space. */
  readonly kernelTable: number;
}

const UPPER = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty;

/** A table page: frame from the common pool, zeroed. `cpu` null = before the run, at no cost. */
export function takeTable(guest: GuestTables, cpu: GuestCpu | null): number {
  const frame = guest.memory.take();
  const node = guest.tables.alloc(frame);
  guest.vm.nodeOfFrame[frame] = node;
  if (cpu) clearFrame(cpu, frame);
  return node;
}

function giveTable(guest: GuestTables, node: number): void {
  const frame = guest.tables.frame[node]!;
  guest.vm.nodeOfFrame[frame] = 0;
  guest.tables.free(node);
  guest.memory.give(frame);
}

/** A process's page tables and mappings, in guest frames. */
export class AddressSpace {
  readonly guest: GuestTables;
  readonly root: number;
  readonly mappings = new Mappings();
  /** Entries of leaf tables that the last change of a range looked at, empty ones included. */
  scanned = 0;

  constructor(guest: GuestTables, cpu: GuestCpu | null) {
    this.guest = guest;
    this.root = takeTable(guest, cpu);
    const slot = (this.root << 9) | 15;
    const entry = (guest.kernelTable << PTE_SHIFT) | UPPER;
    if (cpu) cpu.storePte(slot, entry);
    else guest.tables.set(slot, entry);
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
    });
  }

  /** Slot of the leaf entry for `vpn` at `level`, building tables on the way; 0 if `build` is false and there is none. */
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
        if (cpu) cpu.storePte(slot, entry);
        else tables.set(slot, entry);
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

  /**
   * Handles a fault on `vpn`: demand-zero, page cache, shared memory, or a copy-on-write break. `cpu` null =
   * populate before the run.
   */
  fault(cpu: GuestCpu | null, vpn: number, write: boolean): FaultOutcome {
    const mapping = this.mappings.at(vpn);
    if (!mapping) return FaultOutcome.Unmapped;
    if (write && !mapping.writable) return FaultOutcome.Denied;
    return this.#mapPage(cpu, mapping, vpn, write) ? FaultOutcome.Fixed : FaultOutcome.NoLargePage;
  }

  #mapPage(cpu: GuestCpu | null, mapping: Mapping, vpn: number, write: boolean): boolean {
    const { tables, memory } = this.guest;
    const level = mapping.pageShift === 21 ? 2 : 1;
    const slot = this.slotOf(vpn, level, true, cpu);
    const entry = slot < 0 ? 0 : tables.entries[slot]!;
    if ((entry & Pte.Present) !== 0) {
      if (!write || (entry & Pte.Writable) !== 0) return true;
      return this.#breakCow(cpu, vpn, slot, entry, level);
    }
    const rights = mapping.writable ? Pte.Writable : 0;
    const base = Pte.Present | Pte.Accessed;
    if (level === 2) {
      const block = memory.takeBlock();
      if (block < 0) return false;
      if (cpu) for (let i = 0; i < 512; i++) clearFrame(cpu, block + i);
      memory.references[block] = 1;
      this.#store(cpu, slot, (block << PTE_SHIFT) | base | rights | Pte.Dirty | Pte.Large);
      return true;
    }
    if (mapping.kind === 'anon') {
      if (!write && cpu) {
        // A read of untouched memory maps the zero page; the first write copies it.
        memory.references[ZERO_PAGE] = 2;
        this.#store(cpu, slot, (ZERO_PAGE << PTE_SHIFT) | base | Pte.Cow);
        return true;
      }
      const frame = memory.take();
      memory.references[frame] = 1;
      if (cpu) clearFrame(cpu, frame);
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | Pte.Dirty | rights);
      return true;
    }
    const frame = this.#objectFrame(cpu, mapping, vpn);
    if (mapping.kind === 'shared' || !mapping.writable) {
      memory.references[frame] = memory.references[frame]! + 1;
      const dirty = write || (!cpu && mapping.writable) ? Pte.Dirty : 0;
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | rights | dirty);
      return true;
    }
    // A private file page: read shares the page cache, a write takes a copy.
    if (!write) {
      memory.references[frame] = memory.references[frame]! + 1;
      this.#store(cpu, slot, (frame << PTE_SHIFT) | base | Pte.Cow);
      return true;
    }
    const copy = memory.take();
    memory.references[copy] = 1;
    if (cpu) copyFrame(cpu, frame, copy);
    this.#store(cpu, slot, (copy << PTE_SHIFT) | base | Pte.Dirty | Pte.Writable);
    return true;
  }

  /** Frame of a page of a file or shared object; the object keeps a reference of its own. */
  #objectFrame(cpu: GuestCpu | null, mapping: Mapping, vpn: number): number {
    const { objects, memory } = this.guest;
    let pages = objects.get(mapping.object);
    if (!pages) {
      pages = new Map();
      objects.set(mapping.object, pages);
    }
    const page = mapping.fileStart + vpn - mapping.start;
    let frame = pages.get(page);
    if (frame === undefined) {
      frame = memory.take();
      memory.references[frame] = 1;
      if (cpu) clearFrame(cpu, frame);
      pages.set(page, frame);
    }
    return frame;
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
    if (level === 2 || memory.references[old] === 1) {
      // Nobody else has it: the page only becomes writable again.
      const kept = level === 2 ? Pte.Large : 0;
      this.#store(cpu, slot, (old << PTE_SHIFT) | flags | kept);
    } else {
      const copy = memory.take();
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

  #release(entry: number, large: boolean): void {
    const { memory } = this.guest;
    const frame = target(entry);
    if (frame === ZERO_PAGE) return;
    const left = memory.references[frame]! - 1;
    memory.references[frame] = left;
    if (left > 0) return;
    if (large) memory.giveBlock(frame);
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
    if (level === 4) this.scanned = 0;
    if (level === 1) this.scanned += last - first + 1;
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
    if (cut.length === 0) this.scanned = 0;
    return cleared;
  }

  /** Clears the entries of a range, whose mappings stay (madvise DONTNEED). Returns how many. */
  discard(cpu: GuestCpu | null, start: number, pages: number): number {
    return this.#clear(cpu, start, start + pages);
  }

  #clear(cpu: GuestCpu | null, start: number, end: number): number {
    let cleared = 0;
    this.#eachLeaf(this.root, 4, 0, start, end, (slot, entry, level) => {
      this.#store(cpu, slot, 0);
      this.#release(entry, level === 2);
      cleared++;
    });
    if (cleared > 0) this.#prune(cpu, this.root, 4, 0, start, end);
    return cleared;
  }

  /** Frees the tables of a range that hold nothing any more. */
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
        giveTable(this.guest, child);
      }
    }
  }

  /** Takes or gives write permission on a range. Returns how many entries changed. */
  protect(cpu: GuestCpu | null, start: number, pages: number, writable: boolean): number {
    const end = start + pages;
    for (const mapping of this.mappings.cut(start, end)) {
      this.mappings.add({ ...mapping, writable });
    }
    let changed = 0;
    this.#eachLeaf(this.root, 4, 0, start, end, (slot, entry) => {
      // Write permission comes back by a fault, so that shared frames stay shared.
      if (writable || (entry & Pte.Writable) === 0) return;
      this.#store(cpu, slot, (entry & ~Pte.Writable) | Pte.Cow);
      changed++;
    });
    return changed;
  }

  /**
   * Moves `pages` pages to another place (mremap): entries go along, contents stay where they are. Returns how
   * many entries moved.
   */
  move(cpu: GuestCpu | null, start: number, to: number, pages: number): number {
    this.unmap(cpu, to, pages);
    const moved = this.mappings.cut(start, start + pages);
    let count = 0;
    this.#eachLeaf(this.root, 4, 0, start, start + pages, (slot, entry, level, vpn) => {
      this.#store(cpu, slot, 0);
      this.#store(cpu, this.slotOf(vpn - start + to, level, true, cpu), entry);
      count++;
    });
    if (count > 0) this.#prune(cpu, this.root, 4, 0, start, start + pages);
    for (const mapping of moved) {
      this.mappings.add({ ...mapping, start: mapping.start - start + to });
    }
    return count;
  }

  /** fork: a copy whose private writable pages are shared copy-on-write with this one. */
  fork(cpu: GuestCpu): { child: AddressSpace; copied: number } {
    const { memory } = this.guest;
    const child = new AddressSpace(this.guest, cpu);
    let copied = 0;
    for (const mapping of this.mappings.all) {
      child.mappings.add(mapping);
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

  /** exit: everything goes, the top table included. Returns how many entries were cleared. */
  destroy(cpu: GuestCpu | null): number {
    const cleared = this.unmap(cpu, 0, 15 << 27);
    giveTable(this.guest, this.root);
    return cleared;
  }
}

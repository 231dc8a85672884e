import type { Vm } from '../hypervisor/vm.ts';
import { type PageTables, PTE_SHIFT, Pte } from '../machine/page-tables.ts';
import { type GuestTables, takeTable } from './frames.ts';
import type { KernelProfile } from './kernel-schema.ts';
import { GuestMemory } from './memory.ts';

/**
 * What a guest kernel sets up before anything runs: its memory, and the direct map of all of it.
 * `huge` pages of 1 GiB are reserved, as far as there are that many (Linux: hugepages=).
 */
export function bootTables(
  vm: Vm,
  tables: PageTables,
  huge: number,
  { faultAround, pageTableIsolation }: Pick<KernelProfile, 'faultAround' | 'pageTableIsolation'>,
): GuestTables {
  const memory = new GuestMemory(vm.memoryPages, vm.name);
  const kernelTable = tables.alloc(memory.take());
  vm.nodeOfFrame[tables.frame[kernelTable]!] = kernelTable;
  const guest: GuestTables = {
    ...{ vm, tables, memory, kernelTable, faultAround },
    objects: new Map(),
    isolated: pageTableIsolation,
  };
  mapDirectly(guest);
  memory.reserveHuge(huge);
  return guest;
}

/**
 * All guest memory from DIRECT_MAP on, in 2 MB pages: global, unless user mode must not keep them
 * in the TLB.
 */
function mapDirectly(guest: GuestTables): void {
  const { isolated, kernelTable, tables, vm } = guest;
  const global = isolated ? 0 : Pte.Global;
  const upper = Pte.Present | Pte.Writable | Pte.Accessed | Pte.Dirty;
  for (let gfn = 0; gfn < vm.memoryPages; gfn += 512) {
    const slot3 = (kernelTable << 9) | (gfn >>> 18);
    if ((tables.entries[slot3]! & Pte.Present) === 0) {
      tables.set(slot3, (takeTable(guest, null) << PTE_SHIFT) | upper);
    }
    const node = tables.entries[slot3]! >>> PTE_SHIFT;
    const entry = (gfn << PTE_SHIFT) | upper | global | Pte.Large;
    tables.set((node << 9) | ((gfn >>> 9) & 511), entry);
  }
}

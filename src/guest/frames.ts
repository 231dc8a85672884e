import type { GuestCpu } from '../hypervisor/guest-port.ts';
import type { Vm } from '../hypervisor/vm.ts';
import type { PageTables } from '../machine/page-tables.ts';
import type { GuestMemory } from './memory.ts';
import { clearFrame } from './streams.ts';

/** What the address spaces of a guest share. */
export interface GuestTables {
  readonly vm: Vm;
  readonly tables: PageTables;
  readonly memory: GuestMemory;
  /** Page cache and shared memory: frame of each page of each object. */
  readonly objects: Map<string, Map<number, number>>;
  /** Level-3 table of the kernel's direct map, in every address space. */
  readonly kernelTable: number;
  /** User mode has top tables of its own, in which the kernel is not mapped. */
  readonly isolated: boolean;
  /** Pages of the page cache that a read fault maps. */
  readonly faultAround: number;
}

/** A table page: frame from the common pool, zeroed. `cpu` null = before the run, at no cost. */
export function takeTable(guest: GuestTables, cpu: GuestCpu | null): number {
  const frame = guest.memory.take();
  const node = guest.tables.alloc(frame);
  guest.vm.nodeOfFrame[frame] = node;
  if (cpu) clearFrame(cpu, frame);
  return node;
}

/** Returns a table page. */
export function giveTable(guest: GuestTables, node: number): void {
  const frame = guest.tables.frame[node]!;
  guest.vm.nodeOfFrame[frame] = 0;
  guest.tables.free(node);
  guest.memory.give(frame);
}

/** Clears `pages` frames in a row. */
export function clearFrames(cpu: GuestCpu, first: number, pages: number): void {
  for (let i = 0; i < pages; i++) clearFrame(cpu, first + i);
}

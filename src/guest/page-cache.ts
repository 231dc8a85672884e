import type { GuestCpu } from '../hypervisor/guest-port.ts';
import { PTE_SHIFT, Pte } from '../machine/page-tables.ts';
import type { GuestTables } from './frames.ts';
import type { Mapping } from './mappings.ts';
import { clearFrame } from './streams.ts';

/** Pages of files and shared objects that are in memory. */

/** Frames of a file or shared object, by page. */
export function cacheOf({ objects }: GuestTables, name: string): Map<number, number> {
  let pages = objects.get(name);
  if (!pages) {
    pages = new Map();
    objects.set(name, pages);
  }
  return pages;
}

const pageIn = ({ fileStart, start }: Mapping, vpn: number): number => fileStart + vpn - start;

/** Frame of the page that a mapping has at `vpn`; undefined = it is not in the cache. */
export const cachedFrame = (guest: GuestTables, mapping: Mapping, vpn: number) =>
  cacheOf(guest, mapping.object).get(pageIn(mapping, vpn));

/** `frame` becomes that page: cleared, with a reference of the object. Returns it. */
export function cacheFrame(
  guest: GuestTables,
  mapping: Mapping,
  vpn: number,
  frame: number,
  cpu: GuestCpu | null,
): number {
  guest.memory.references[frame] = 1;
  if (cpu) clearFrame(cpu, frame);
  cacheOf(guest, mapping.object).set(pageIn(mapping, vpn), frame);
  return frame;
}

/**
 * Linux since 3.15: a read fault on a page of a file maps its neighbours too, as far as they are in
 * the page cache and not mapped: those in an aligned stretch of `faultAround` pages, in the same
 * mapping and the same table. `slot` is the entry of `vpn`. Returns how many it mapped.
 */
export function mapAround(
  guest: GuestTables,
  cpu: GuestCpu,
  mapping: Mapping,
  vpn: number,
  slot: number,
): number {
  const { faultAround, memory, tables } = guest;
  if (faultAround === 1) return 0;
  const first = vpn & -faultAround;
  const from = Math.max(first, mapping.start);
  const to = Math.min(first + faultAround, mapping.start + mapping.pages);
  const cache = cacheOf(guest, mapping.object);
  const copied = mapping.kind !== 'shared' && mapping.writable ? Pte.Cow : 0;
  const writable = mapping.kind === 'shared' && mapping.writable ? Pte.Writable : 0;
  const flags = Pte.Present | Pte.Accessed | copied | writable;
  let mapped = 0;
  for (let page = from; page < to; page++) {
    const frame = cache.get(pageIn(mapping, page));
    const near = slot + page - vpn;
    if (page === vpn || frame === undefined) continue;
    if ((tables.entries[near]! & Pte.Present) !== 0) continue;
    memory.references[frame] = memory.references[frame]! + 1;
    cpu.storePte(near, (frame << PTE_SHIFT) | flags);
    mapped++;
  }
  return mapped;
}

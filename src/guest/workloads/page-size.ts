import * as z from 'zod';
import { size } from '../../base/units.ts';
import type { ProcessImage } from './workload.ts';

/** The page sizes of a guest's tables, in bytes. */
export const PAGE_SIZES = [2 ** 12, 2 ** 21, 2 ** 30] as const;
/** Pages of 4 KiB in one of 1 GiB. */
export const HUGE = 2 ** 18;

/** `4KiB`, `2MiB` or `1GiB` in YAML, bytes in code: what a guest kernel maps with. */
export const pageSize = (what = 'page size of the guest kernel') =>
  size()
    .pipe(z.literal(PAGE_SIZES))
    .default(4096)
    .describe(`${what}: 4KiB, 2MiB or (where the processor has them) 1GiB`);

/** log2 of the bytes of a page: 12, 21 or 30. */
export function pageShiftOf(bytes: number): number {
  return Math.log2(bytes);
}

/**
 * Pages of 1 GiB that the populated regions of these processes take in all; shared memory and what
 * is only read from a file count once.
 */
export function hugePagesOf(processes: readonly ProcessImage[]): number {
  const objects = new Map<string, number>();
  let pages = 0;
  for (const region of processes.flatMap((process) => process.regions)) {
    if (region.pageShift !== 30 || !region.populated) continue;
    const own = region.kind === 'anon' || (region.kind !== 'shared' && region.writable);
    if (own) pages += region.pages;
    else objects.set(region.name, region.pages);
  }
  for (const shared of objects.values()) pages += shared;
  return Math.ceil(pages / HUGE);
}

/** Pages of 1 GiB that a guest with this much memory can have: its first GiB holds the kernel. */
export function hugePagesIn(memoryPages: number): number {
  return Math.max(0, Math.floor(memoryPages / HUGE) - 1);
}

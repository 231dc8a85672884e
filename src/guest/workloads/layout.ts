import { pageShiftOf } from './page-size.ts';
import type { SyntheticRegion } from './synthetic-params.ts';
import type { Region } from './workload.ts';

/**
 * Where a program's regions lie: the text at 0x400000, data and heap after it; libraries, files, shared
 * memory and new mappings high up, the stack at the very top, as Linux on x86-64 lays a process out. The
 * high part is the top-level entry 14, the low part entry 0.
 */
const TEXT = 0x400;
export const HIGH = 14 * 2 ** 27;
export const TOP = 15 * 2 ** 27;
/** Pages above the stack (vdso, environment). assumed (1-64) */
const ABOVE_STACK = 16;
/** Index of the template of new mappings in the regions of every layout. */
export const MAPPING_TEMPLATE = 0;

export interface Layout {
  /** The first is the template of new mappings (no pages), then the program's own in their order. */
  readonly regions: readonly Region[];
  /** First page after everything low, and after everything high but the stack. */
  readonly heapArea: number;
  readonly mmapArea: number;
}

/** Pages of a region; a region of large pages is a whole number of them. */
export function pagesOf(region: Pick<SyntheticRegion, 'size' | 'pageSize'>): number {
  const unit = region.pageSize / 4096;
  return Math.max(unit, Math.ceil(region.size / 4096 / unit) * unit);
}

/** `populated` false overrides what the regions say: a program that has just been loaded. */
export function layOut(regions: readonly SyntheticRegion[], populated: boolean): Layout {
  const align = (page: number, shift: number) => {
    const unit = 2 ** (shift - 12);
    return Math.ceil(page / unit) * unit;
  };
  let low = TEXT;
  let high = HIGH + 512;
  let text = true;
  const placed: Region[] = [
    {
      name: 'mapping',
      start: HIGH,
      pages: 0,
      kind: 'anon',
      writable: true,
      pageShift: 12,
      populated: false,
    },
  ];
  // The program's text comes first wherever it stands in the list.
  const firstCode = regions.find((region) => region.kind === 'code');
  const starts = new Map<SyntheticRegion, number>();
  const inOrder = firstCode ? [firstCode, ...regions.filter((r) => r !== firstCode)] : regions;
  for (const region of inOrder) {
    const pages = pagesOf(region);
    const shift = pageShiftOf(region.pageSize);
    if (region.name === 'stack') {
      const start = TOP - ABOVE_STACK - pages;
      starts.set(region, start - (start % (region.pageSize / 4096)));
    } else if (region.kind === 'anon' || (region.kind === 'code' && text)) {
      low = align(low, shift);
      starts.set(region, low);
      low += pages;
    } else {
      high = align(high, shift);
      starts.set(region, high);
      high += pages;
    }
    if (region.kind === 'code') text = false;
  }
  for (const region of regions) {
    placed.push({
      name: region.name,
      start: starts.get(region)!,
      pages: pagesOf(region),
      kind: region.kind,
      writable: region.kind !== 'code' && (region.kind !== 'file' || region.stores > 0),
      pageShift: pageShiftOf(region.pageSize),
      populated: populated && region.populated,
    });
  }
  return { regions: placed, heapArea: align(low, 21), mmapArea: align(high, 21) };
}

import { xoshiroNext, xoshiroState } from '../../base/random.ts';
import { pageShiftOf } from './page-size.ts';
import { below } from './patterns.ts';
import type { SyntheticRegion } from './synthetic-params.ts';
import type { Region } from './workload.ts';

/**
 * Where a program's regions lie: the text at 0x400000, the heap after it; libraries, files, shared
 * memory, large pages (hugetlbfs) and new mappings high up, the stack at the very top, as Linux on
 * x86-64 lays a process out. Heap, mappings and stack begin at random places (ASLR), the text does
 * not: programs of the time are not position independent. Without random offsets the high part
 * begins in the top-level entry 14.
 */
const TEXT = 0x400;
export const HIGH = 14 * 2 ** 27;
export const TOP = 15 * 2 ** 27;
/** Pages above the stack (vdso, environment). assumed (1-64) */
const ABOVE_STACK = 16;
/** Index of the template of new mappings in the regions of every layout. */
export const MAPPING_TEMPLATE = 0;

/** How far heap, mappings and stack lie from their fixed places, in pages: up, down and down. */
export interface Offsets {
  readonly heap: number;
  readonly mmap: number;
  readonly stack: number;
}

/** `randomize_va_space` = 0: every process has the same addresses. */
const FIXED: Offsets = { heap: 0, mmap: 0, stack: 0 };
/**
 * Each offset is below its range. published: Linux 2.6.32 on x86-64 with `randomize_va_space` = 2
 * (arch_randomize_brk: 32 MiB; mmap_rnd: 28 bits of pages; STACK_RND_MASK: 22 bits of pages).
 */
const RANGE: Offsets = { heap: 2 ** 13, mmap: 2 ** 28, stack: 2 ** 22 };

/** Offsets of the process at `path`, from a random stream of its own. */
export function offsetsOf(random: boolean, seed: string, path: string): Offsets {
  if (!random) return FIXED;
  const state = xoshiroState(seed, `${path}/layout`);
  const draw = (range: number) => below(range, xoshiroNext(state));
  return { heap: draw(RANGE.heap), mmap: draw(RANGE.mmap), stack: draw(RANGE.stack) };
}

export interface Layout {
  /**
   * The first is the template of new mappings (no pages), then the program's own in their order.
   */
  readonly regions: readonly Region[];
  /**
   * Where heap growth and new mappings begin: after everything low, and after everything high but
   * the stack, at a random page of a table of their own.
   */
  readonly heapArea: number;
  readonly mmapArea: number;
}

/** Pages of a region; a region of large pages is a whole number of them. */
export function pagesOf(region: Pick<SyntheticRegion, 'size' | 'pageSize'>): number {
  const unit = region.pageSize / 4096;
  return Math.max(unit, Math.ceil(region.size / 4096 / unit) * unit);
}

/**
 * Lays a process out. `populated` false overrides what the regions say, for a program that has just
 * been loaded.
 */
export function layOut(
  regions: readonly SyntheticRegion[],
  populated: boolean,
  offsets: Offsets,
): Layout {
  const align = (page: number, shift: number) => {
    const unit = 2 ** (shift - 12);
    return Math.ceil(page / unit) * unit;
  };
  let low = TEXT;
  let high = HIGH + 512 - offsets.mmap;
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
  if (!firstCode) low += offsets.heap;
  for (const region of inOrder) {
    const pages = pagesOf(region);
    const shift = pageShiftOf(region.pageSize);
    if (region.name === 'stack') {
      const start = TOP - ABOVE_STACK - offsets.stack - pages;
      starts.set(region, start - (start % (region.pageSize / 4096)));
    } else if (isLow(region) || (region.kind === 'code' && text)) {
      low = align(low, shift);
      starts.set(region, low);
      low += pages;
    } else {
      high = align(high, shift);
      starts.set(region, high);
      high += pages;
    }
    if (region === firstCode) {
      text = false;
      low += offsets.heap;
    }
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
  return {
    regions: placed,
    heapArea: align(low, 21) + (offsets.heap & 511),
    mmapArea: align(high, 21) + (offsets.mmap & 511),
  };
}

/** The heap is of small pages: large ones were mapped (hugetlbfs) or attached (SHM_HUGETLB). */
const isLow = ({ kind, pageSize }: SyntheticRegion) => kind === 'anon' && pageSize === 4096;

/**
 * Refuses regions that do not fit into the address space, whatever offsets are drawn. `heap` and
 * `mappings`: by how many pages the heap grows at most, and how many pages new mappings take.
 */
export function checkRoom(
  regions: readonly SyntheticRegion[],
  heap: number,
  mappings: number,
): void {
  const firstCode = regions.find((region) => region.kind === 'code');
  // Alignment costs a region less than one of its pages, and the area at the end two tables' worth.
  let low = heap + 1024;
  let high = mappings + 1024;
  for (const region of regions) {
    const pages = pagesOf(region) + region.pageSize / 4096 - 1;
    if (region.name !== 'stack' && (region === firstCode || isLow(region))) low += pages;
    else high += pages;
  }
  const lowRoom = HIGH + 512 - RANGE.mmap - TEXT - RANGE.heap;
  const highRoom = TOP - ABOVE_STACK - RANGE.stack - (HIGH + 512);
  const gib = (pages: number) => Math.ceil(pages / 2 ** 18);
  const refuse = (what: string, pages: number, room: number) => {
    if (pages <= room) return;
    throw new Error(
      `${what} take ${gib(pages)} GiB of address space, there are ` +
        `${Math.floor(room / 2 ** 18)} GiB`,
    );
  };
  refuse('text, small-page private memory and heap', low, lowRoom);
  refuse('files, shared and large-page memory, stack and new mappings', high, highRoom);
}

import * as z from 'zod';
import { offsetsOf } from './layout.ts';
import type { ProcessImage, Region, Workload, WorkloadDeps } from './workload.ts';

/** What the microbenchmarks share: one small program each, no requests, a count of iterations. */
export const microParams = {
  cpi: z
    .number()
    .min(0.1)
    .max(16)
    .meta({ unit: 'cycles' })
    .default(1)
    .describe('cycles per instruction'), // assumed (0.7-2)
  work: z
    .int()
    .min(1)
    .meta({ unit: 'units of work' })
    .optional()
    .describe('units of work after which the VM is done'),
  hz: z
    .int()
    .min(0)
    .max(10_000)
    .meta({ unit: 'ticks a second' })
    .meta({ usual: 'those of the guest kernel' })
    .optional()
    .describe('timer ticks a second; 0 = none'),
};

/**
 * Where a microbenchmark has its loop and, without random offsets, its memory (pages, as in
 * layout.ts).
 */
export const TEXT = 0x400;
const DATA = 0x600;
const MAPPED = 14 * 2 ** 27 + 512;

/** First pages of the heap and of the mappings of process `index`. */
export function microPlaces(
  { aslr }: { readonly aslr: boolean },
  { seed, vm }: WorkloadDeps,
  index = 0,
): { readonly data: number; readonly mapped: number } {
  const { heap, mmap } = offsetsOf(aslr, seed, `vm/${vm}/process/${index}`);
  return { data: DATA + heap, mapped: MAPPED - mmap };
}

/** Instructions and references of the loop around one touch. assumed (5-50) */
export const LOOP = { instructions: 20, references: 4 };

export function microRegion(region: Partial<Region> & Pick<Region, 'name'>): Region {
  return {
    start: DATA,
    pages: 1,
    kind: 'anon',
    writable: true,
    pageShift: 12,
    populated: true,
    ...region,
  };
}

/**
 * Regions of a microbenchmark: the template that its `Mmap`s name (index 0), its text, and `more`.
 */
export function microRegions(...more: readonly Region[]): Region[] {
  return [
    microRegion({ name: 'mapping', start: MAPPED, pages: 0, populated: false }),
    microRegion({ name: 'text', start: TEXT, kind: 'code', writable: false }),
    ...more,
  ];
}

export function microWorkload(
  params: { cpi: number; work?: number | undefined; hz?: number | undefined },
  unit: string,
  processes: readonly ProcessImage[],
): Workload {
  return {
    processes,
    work: params.work,
    unit,
    cpiQ8: Math.round(params.cpi * 256),
    overlapQ8: 0,
    kernel: true,
    quantumInstructions: 10_000_000, // as in synthetic-params.ts
    hz: params.hz,
  };
}

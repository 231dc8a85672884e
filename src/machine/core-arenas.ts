import { LEAVES } from '../stats/leaves.ts';
import { HOT_COUNTERS } from './counters.ts';
import { ARRAYS, MEMOS } from './entries.ts';
import type { Arena } from './heap.ts';
import type { Processor } from './processor.ts';
import { tlbNeeds } from './tlb-build.ts';
import { walkCacheNeeds } from './walk-cache.ts';

/**
 * Where a core takes its memory from: words of the heap, and numbers of the things in entries.ts.
 */
export interface CoreArenas {
  readonly words: Arena;
  readonly entries: Arena;
  readonly arrays: Arena;
  readonly memos: Arena;
}

/** What a core needs of each space, without its cache tags. */
export function coreNeeds(
  processor: Processor,
  vcpuCount: number,
): Record<keyof CoreArenas, number> {
  const { pwcEntries, nestedTlbEntries } = processor.walk;
  const parts = [
    { words: HOT_COUNTERS + LEAVES + vcpuCount * 2 + 304, entries: 0 },
    tlbNeeds(processor),
    walkCacheNeeds(pwcEntries),
    walkCacheNeeds(nestedTlbEntries),
  ];
  return {
    words: parts.reduce((sum, { words }) => sum + words, 0),
    entries: parts.reduce((sum, { entries }) => sum + entries, 0),
    arrays: ARRAYS + 4,
    memos: 2 * MEMOS,
  };
}

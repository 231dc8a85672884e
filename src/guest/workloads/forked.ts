import type { Loaded } from './images.ts';
import { visit } from './item.ts';
import type { Step } from './script.ts';
import { Op } from './workload.ts';

/** What a forked child does in the memory of its parent before it runs a program of its own. */

/** Fetches from `count` pages of text, evenly apart: a fork has copied none of their entries. */
export function* executeIn({ layout }: Loaded, count: number): Generator<Step> {
  const text = layout.regions.filter(({ kind, pageShift }) => kind === 'code' && pageShift === 12);
  const pages = text.reduce((sum, region) => sum + region.pages, 0);
  const most = Math.min(count, pages);
  for (let i = 0; i < most; i++) {
    let at = Math.floor((i * pages) / most);
    for (const { start, pages: here } of text) {
      if (at < here) {
        yield visit(Op.Fetch, start + at, 8, 100); // measured: 100 instructions a page
        break;
      }
      at -= here;
    }
  }
}

/** Stores to the first pages of private memory: copy-on-write breaks after a fork. */
export function* writeTo({ layout }: Loaded, pages: number): Generator<Step> {
  const region = layout.regions.find(({ kind, pages: own }) => kind === 'anon' && own > 0)!;
  for (let i = 0; i < Math.min(pages, region.pages); i++) {
    yield visit(Op.Store, region.start + i, 8, 100); // assumed (50-1000 instructions a page)
  }
}

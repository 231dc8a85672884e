import * as z from 'zod';
import { aslr } from './aslr.ts';
import { operation, visit } from './item.ts';
import {
  LOOP,
  microParams,
  microPlaces,
  microRegion,
  microRegions,
  microWorkload,
  TEXT,
} from './micro.ts';
import { ScriptProgram, type Step } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/**
 * Maps a file shared and writable, stores to a few of its pages, and unmaps it (lmbench's lat_mmap,
 * which stores to one byte of every 16 KiB in the first tenth of the file).
 */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(64)
    .describe('pages of each mapping'),
  touched: z
    .int()
    .min(0)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(4)
    .describe('of these, pages stored to'),
  stride: z
    .int()
    .min(1)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(4)
    .describe('pages from one store to the next'),
  aslr: aslr(),
  ...microParams,
});

function* loop(mapped: number, pages: number, touched: number, stride: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    yield operation(Op.Mmap, mapped, pages, FILE);
    for (let i = 0; i < touched; i++) {
      yield visit(Op.Store, mapped + i * stride, 1, LOOP.instructions);
    }
    yield operation(Op.Munmap, mapped, pages);
    yield operation(Op.WorkDone, 1);
  }
}

const regions = microRegions(
  microRegion({ name: 'file', pages: 0, kind: 'shared', populated: false }),
);
/** The region whose kind and rights the mappings take. */
const FILE = regions.length - 1;

export const mmapLoop: WorkloadDefinition<typeof params> = {
  name: 'mmap-loop',
  summary: 'maps and unmaps a file, storing to a few of its pages',
  params,
  create(options, deps) {
    const { pages, touched, stride } = options;
    if ((touched - 1) * stride >= pages) {
      throw new Error(`${touched} pages, ${stride} apart, do not fit into ${pages} pages`);
    }
    const { mapped } = microPlaces(options, deps);
    const program = new ScriptProgram({ script: loop(mapped, pages, touched, stride) });
    return microWorkload(options, 'iterations', [{ regions, programs: [program] }]);
  },
};

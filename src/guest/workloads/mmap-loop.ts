import { z } from 'zod';
import { LOOP, MAPPED, microParams, microRegions, microWorkload, TEXT } from './micro.ts';
import { operation, ScriptProgram, type Step, visit } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/** Maps and unmaps memory of which only a part, evenly spread, is ever touched (lmbench's lat_mmap). */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .default(64)
    .describe('pages of each mapping'),
  touched: z
    .int()
    .min(0)
    .max(2 ** 20)
    .default(4)
    .describe('of these, pages loaded from'),
  ...microParams,
});

function* loop(pages: number, touched: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    yield operation(Op.Mmap, MAPPED, pages, 0);
    for (let i = 0; i < touched; i++) {
      const page = MAPPED + Math.floor((i * pages) / touched);
      yield visit(Op.Load, page, 1, LOOP.instructions);
    }
    yield operation(Op.Munmap, MAPPED, pages);
    yield operation(Op.WorkDone, 1);
  }
}

export const mmapLoop: WorkloadDefinition<typeof params> = {
  name: 'mmap-loop',
  summary: 'maps and unmaps memory, touching a few pages of it',
  params,
  create(options) {
    if (options.touched > options.pages) throw new Error('touched cannot exceed pages');
    const program = new ScriptProgram({ script: loop(options.pages, options.touched) });
    return microWorkload(options, 'iterations', [{ regions: microRegions(), program }]);
  },
};

import { z } from 'zod';
import { LOOP, MAPPED, microParams, microRegions, microWorkload, TEXT } from './micro.ts';
import { operation, ScriptProgram, type Step, visit } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/**
 * Maps memory, stores to every page of it, gives it back: almost nothing but page faults. The loop that
 * hypervisor papers time (Huang et al. 2023 use 1 MiB).
 */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .default(256)
    .describe('pages mapped, touched and unmapped'),
  ...microParams,
});

function* loop(pages: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    yield operation(Op.Mmap, MAPPED, pages, 0);
    for (let i = 0; i < pages; i++) yield visit(Op.Store, MAPPED + i, 1, LOOP.instructions);
    yield operation(Op.Munmap, MAPPED, pages);
    yield operation(Op.WorkDone, 1);
  }
}

export const pageFaultLoop: WorkloadDefinition<typeof params> = {
  name: 'page-fault-loop',
  summary: 'maps memory, stores to every page, unmaps it',
  params,
  create(options) {
    const program = new ScriptProgram({ script: loop(options.pages) });
    return microWorkload(options, 'iterations', [{ regions: microRegions(), program }]);
  },
};

import * as z from 'zod';
import { aslr } from './aslr.ts';
import { operation, visit } from './item.ts';
import { LOOP, microParams, microPlaces, microRegions, microWorkload, TEXT } from './micro.ts';
import { ScriptProgram, type Step } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/**
 * Maps memory, stores to every page of it, gives it back: almost nothing but page faults. The loop
 * that hypervisor papers time (Huang et al. 2023 use 1 MiB).
 */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(256)
    .describe('pages mapped, touched and unmapped'),
  aslr: aslr(),
  ...microParams,
});

function* loop(mapped: number, pages: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    yield operation(Op.Mmap, mapped, pages, 0);
    for (let i = 0; i < pages; i++) yield visit(Op.Store, mapped + i, 1, LOOP.instructions);
    yield operation(Op.Munmap, mapped, pages);
    yield operation(Op.WorkDone, 1);
  }
}

export const pageFaultLoop: WorkloadDefinition<typeof params> = {
  name: 'page-fault-loop',
  summary: 'maps memory, stores to every page, unmaps it',
  params,
  create(options, deps) {
    const { mapped } = microPlaces(options, deps);
    const program = new ScriptProgram({ script: loop(mapped, options.pages) });
    return microWorkload(options, 'iterations', [{ regions: microRegions(), programs: [program] }]);
  },
};

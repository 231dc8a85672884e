import { z } from 'zod';
import {
  DATA,
  LOOP,
  microParams,
  microRegion,
  microRegions,
  microWorkload,
  TEXT,
} from './micro.ts';
import { operation, ScriptProgram, type Step, visit } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/** Forks children that write some of their pages and exit (the fork-and-wait loop of Adams and Agesen 2006). */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .default(256)
    .describe('private pages of the process'), // assumed
  written: z
    .int()
    .min(0)
    .max(2 ** 20)
    .default(16)
    .describe('of these, pages each child stores to'), // assumed
  ...microParams,
});

function* parent(pages: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    // A process that goes on using its memory breaks the sharing of one page per fork at least.
    yield visit(Op.Store, DATA + pages - 1, 1, LOOP.instructions);
    yield operation(Op.Fork);
    yield operation(Op.Wait);
    yield operation(Op.WorkDone, 1);
  }
}

function* child(written: number): Generator<Step> {
  yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
  for (let i = 0; i < written; i++) yield visit(Op.Store, DATA + i, 1, LOOP.instructions);
}

export const forkLoop: WorkloadDefinition<typeof params> = {
  name: 'fork-loop',
  summary: 'forks children that write some pages and exit',
  params,
  create(options) {
    const { pages, written } = options;
    if (written > pages) throw new Error('written cannot exceed pages');
    const regions = microRegions(microRegion({ name: 'data', pages }));
    const fork = () => new ScriptProgram({ script: child(written) });
    const program = new ScriptProgram({ script: parent(pages), fork });
    return microWorkload(options, 'iterations', [{ regions, program }]);
  },
};

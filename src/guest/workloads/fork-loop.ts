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
 * Forks children that write some of their pages and exit (the fork-and-wait loop of Adams and
 * Agesen 2006).
 */
const params = z.object({
  pages: z
    .int()
    .min(1)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(256)
    .describe('private pages of the process'), // assumed
  written: z
    .int()
    .min(0)
    .max(2 ** 20)
    .meta({ unit: 'pages' })
    .default(16)
    .describe('of these, pages each child stores to'), // assumed
  aslr: aslr(),
  ...microParams,
});

function* parent(data: number, pages: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    // A process that keeps using its memory breaks the sharing of at least one page per fork.
    yield visit(Op.Store, data + pages - 1, 1, LOOP.instructions);
    yield operation(Op.Fork);
    yield operation(Op.Wait);
    yield operation(Op.WorkDone, 1);
  }
}

function* child(data: number, written: number): Generator<Step> {
  yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
  for (let i = 0; i < written; i++) yield visit(Op.Store, data + i, 1, LOOP.instructions);
}

export const forkLoop: WorkloadDefinition<typeof params> = {
  name: 'fork-loop',
  summary: 'forks children that write some pages and exit',
  params,
  create(options, deps) {
    const { pages, written } = options;
    if (written > pages) throw new Error('written cannot exceed pages');
    const { data } = microPlaces(options, deps);
    const regions = microRegions(microRegion({ name: 'data', start: data, pages }));
    const fork = () => new ScriptProgram({ script: child(data, written) });
    const program = new ScriptProgram({ script: parent(data, pages), fork });
    return microWorkload(options, 'iterations', [{ regions, programs: [program] }]);
  },
};

import * as z from 'zod';
import { callClass } from '../system-call-classes.ts';
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
 * Processes in a ring: each writes to a pipe, touches its working set and yields to the next
 * (after lmbench's lat_ctx, where they pass a token through pipes).
 */
const params = z.object({
  processes: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'processes' })
    .default(2)
    .describe('processes in the ring'),
  pages: z
    .int()
    .min(0)
    .max(2 ** 18)
    .meta({ unit: 'pages' })
    .default(16)
    .describe('pages each touches at every turn'),
  aslr: aslr(),
  ...microParams,
});

function* turns(data: number, pages: number): Generator<Step> {
  for (;;) {
    yield visit(Op.Fetch, TEXT, LOOP.references, LOOP.instructions);
    yield operation(Op.Syscall, callClass('pipe'));
    for (let i = 0; i < pages; i++) {
      yield visit(i & 1 ? Op.Store : Op.Load, data + i, LOOP.references, LOOP.instructions);
    }
    yield operation(Op.WorkDone, 1);
    yield operation(Op.Yield);
  }
}

export const contextSwitchRing: WorkloadDefinition<typeof params> = {
  name: 'context-switch-ring',
  summary: 'processes that touch their working set and pass the processor on',
  params,
  create(options, deps) {
    const { pages } = options;
    const processes = Array.from({ length: options.processes }, (_, i) => {
      const { data } = microPlaces(options, deps, i);
      const region = microRegion({ name: 'data', start: data, pages: Math.max(1, pages) });
      const program = new ScriptProgram({ script: turns(data, pages) });
      return { regions: microRegions(region), programs: [program] };
    });
    return microWorkload(options, 'turns', processes);
  },
};

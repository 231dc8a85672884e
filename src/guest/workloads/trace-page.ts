import { traceParams } from './trace-params.ts';
import type { WorkloadDefinition } from './workload.ts';

/** In place of trace.ts in a page: a scenario that replays a trace is refused. */
export const trace: WorkloadDefinition<typeof traceParams> = {
  name: 'trace',
  summary: '',
  params: traceParams,
  create() {
    throw new Error('a page replays no traces, to be small: run the scenario with Node');
  },
};

import * as z from 'zod';
import { duration } from '../../base/units.ts';
import { operation, visit } from './item.ts';
import { LOOP, microParams, microRegions, microWorkload, TEXT } from './micro.ts';
import { ScriptProgram, type Step } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/** Nothing but timer ticks, and a daemon that wakes up now and then. */
const params = z.object({
  period: duration()
    .pipe(z.number().min(1e6, { error: 'a period is at least 1us' }))
    .default(1e12)
    .describe('time between two wake-ups of the daemon'), // assumed (10ms-10s)
  instructions: z
    .int()
    .min(1)
    .max(65_535)
    .meta({ unit: 'instructions' })
    .default(20_000)
    .describe('user instructions of a wake-up'), // assumed (1e3-65e3)
  ...microParams,
});

function* daemon(microseconds: number, instructions: number): Generator<Step> {
  for (;;) {
    yield operation(Op.Sleep, microseconds);
    yield visit(Op.Fetch, TEXT, LOOP.references, instructions, 0, 16);
    yield operation(Op.WorkDone, 1);
  }
}

export const idle: WorkloadDefinition<typeof params> = {
  name: 'idle',
  summary: 'sleeps, apart from timer ticks and a daemon',
  params,
  create(options) {
    const script = daemon(Math.round(options.period / 1e6), options.instructions);
    const program = new ScriptProgram({ script });
    const processes = [{ regions: microRegions(), programs: [program] }];
    return { ...microWorkload(options, 'wake-ups', processes), skips: true };
  },
};

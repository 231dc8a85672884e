import * as z from 'zod';
import { duration } from '../base/units.ts';

/** Long runs: most of the time is skipped, at prices learned in windows that are not. */
export const samplingSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('off').describe('everything is simulated in detail') }),
    z.strictObject({
      kind: z
        .literal('learned')
        .describe('stretches of visits cost what they cost in windows of detail'),
      warm: duration()
        .pipe(z.number().positive())
        .meta({ range: 'of more than 0' })
        .prefault('5ms')
        .describe(
          'detail before each window, in which caches and TLBs fill, and nothing is learned',
        ),
      detail: duration()
        .pipe(z.number().positive())
        .meta({ range: 'of more than 0' })
        .prefault('10ms')
        .describe('length of a window in which prices are learned'),
      target: z
        .number()
        .gt(0)
        .max(1)
        .meta({ unit: 'share' })
        .prefault(0.01)
        .describe(
          'windows are repeated until the prices of each group of VMs are known so well, with ' +
            '95 % confidence',
        ),
    }),
  ])
  .describe('long runs: what is simulated in detail, and what only in steps');

/** How a run is sampled; times in ticks. */
export interface SamplingPlan {
  readonly warm: number;
  readonly detail: number;
  readonly target: number;
}

import * as z from 'zod';
import { duration } from '../../../base/units.ts';
import type { EpochPolicyDefinition } from './policy.ts';

const params = z.object({
  interval: duration()
    .prefault('25ms')
    .describe(
      'from the begin of a checkpoint to that of the next; Remus was measured at 25 to 100 ms',
    ),
  missed: z
    .int()
    .min(2)
    .max(1000)
    .prefault(5) // recalled
    .meta({ unit: 'intervals' })
    .describe('silence after which the other side counts as lost'),
  // Cully on xen-devel, 3 July 2008: 1 ms each, in whole milliseconds, on a Pentium 4 that idled.
  suspend: duration()
    .prefault('1ms')
    .describe(
      'the guest hears that it is to stop, and its kernel does so: measured 1 ms with an ' +
        'event channel, 84 to 92 ms through xenstore as in Xen 3.2',
    ),
});

/**
 * Remus on Xen (Cully et al., NSDI 2008): checkpoints at a fixed interval, one after the other. The
 * network waits at the primary. Disk writes go to the primary's disk at once and to a buffer of the
 * backup, which writes them when their checkpoint has come.
 */
export const remus: EpochPolicyDefinition<typeof params> = {
  name: 'remus',
  summary: 'Remus on Xen: a checkpoint every 25 ms, packets wait, disk writes do not',
  params,
  hostTimeout: ({ interval, missed }) => interval * missed,
  suspend: ({ suspend }) => suspend,
  holdsWrites: false,
  nestedOnly: undefined,
  create({ interval }, { cycles }) {
    const length = cycles(interval);
    return { first: length, next: () => length };
  },
};

import * as z from 'zod';
import { duration } from '../../base/units.ts';

/** What differs between versions of Xen. Longest turn: CSCHED2_MAX_TIMER. */
export const VERSIONS = {
  'xen-4.1': { longest: 2e9, ratelimit: 0, caps: false, yields: false, holdsTickles: false },
  'xen-4.10': { longest: 10e9, ratelimit: 1e9, caps: true, yields: true, holdsTickles: true },
} as const;

export const params = z.object({
  version: z
    .enum(['xen-4.1', 'xen-4.10'])
    .prefault('xen-4.10')
    .describe(
      'xen-4.1: turns up to 2 ms, no caps, yield does nothing; xen-4.10: turns up to 10 ms, ' +
        'caps, a rate limit; default xen-4.10',
    ),
  runqueue: z
    .enum(['core', 'socket', 'all'])
    .prefault('socket') // sched_credit2 runqueue=socket, the default of Xen 4.8
    .describe('which pCPUs share a run queue; default socket'),
  ratelimit: duration()
    .optional()
    .describe('a vCPU runs at least this long before another preempts it; default 1ms, 0 in 4.1'),
  migrateResist: duration()
    .prefault('500us') // CSCHED2_MIGRATE_RESIST
    .describe('lead in credit that a vCPU needs to leave the pCPU it ran on; default 500us'),
});
export type Params = z.output<typeof params>;

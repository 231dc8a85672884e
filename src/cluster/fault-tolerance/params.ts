import * as z from 'zod';
import { duration } from '../../base/units.ts';
import { lagControls } from './lag-controls/index.ts';
import { logParams } from './log-params.ts';

/**
 * How a pair notices and decides. Defaults are advanced settings of ESXi 5 (host timeout 2 s, log
 * timeout 8 s, heartbeat count 10), unless marked assumed.
 */
export const recordReplayParams = z.object({
  disk: z
    .enum(['shared', 'backup-reads', 'non-shared'])
    .prefault('shared')
    .describe(
      'who reads and writes: the primary, which ships what it reads; the secondary reads for ' +
        'itself; each has a disk of its own',
    ),
  log: logParams.prefault({}).describe('sizes and prices of the log'),
  lagControl: lagControls.schema
    .prefault({ kind: 'product' })
    .describe('how the primary is slowed when the secondary falls behind'),
  controlInterval: duration()
    .prefault('100ms')
    .describe('from one look at the lag to the next; assumed (10 ms-1 s)'),
  hostTimeout: duration()
    .prefault('2s')
    .describe('silence after which the other side counts as lost'),
  heartbeats: z
    .int()
    .min(2)
    .max(100)
    .prefault(10)
    .meta({ unit: 'heartbeats' })
    .describe('heartbeats sent within the host timeout'),
  logTimeout: duration()
    .prefault('8s')
    .describe('the secondary counts as lost when it takes nothing from the log for so long'),
  retransmit: duration()
    .prefault('200ms')
    .describe('until what did not arrive is sent again: least timeout of TCP; assumed (1 ms-1 s)'),
  arbiterRetry: duration()
    .prefault('1s')
    .describe('from an attempt to reach the shared disk to the next; assumed (100 ms-10 s)'),
  goLive: duration()
    .prefault('10ms')
    .describe(
      'work of a secondary that becomes the primary, after the replay: outputs on, MAC ' +
        'address announced; assumed (1-500 ms)',
    ),
  renew: z
    .boolean()
    .optional()
    .meta({ usual: 'true, unless an event `protect` names the VM or it replays a trace' })
    .describe(
      'a VM that has lost its secondary gets a new one at once, on a host with room and a ' +
        'link: as the HA cluster of the product did it',
    ),
  timeScale: z
    .number()
    .positive()
    .max(1)
    .prefault(1)
    .meta({ unit: 'of the real time' })
    .describe(
      'shortens all times of detection and lag control, lags that count as good or bad ' +
        'included: for runs of milliseconds',
    ),
});

export type RecordReplayParams = z.output<typeof recordReplayParams>;

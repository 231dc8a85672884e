import * as z from 'zod';
import { duration, size } from '../../../base/units.ts';
import { epochPolicies } from './index.ts';

const cycles = (assumed: number) =>
  z.int().min(0).max(10_000_000).prefault(assumed).meta({ unit: 'cycles' });
const bytes = (assumed: number) =>
  z.int().min(0).max(16_777_216).prefault(assumed).meta({ unit: 'bytes' });

/** Sizes and prices of a checkpoint. All are assumed, each with its range. */
const costs = z.strictObject({
  stopCycles: cycles(100_000).describe(
    'the guest is stopped for so long besides its pages: calls, state of processors and ' +
      'devices; assumed (20000-1000000)',
  ),
  pageCycles: cycles(500).describe(
    'at either end, for each page: maps, bookkeeping; assumed (200-2000)',
  ),
  lineCycles: cycles(64).describe(
    'copy of 64 bytes of a page, into the buffer and out of it; assumed (32-96)',
  ),
  messageCycles: cycles(4000).describe(
    'CPU time of a host to send or receive one message, its bytes apart; assumed (2000-15000)',
  ),
  bytesPerCycle: z
    .number()
    .positive()
    .max(64)
    .prefault(1)
    .meta({ unit: 'bytes per cycle' })
    .describe('speed of the network stack of a host; assumed (0.5-4)'),
  stateBytes: bytes(12_288).describe(
    'state of processors and devices in a checkpoint; assumed (8-256 KiB)',
  ),
  pageBytes: bytes(8).describe('bytes beside each page: its number; assumed (8-32)'),
  writeBytes: bytes(4096).describe(
    'a disk write, of which the model knows no size, in a checkpoint; assumed (512-65536)',
  ),
  ackBytes: bytes(90).describe(
    'bytes on the wire of an acknowledgement or a heartbeat: a frame without payload',
  ),
  window: size()
    .prefault('256KiB')
    .describe('bytes sent and not yet taken by the secondary; assumed (128 KiB-4 MiB)'),
});

/** How a VM is protected by checkpoints. */
export const checkpointParams = z.object({
  policy: epochPolicies.schema
    .prefault({ kind: 'remus' })
    .describe('how long the VM runs between two checkpoints, and what waits for them'),
  costs: costs.prefault({}).describe('sizes and prices of a checkpoint'),
  compression: z
    .number()
    .min(0.01)
    .max(1)
    .prefault(1)
    .meta({ unit: 'of its bytes' })
    .describe('what is left of a page on the link; 1 = sent as it is'),
  heartbeats: z
    .int()
    .min(2)
    .max(100)
    .prefault(10)
    .meta({ unit: 'heartbeats' })
    .describe('heartbeats sent within the time that counts as silence'),
  retransmit: duration()
    .prefault('200ms')
    .describe('until what did not arrive is sent again: least timeout of TCP; assumed (1 ms-1 s)'),
  clientRetransmit: duration()
    .prefault('200ms')
    .describe(
      'until a client first sends again what got no acknowledgement, then twice as long each ' +
        'time; assumed (200 ms-3 s)',
    ),
  arbiterRetry: duration()
    .prefault('1s')
    .describe('from an attempt to reach the shared disk to the next; assumed (100 ms-10 s)'),
  goLive: duration()
    .prefault('10ms')
    .describe(
      'work of a secondary that becomes the primary: outputs on, MAC address announced; ' +
        'assumed (1-500 ms)',
    ),
  timeScale: z
    .number()
    .positive()
    .max(1)
    .prefault(1)
    .meta({ unit: 'of the real time' })
    .describe('shortens all times of detection and repetition: for runs of milliseconds'),
});

export type CheckpointParams = z.output<typeof checkpointParams>;

import * as z from 'zod';
import { size } from '../../base/units.ts';

const bytes = (published: number) =>
  z.int().min(0).max(65_536).prefault(published).meta({ unit: 'bytes' });
const cycles = (assumed: number) =>
  z.int().min(0).max(10_000_000).prefault(assumed).meta({ unit: 'cycles' });

/**
 * Sizes and prices of the log. Derived from the traffic of idle guests and of network tests that
 * VMware published for vSphere 4 (2009, 2010), unless marked assumed; each with its range.
 */
export const logParams = z.strictObject({
  timerBytes: bytes(172).describe(
    'log bytes of a timer interrupt: with the two clock reads of its handler 220, derived ' +
      'from the traffic of idle guests (130-290)',
  ),
  deviceBytes: bytes(100).describe(
    'log bytes of a device interrupt that brings no data; assumed (50-340)',
  ),
  packetBytes: bytes(60).describe(
    'log bytes of a received packet besides its own; derived: 950 Mbit/s logged for 890 received',
  ),
  diskRequestBytes: bytes(100).describe(
    'log bytes of a disk read besides its data; assumed (50-300)',
  ),
  clockBytes: bytes(24).describe('log bytes of a clock read; assumed (16-64)'),
  outputBytes: bytes(32).describe('log bytes of an output; assumed (16-64)'),
  ackBytes: bytes(90).describe(
    'bytes on the wire of an acknowledgement or a heartbeat: a frame without payload',
  ),
  entryCycles: cycles(1500).describe(
    'CPU time to write or to take one entry, its data apart; assumed (500-5000)',
  ),
  bytesPerCycle: z
    .number()
    .positive()
    .max(64)
    .prefault(4)
    .meta({ unit: 'bytes per cycle' })
    .describe('speed of the copy of data into the log and out of it; assumed (2-16)'),
  messageCycles: cycles(4000).describe(
    'CPU time of a host to send or receive one message of the log, its bytes apart; assumed ' +
      '(2000-15000)',
  ),
  singleSteps: z
    .int()
    .min(0)
    .max(100)
    .prefault(10)
    .meta({ unit: 'exits' })
    .describe(
      'exits to reach the instruction of an asynchronous event, after the counter interrupt; ' +
        'assumed (0-100)',
    ),
  buffer: size()
    .prefault('8MiB')
    .describe('log buffer on each side; a full one stops the primary; assumed (1-64 MiB)'),
  window: size()
    .prefault('128KiB')
    .describe('bytes sent and not yet taken by the secondary: the TCP buffer of ESXi 5'),
});

export type LogParams = z.output<typeof logParams>;
/** What sending and receiving ask of a stream of entries. */
export type StreamParams = Pick<
  LogParams,
  'ackBytes' | 'buffer' | 'bytesPerCycle' | 'entryCycles' | 'messageCycles' | 'window'
>;
export type LogSizes = Pick<
  LogParams,
  'timerBytes' | 'deviceBytes' | 'packetBytes' | 'diskRequestBytes' | 'clockBytes' | 'outputBytes'
>;

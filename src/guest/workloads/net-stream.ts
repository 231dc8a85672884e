import * as z from 'zod';
import { duration, size } from '../../base/units.ts';
import { MSS, ROUND_TRIP } from '../../hypervisor/packets.ts';
import { type Item, operation, visit } from './item.ts';
import { LOOP, microParams, microRegions, microWorkload, TEXT } from './micro.ts';
import { ScriptProgram, type Step } from './script.ts';
import { Op, type WorkloadDefinition } from './workload.ts';

/**
 * A stream over TCP that never ends (after netperf's TCP_STREAM): from a client, who sends as far
 * as the window allows, or to one. It runs at the speed of the wire where nothing else is slower.
 */
const params = z.object({
  direction: z
    .enum(['receive', 'send'])
    .default('receive')
    .describe('receive: the VM gets the stream; send: it makes it'),
  connections: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'connections' })
    .default(4)
    .describe('streams at a time, each with a thread of the program'),
  message: size()
    .pipe(
      z
        .number()
        .min(1)
        .max(2 ** 30, { error: 'a message is at most 1GiB' }),
    )
    .meta({ range: 'of at most 1GiB' })
    .default(8 * MSS)
    .describe('bytes that the program reads or writes at a time'), // assumed (4-64 KiB)
  window: size()
    .pipe(
      z
        .number()
        .min(1)
        .max(2 ** 30, { error: 'a window is at most 1GiB' }),
    )
    .meta({ range: 'of at most 1GiB' })
    .default(45 * MSS)
    .describe(
      'bytes of a connection that are sent before any must have been acknowledged, at least ' +
        'one message',
    ), // assumed (16 KiB-4 MiB): as in packets.ts
  roundTrip: duration()
    .default(ROUND_TRIP * 1e6)
    .describe('receive: from an acknowledgement to what the client sends next'), // assumed (50-500us)
  ...microParams,
});

/** Instructions of the program for a message, besides those of its kernel. assumed (100-2000) */
const MESSAGE = 400;

const handle = (): Item => visit(Op.Fetch, TEXT, LOOP.references, MESSAGE, 0, 8);

function* receive(bytes: number): Generator<Step> {
  for (;;) {
    yield operation(Op.AwaitRequest, bytes);
    yield operation(Op.Acknowledge, bytes);
    yield handle();
    yield operation(Op.WorkDone, 1);
  }
}

/** A sender waits when the window is full, until all of it is acknowledged. */
function* send(bytes: number, pieces: number): Generator<Step> {
  for (;;) {
    for (let piece = 1; piece <= pieces; piece++) {
      yield handle();
      yield operation(Op.RequestDone, bytes, piece === pieces ? 1 : 0);
      yield operation(Op.WorkDone, 1);
    }
  }
}

export const netStream: WorkloadDefinition<typeof params> = {
  name: 'net-stream',
  summary: 'receives or sends a stream over TCP as fast as it can',
  params,
  create(options) {
    const { connections, direction, message, roundTrip, window } = options;
    const receives = direction === 'receive';
    const pieces = Math.max(1, Math.floor(window / message));
    const script = () => (receives ? receive(message) : send(message, pieces));
    const programs = Array.from(
      { length: connections },
      () => new ScriptProgram({ script: script() }),
    );
    const workload = microWorkload(options, 'messages', [{ regions: microRegions(), programs }]);
    if (!receives) return workload;
    return {
      ...workload,
      requestBytes: message,
      arrivals: {
        kind: 'window',
        pieces: connections * pieces,
        roundTripPicoseconds: roundTrip,
      },
    };
  },
};

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
    .describe('streams at a time'),
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
    .default(45 * MSS) // assumed (16 KiB-4 MiB): as in packets.ts
    .describe('bytes of a connection that may be sent and not acknowledged, at least one message'),
  roundTrip: duration()
    .default(ROUND_TRIP * 1e6) // assumed (50-500us)
    .describe('receive: from an acknowledgement to what the client sends next'),
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

/**
 * Parts of a window at most. As each is acknowledged the next one of its size is sent, so that a
 * window slides, in steps of messages where it holds no more than that.
 */
const PARTS = 16;
/** Senders of all connections at most. */
const SENDERS = 256;

/** The sender of a part of a window waits until that is acknowledged. */
function* send(bytes: number, pieces: number): Generator<Step> {
  for (;;) {
    for (let piece = 1; piece <= pieces; piece++) {
      yield handle();
      yield operation(Op.RequestDone, bytes, piece === pieces ? 1 : 0);
      yield operation(Op.WorkDone, 1);
    }
  }
}

/** Messages in the part of each sender: those of a connection have its window between them. */
function senders(connections: number, pieces: number): number[] {
  const most = Math.max(1, Math.min(PARTS, Math.floor(SENDERS / connections)));
  const parts = Math.min(pieces, most);
  return Array.from({ length: connections * parts }, (_, i) => {
    const part = i % parts;
    return Math.floor(((part + 1) * pieces) / parts) - Math.floor((part * pieces) / parts);
  });
}

export const netStream: WorkloadDefinition<typeof params> = {
  name: 'net-stream',
  summary: 'receives or sends a stream over TCP as fast as it can',
  params,
  create(options) {
    const { connections, direction, message, roundTrip, window } = options;
    const pieces = Math.max(1, Math.floor(window / message));
    const programs =
      direction === 'receive'
        ? Array.from({ length: connections }, () => receive(message))
        : senders(connections, pieces).map((size) => send(message, size));
    const workload = microWorkload(options, 'messages', [
      {
        regions: microRegions(),
        programs: programs.map((script) => new ScriptProgram({ script })),
      },
    ]);
    if (direction === 'send') return workload;
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

import { describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import { metric, type Overrides, run } from '../support/scenarios.ts';

/** What bytes cost: packets, doorbells, interrupts and cycles of the host, counted by hand. */

const DEVICES = {
  network: {
    sendBytes: 1448,
    kickPieces: 3,
    receivePackets: 2,
    sendPiece: 101,
    sendLine: 7,
    receivePacket: 211,
    receiveLine: 3,
    receiveWait: '0us',
    worker: 'vcpu',
  },
  disk: { requestBytes: 131_072, requestLine: 5, request: 0, answer: 0, worker: 'vcpu' },
};
const COSTS = { deviceUser: 1000, hostInterrupt: 500, hostHz: 0 };

interface Case {
  readonly requests?: Overrides;
  readonly workload?: Overrides;
  readonly network?: Overrides;
  readonly disk?: Overrides;
  readonly mmu?: string;
  readonly duration?: string;
}

/** One request and nothing else: the next one would come after the end. */
async function oneRequest(options: Case = {}): Promise<RunResult> {
  const { requests, workload, disk, network, mmu = 'nested', duration = '20ms' } = options;
  const result = await run({
    seed: 363, // the first request after 0.7 ms, the second half a second later
    duration,
    hypervisor: {
      mmu: { kind: mmu },
      backing: 'up-front',
      costs: COSTS,
      footprint: { touches: false },
      devices: {
        network: { ...DEVICES.network, ...network },
        disk: { ...DEVICES.disk, ...disk },
      },
    },
    host: { caches: { data: 'off' } },
    vms: [
      {
        name: 'vm',
        memory: '32MiB',
        workload: {
          kind: 'synthetic',
          hz: 0,
          regions: [{ name: 'text', kind: 'code', size: '16KiB', share: 1 }],
          ...workload,
          requests: {
            arrivals: { kind: 'closed', clients: 1, think: '500ms' },
            instructions: 1000,
            distribution: 'fixed',
            ...requests,
          },
        },
      },
    ],
    checks: { translations: false },
  });
  expect(metric(result, 'requests_arrived'), 'requests that arrived').toBe(1);
  expect(metric(result, 'requests'), 'requests served').toBe(1);
  return result;
}

const cycles = (result: RunResult, leaf: string, detail = ''): number =>
  result.ledger
    .filter((row) => row.leaf === leaf && row.detail === detail)
    .reduce((sum, row) => sum + row.cycles, 0);

const exits = (result: RunResult, reason: string): number =>
  result.exits.find((row) => row.reason === reason)?.count ?? 0;

const busy = (result: RunResult): number =>
  result.ledger.filter(({ leaf }) => leaf !== 'idle').reduce((sum, row) => sum + row.cycles, 0);

describe('the network', () => {
  // bytes, sendBytes, kickPieces, receivePackets -> packets, doorbells, interrupts (request, acks), cycles of the
  // host for what goes out, and for what comes in
  test.each([
    // One packet, one doorbell, one acknowledgement: 1 line out, 8 + 1 in.
    [1, 1448, 3, 2, 1, 1, 2, 1000 + 101 + 7, 2 * 211 + 9 * 3],
    [1448, 1448, 3, 2, 1, 1, 2, 1000 + 101 + 23 * 7, 2 * 211 + 9 * 3],
    // A byte more is a packet more, in the same doorbell.
    [1449, 1448, 3, 2, 2, 1, 2, 1000 + 2 * 101 + 23 * 7, 2 * 211 + 9 * 3],
    // 8 packets in doorbells of 3, 3 and 2 (68, 68 and 25 lines); 4 acknowledgements, two an interrupt.
    [10_240, 1448, 3, 2, 8, 3, 3, 3000 + 8 * 101 + 161 * 7, 5 * 211 + 12 * 3],
    // The same as one large piece.
    [10_240, 65_160, 3, 2, 8, 1, 3, 1000 + 101 + 160 * 7, 5 * 211 + 12 * 3],
    [10_240, 1448, 1, 4, 8, 8, 2, 8000 + 8 * 101 + (7 * 23 + 2) * 7, 5 * 211 + 12 * 3],
    // Nothing is sent, and nothing acknowledged.
    [0, 1448, 3, 2, 0, 0, 1, 0, 211 + 8 * 3],
  ])('%i bytes in pieces of %i, %i a doorbell, %i an interrupt', async (...row) => {
    const [responseBytes, sendBytes, kickPieces, receivePackets, ...expected] = row;
    const [packets, doorbells, interrupts, out, into] = expected;
    const result = await oneRequest({
      requests: { responseBytes },
      network: { sendBytes, kickPieces, receivePackets },
    });
    expect(metric(result, 'packets_sent')).toBe(packets);
    expect(metric(result, 'packets_received')).toBe(1 + Math.ceil(packets! / 2));
    expect(metric(result, 'doorbells')).toBe(doorbells);
    expect(exits(result, 'ioio')).toBe(doorbells);
    expect(metric(result, 'interrupts')).toBe(interrupts);
    expect(cycles(result, 'host', 'device')).toBe(out);
    expect(cycles(result, 'host', 'interrupt')).toBe(interrupts! * 500 + into!);
  });

  test('10 MB go out in windows that wait for acknowledgements', async () => {
    const result = await oneRequest({
      requests: { responseBytes: 10 * 2 ** 20 },
      network: { sendBytes: 65_160, receivePackets: 4 },
      duration: '150ms',
    });
    // 160 windows of 45 packets and 23 acknowledgements, and one of 42 and 21.
    expect(metric(result, 'packets_sent')).toBe(7242);
    expect(metric(result, 'packets_received')).toBe(1 + 160 * 23 + 21);
    expect(metric(result, 'doorbells')).toBe(161);
    expect(metric(result, 'interrupts')).toBe(1 + 160 * 6 + 6);
    const lines = 160 * 1019 + Math.ceil((10 * 2 ** 20 - 160 * 65_160) / 64);
    const received = 1 + 160 * 23 + 21;
    expect(cycles(result, 'host', 'device')).toBe(161 * 1101 + lines * 7);
    expect(cycles(result, 'host', 'interrupt')).toBe(
      967 * 500 + received * 211 + (8 + received - 1) * 3,
    );
    // At a gigabit a second the wire alone takes 88 ms.
    expect(metric(result, 'latency_max_ns') / 1e6).toBeGreaterThan(88);
  });

  test('a request of several packets interrupts several times', async () => {
    const result = await oneRequest({ requests: { requestBytes: 10_000, responseBytes: 0 } });
    expect(metric(result, 'packets_received')).toBe(7);
    expect(metric(result, 'interrupts')).toBe(4);
    // All of it is there after 5 packets more of 12.3 us.
    expect(metric(result, 'latency_max_ns') / 1e3).toBeGreaterThan(5 * 12.3);
    // Batches of 2896, 2896, 2896 and 1312 bytes.
    expect(cycles(result, 'host', 'interrupt')).toBe(4 * 500 + 7 * 211 + (3 * 46 + 21) * 3);
  });

  test('the kernel of the guest executes the same in every paging mode', async () => {
    const modes = ['native', 'nested', 'shadow'];
    const results = await Promise.all(
      modes.map((mmu) => oneRequest({ mmu, requests: { responseBytes: 200_000 } })),
    );
    for (const name of ['instructions', 'packets_sent', 'packets_received', 'doorbells'] as const) {
      const [native, ...others] = results.map((result) => metric(result, name));
      expect(others, name).toEqual([native, native]);
    }
    const [native] = results;
    expect(native!.exits).toEqual([]);
    expect(cycles(native!, 'host', 'device')).toBe(0);
  });

  test('without a hypervisor a doorbell is an uncached access', async () => {
    const at = async (kickPieces: number) =>
      oneRequest({ mmu: 'native', requests: { responseBytes: 14_480 }, network: { kickPieces } });
    const [one, five] = [await at(10), await at(2)];
    expect(metric(five, 'doorbells') - metric(one, 'doorbells')).toBe(4);
    expect(cycles(five, 'guest.kernel') - cycles(one, 'guest.kernel')).toBe(4 * 180);
  });
});

describe('the disk', () => {
  // bytes -> requests, lines
  test.each([
    [0, 1, 0],
    [1, 1, 1],
    [131_072, 1, 2048],
    [131_073, 2, 2049],
    [300_000, 3, 2048 + 2048 + 592],
    // More than a mebibyte goes in two parts.
    [2 ** 20 + 1, 9, 2 ** 14 + 1],
  ])('an operation of %i bytes is %i requests', async (ioBytes, requests, lines) => {
    const quiet = await oneRequest({ requests: { responseBytes: 0 } });
    const result = await oneRequest({
      workload: { ioBytes, ioLatency: '2ms' },
      requests: { responseBytes: 0, ioProbability: 1 },
    });
    expect(metric(result, 'io_requests')).toBe(1);
    expect(metric(result, 'disk_requests')).toBe(requests);
    expect(metric(result, 'doorbells')).toBe(requests);
    expect(metric(result, 'interrupts') - metric(quiet, 'interrupts')).toBe(requests);
    expect(cycles(result, 'host', 'device') - cycles(quiet, 'host', 'device')).toBe(
      requests * 1000 + lines * 5,
    );
    const waited = (metric(result, 'latency_max_ns') - metric(quiet, 'latency_max_ns')) / 1e6;
    expect(waited).toBeGreaterThan(2);
    expect(waited).toBeLessThan(2 + 0.2 * requests);
  });
});

/** Of both leaves of `host`, and only in the row of the host. */
const hostRow = (result: RunResult): number =>
  result.ledger
    .filter(({ vm, leaf }) => vm === 'host' && leaf === 'host')
    .reduce((sum, row) => sum + row.cycles, 0);

describe('a thread of the host', () => {
  test.each([1, 1449, 10_240])('does the same for an answer of %i bytes', async (responseBytes) => {
    const own = await oneRequest({ requests: { responseBytes } });
    const thread = await oneRequest({ requests: { responseBytes }, network: { worker: 'thread' } });
    for (const name of ['instructions', 'packets_sent', 'packets_received', 'doorbells'] as const) {
      expect(metric(thread, name), name).toBe(metric(own, name));
    }
    // The model answers the doorbell in the exit; all else is in the row of the host.
    const inside = metric(own, 'doorbells') * 1000;
    const all = cycles(own, 'host', 'device') + cycles(own, 'host', 'interrupt');
    expect(hostRow(own)).toBe(0);
    expect(cycles(thread, 'host', 'device') + cycles(thread, 'host', 'interrupt')).toBe(all);
    expect(hostRow(thread)).toBe(all - inside);
    expect(metric(thread, 'latency_max_ns')).toBeGreaterThan(metric(own, 'latency_max_ns'));
  });

  test.each([0, 1, 300_000])('does the same for %i bytes of the disk', async (ioBytes) => {
    const plan = {
      workload: { ioBytes, ioLatency: '2ms' },
      requests: { responseBytes: 0, ioProbability: 1 },
    };
    const prices = { request: 700, answer: 300 };
    const own = await oneRequest({ ...plan, disk: prices });
    const thread = await oneRequest({ ...plan, disk: { ...prices, worker: 'thread' } });
    const requests = metric(own, 'disk_requests');
    expect(metric(thread, 'disk_requests')).toBe(requests);
    expect(hostRow(thread)).toBe(requests * (1000 + 500) + linesIn(ioBytes) * 5);
    const device = (result: RunResult) => cycles(result, 'host', 'device');
    expect(device(thread)).toBe(device(own));
  });
});

const linesIn = (bytes: number): number =>
  [...Array(Math.ceil(bytes / 131_072)).keys()].reduce(
    (sum, i) => sum + Math.ceil(Math.min(131_072, bytes - i * 131_072) / 64),
    0,
  );

describe('more bytes cost more', () => {
  const SIZES = [0, 1, 700, 1448, 1449, 4000, 20_000, 65_160, 65_161, 300_000, 1_000_000];
  const rises = (values: readonly number[]) => {
    for (const [i, value] of values.slice(1).entries()) expect(value).toBeGreaterThan(values[i]!);
  };

  test.each(['nested', 'shadow', 'native'])('of an answer, %s', async (mmu) => {
    const all = SIZES.map((responseBytes) => oneRequest({ mmu, requests: { responseBytes } }));
    rises((await Promise.all(all)).map(busy));
  });

  test('of a request', async () => {
    const all = SIZES.slice(1).map((requestBytes) =>
      oneRequest({ requests: { requestBytes, responseBytes: 0 } }),
    );
    rises((await Promise.all(all)).map(busy));
  });

  test('of an operation of the disk', async () => {
    const all = [1, 100, 4096, 8192, 65_536, 131_072, 131_073, 300_000, 2 ** 20 + 1].map(
      (ioBytes) =>
        oneRequest({
          workload: { ioBytes, ioLatency: '1ms' },
          requests: { responseBytes: 0, ioProbability: 1 },
        }),
    );
    rises((await Promise.all(all)).map(busy));
  });
});

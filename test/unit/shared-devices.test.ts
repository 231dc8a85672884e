import { describe, expect, it } from 'vitest';
import { Disk } from '../../src/hypervisor/disk.ts';
import { wireBytes } from '../../src/hypervisor/packets.ts';
import { Wire } from '../../src/hypervisor/wire.ts';
import type { MetricName } from '../../src/stats/metrics.ts';
import type { RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import { load, metric, type Overrides, run } from '../support/scenarios.ts';

/** The wire and the disk that the VMs of a host share. */

const ofHost = (result: RunResult, name: MetricName): number =>
  result.metrics.find(({ scope, metric: own }) => scope === 'host' && own === name)!.value;

describe('a wire', () => {
  it('sends in order, never faster than it can, and is busy while it sends', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 9000 }), gap: fc.nat(200_000) })),
        (sends) => {
          const wire = new Wire(2000, 1e9);
          let now = 0;
          let last = 0;
          let sum = 0;
          for (const { bytes, gap } of sends) {
            now += gap;
            const at = wire.send(bytes, now);
            expect(at).toBe(Math.max(now, last) + 16 * bytes);
            last = at;
            sum += 16 * bytes;
            expect(wire.busyBy(now)).toBeLessThanOrEqual(now);
          }
          expect(wire.busyBy(last)).toBe(sum);
        },
      ),
    );
  });

  it('forgets what waits when it is cleared', () => {
    const wire = new Wire(2000, 1e9);
    wire.send(1000, 0);
    wire.clear(4000);
    expect([wire.freeAt(5000), wire.busyBy(5000)]).toEqual([5000, 4000]);
  });
});

describe('a disk', () => {
  const read = { bytes: 4096, latency: 10_000, write: false };

  it('without a capacity answers each request after its latency', () => {
    const disk = new Disk(2000, undefined);
    expect([disk.serve(read, 0), disk.serve(read, 0)]).toEqual([10_000, 10_000]);
  });

  it('with one serves requests one after the other, each no faster than its latency', () => {
    // 2 us for each request and 16 cycles for each byte.
    const disk = new Disk(2000, { bandwidth: 1e9, serviceTime: 2e6 });
    const service = 4000 + 16 * 4096;
    expect(disk.serve(read, 0)).toBe(service);
    expect(disk.serve({ ...read, latency: 500_000 }, 0)).toBe(service + 500_000);
    expect(disk.serve({ bytes: 0, latency: 0, write: true }, 0)).toBe(2 * service + 4000);
    expect(disk.busyBy(service)).toBe(service);
    expect(disk.count).toEqual({ reads: 2, writes: 1, readBytes: 8192, writtenBytes: 0 });
  });
});

const stream = (direction: string, bandwidth: string, more: Overrides = {}): Overrides => ({
  duration: '50ms',
  warmup: '10ms',
  checks: { translations: false },
  host: { processor: 'opteron-1354', pcpus: 2, memory: '1GiB', network: { bandwidth } },
  hypervisor: { profile: 'kvm-2.6.33', mmu: { kind: 'native' } },
  vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'net-stream', direction, ...more } }],
});

describe.each(['receive', 'send'])('a stream to %s', (direction) => {
  it('runs at the speed of the wire, and shares it with others', async () => {
    const one = await run(stream(direction, '1Gb/s'));
    const cycles = direction === 'receive' ? 'network_in_cycles' : 'network_out_cycles';
    expect(ofHost(one, cycles) / one.windowCycles).toBeGreaterThan(0.98);
    const { windowCycles, mhz } = one;
    const bits = metric(one, 'work') * 8 * 11_584;
    // 1448 of 1538 bytes on the wire are the program's.
    expect((bits * mhz) / windowCycles).toBeGreaterThan(925);
    expect((bits * mhz) / windowCycles).toBeLessThan(950);

    const half = await run(stream(direction, '500Mb/s'));
    expect(metric(half, 'work') / metric(one, 'work')).toBeCloseTo(0.5, 1);

    const base = stream(direction, '1Gb/s');
    const [vm] = base['vms'] as [Overrides];
    const two = await run({ ...base, vms: [{ ...vm, count: 2 }] });
    const works = [metric(two, 'work', 'vm-0'), metric(two, 'work', 'vm-1')];
    expect(works[0]! / works[1]!).toBeCloseTo(1, 0);
    expect((works[0]! + works[1]!) / metric(one, 'work')).toBeCloseTo(1, 1);
  });
});

describe('the window of a sender', () => {
  const sent = async (window: string, message: string) => {
    const more = { connections: 1, window, message };
    return run(stream('send', '1Gb/s', more));
  };

  it('slides: one connection fills the wire although each window waits for acknowledgements', async () => {
    const one = await sent('64KiB', '16KiB');
    expect(ofHost(one, 'network_out_cycles') / one.windowCycles).toBeGreaterThan(0.97);
  });

  it('bounds what is sent in a round trip', async () => {
    const small = await sent('8KiB', '4KiB');
    const bits = (metric(small, 'work') * 8 * 4096 * small.mhz) / small.windowCycles;
    // 100 us to an acknowledgement, and the time of the packets on the wire.
    expect(bits).toBeLessThan((8 * 8192) / 100);
    expect(bits).toBeGreaterThan(0.5 * ((8 * 8192) / 140));
  });
});

describe('answers', () => {
  const server = (network: Overrides | undefined): Overrides => ({
    duration: '80ms',
    checks: { translations: false },
    host: { processor: 'opteron-1354', memory: '1GiB', ...(network && { network }) },
    // No thread that the VMs wait for.
    hypervisor: { devices: { network: { worker: 'vcpu' } } },
    vms: [
      {
        name: 'vm',
        count: 2,
        memory: '96MiB',
        workload: {
          kind: 'web-server',
          requests: {
            arrivals: { kind: 'open', rate: '200/s' },
            instructions: 1000,
            syscalls: { simple: 1 },
            ioProbability: 0,
            responseBytes: 60_000,
          },
        },
      },
    ],
  });

  it('have been sent when the last packet has left: latency contains the wire', async () => {
    const alone = await run(server(undefined));
    const fast = await run(server({ bandwidth: '10Gb/s' }));
    const slow = await run(server({ bandwidth: '100Mb/s' }));
    const latency = (result: RunResult) => metric(result, 'latency_mean_ns');
    expect(latency(slow) - latency(alone)).toBeGreaterThan((8 * wireBytes(60_000)) / 0.1);
    expect(latency(fast) - latency(alone)).toBeLessThan(100_000);
    // Requests that queue meet each other at other times.
    expect(latency(fast) - latency(alone)).toBeGreaterThan((0.9 * 8 * wireBytes(60_000)) / 10);
  });

  it('do not share a wire, and a host says nothing of it, unless it has one', async () => {
    const { metrics } = await run(server(undefined));
    expect(metrics.some((row) => /^(network|disk_busy)/.test(row.metric))).toBe(false);
  });
});

it('requests for the disk wait for each other, and writes are told from reads', async () => {
  const database = (disk: Overrides | undefined, ioWrites = 1): Overrides => ({
    duration: '40ms',
    checks: { translations: false },
    host: { processor: 'opteron-1354', memory: '1GiB', ...(disk && { disk }) },
    vms: [
      {
        name: 'vm',
        count: 3,
        memory: '256MiB',
        workload: {
          kind: 'oltp',
          requests: {
            arrivals: { kind: 'closed', clients: 8, think: '1ms' },
            instructions: 20_000,
            ioProbability: 1,
            ioWrites,
          },
        },
      },
    ],
  });
  const free = await run(database(undefined));
  const slow = await run(database({ serviceTime: '500us' }, 0.5));
  const total = (result: RunResult) =>
    [0, 1, 2].reduce((sum, i) => sum + metric(result, 'requests', `vm-${i}`), 0);
  // 2000 requests a second at most.
  expect(total(free)).toBeGreaterThan(100);
  expect(total(slow)).toBeLessThanOrEqual(80);
  expect(ofHost(slow, 'disk_busy_cycles') / slow.windowCycles).toBeGreaterThan(0.9);
  const [read, written] = (['disk_read_bytes', 'disk_written_bytes'] as const).map((name) =>
    ofHost(slow, name),
  );
  expect(read! / (read! + written!)).toBeGreaterThan(0.25);
  expect(read! / (read! + written!)).toBeLessThan(0.75);
});

it.each([
  [{ network: { bandwidth: '0b/s' } }, 'the least bandwidth is 100kb/s'],
  [{ network: { bandwidth: '1Gbit' } }, 'unknown unit "Gbit"'],
  [{ network: { latency: '1us' } }, 'latency'],
  [{ disk: {} }, 'say what the disk can do'],
  [{ disk: { serviceTime: '11s' } }, 'the longest service time is 10s'],
  [{ disk: { bandwidth: '1B/s' } }, 'the least bandwidth is 100kb/s'],
])('refuses %o', (keys, message) => {
  const host = { processor: 'opteron-1354', memory: '1GiB', ...keys };
  expect(() => load({ host })).toThrow(message);
});

it.each([
  [{ kind: 'net-stream', direction: 'both' }, 'direction'],
  [{ kind: 'net-stream', message: '0B' }, 'message'],
  [{ kind: 'net-stream', direction: 'send', roundTrip: '1ms' }, 'the client only receives'],
  [{ kind: 'oltp', requests: { ioProbability: 0 } }, ''],
  [{ kind: 'web-server', requests: { ioProbability: 0.1, ioWrites: 2 } }, 'ioWrites'],
])('understands %o or says why not', (workload, message) => {
  const vms = [{ name: 'vm', memory: '256MiB', workload }];
  if (message === '') expect(load({ vms }).vms).toHaveLength(1);
  else expect(() => load({ vms })).toThrow(message);
});

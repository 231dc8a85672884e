import { describe, expect, it } from 'vitest';
import type { Hypervisor } from '../../src/hypervisor/hypervisor.ts';
import { presets } from '../../src/scenario/presets.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { load, metric, type Overrides, run } from '../support/scenarios.ts';

/** Devices of VMs: what each kind costs, who does the host's work, and what waits for it. */

const PROFILES = Object.keys(presets.hypervisors);

const rows = (result: RunResult, leaf: string, detail: string, vm?: string) =>
  result.ledger
    .filter((row) => row.leaf === leaf && row.detail === detail && (!vm || row.vm === vm))
    .reduce((sum, { cycles }) => sum + cycles, 0);
const exits = (result: RunResult, reason?: string) =>
  result.exits
    .filter((row) => reason === undefined || row.reason === reason)
    .reduce((sum, { count }) => sum + count, 0);

/** A server that is asked one thing after the other, and reads from the disk each time. */
const server = (profile: string, vm: Overrides = {}, more: Overrides = {}): Overrides => ({
  duration: '25ms',
  checks: { translations: false },
  host: {
    processor: 'opteron-1354',
    pcpus: 2,
    memory: '1GiB',
    iommu: true,
    caches: { data: 'off' },
  },
  hypervisor: { profile },
  vms: [
    {
      name: 'vm',
      memory: '32MiB',
      workload: {
        kind: 'synthetic',
        regions: [{ name: 'heap', kind: 'anon', size: '64KiB', share: 1 }],
        ioLatency: '50us',
        requests: {
          arrivals: { kind: 'closed', clients: 2, think: '100us' },
          ...{ instructions: 5000, ioProbability: 0.5, responseBytes: 9000, requestBytes: 3000 },
        },
      },
      ...vm,
    },
  ],
  ...more,
});

const has = (profile: string, kind: string) => {
  try {
    load(server(profile, { network: kind }));
    return true;
  } catch {
    return false;
  }
};

describe.each(PROFILES)('the network cards of %s', (profile) => {
  const kinds = ['emulated', 'paravirtual', 'vhost', 'passthrough'].filter((kind) =>
    has(profile, kind),
  );

  it('cost the more exits of their own the less they know of the hypervisor', async () => {
    expect(kinds).toContain('emulated');
    const perRequest: number[] = [];
    for (const kind of kinds) {
      const result = await run(server(profile, { network: kind, disk: 'paravirtual' }));
      const requests = metric(result, 'requests');
      expect(requests, kind).toBeGreaterThan(20);
      perRequest.push((exits(result, 'ioio') - metric(result, 'disk_requests')) / requests);
    }
    const [emulated, paravirtual, ...others] = perRequest;
    expect(emulated!).toBeGreaterThan(2 * paravirtual!);
    if (kinds.includes('passthrough')) expect(others.at(-1)!).toBeLessThan(0.6 * paravirtual!);
  });

  it('are refused where the product has none, and on boards without an IOMMU', () => {
    const host = { iommu: false };
    if (kinds.includes('passthrough')) {
      expect(() => load(server(profile, { network: 'passthrough' }, { host }))).toThrow('IOMMU');
    }
    if (!kinds.includes('vhost')) {
      expect(() => load(server(profile, { network: 'vhost' }))).toThrow(
        `${profile} has no network card of the kind vhost`,
      );
    }
  });

  it('an emulated disk costs more than ten accesses a request', async () => {
    const disks = ['paravirtual', 'emulated'].map((disk) => run(server(profile, { disk })));
    const [own, ide] = await Promise.all(disks);
    const per = (result: RunResult) => metric(result, 'doorbells') / metric(result, 'requests');
    // Half of the requests read from the disk.
    expect(per(ide!) - per(own!)).toBeGreaterThan(5);
    // At the end of the window an access may be counted whose exit is not over.
    expect(Math.abs(exits(ide!, 'ioio') - metric(ide!, 'doorbells'))).toBeLessThanOrEqual(1);
  });
});

const UNTOUCHED = { footprint: { touches: false } };

describe('work of the host', () => {
  const PRICED = {
    network: { sendPiece: 0, sendLine: 0, receivePacket: 1000, receiveLine: 0 },
    disk: { request: 0, answer: 0, requestLine: 0 },
  };

  it.each(['kvm-2.6.33', 'xen-4.1'])('of %s is done once for each packet', async (profile) => {
    let hypervisor!: Hypervisor;
    const costs = { hostInterrupt: 0, deviceUser: 0 };
    const result = await run(
      server(profile, {}, { hypervisor: { profile, devices: PRICED, costs, ...UNTOUCHED } }),
      { prepare: (built) => (hypervisor = built) },
    );
    const packets = metric(result, 'packets_received');
    expect(packets).toBeGreaterThan(200);
    const work = rows(result, 'host', 'device', 'host') / 1000;
    // A batch may be under way at the end, or done and not announced.
    expect(Math.abs(work - packets)).toBeLessThanOrEqual(5);
    expect(rows(result, 'host', 'device', 'vm-0')).toBe(0);
    for (const task of hypervisor.tasks.all) {
      expect(task.posted - task.executed).toBeLessThan(20_000);
    }
    const names = hypervisor.tasks.all.map(({ name }) => name);
    expect(names).toEqual(profile.startsWith('kvm') ? ['vm-0/io'] : ['dom0/0']);
  });

  it('waits for Dom0, which waits for a pCPU: requests take longer and are fewer', async () => {
    const hogs = { name: 'hog', count: 3, memory: '16MiB', pin: [1] };
    const hog = {
      ...hogs,
      workload: { kind: 'tlb-thrash', pages: 8, instructions: 20_000, hz: 0 },
    };
    // The VM has pCPU 0 for itself; Dom0 shares the other one, or does not.
    const plan = (vms: Overrides[], dom0: Overrides): Overrides => {
      const base = server('xen-4.1', { pin: [0] });
      const [vm] = base['vms'] as [Overrides];
      const host = { ...(base['host'] as Overrides), dom0: { pin: [1], ...dom0 } };
      const devices = { network: { receivePacket: 60_000 } };
      const hypervisor = { profile: 'xen-4.1', devices };
      return { ...base, duration: '150ms', host, hypervisor, vms: [vm, ...vms] };
    };
    const [alone, light, heavy] = await Promise.all([
      run(plan([], {})),
      run(plan([hog], { weight: 8 })),
      run(plan([hog], { weight: 2048 })),
    ]);
    const requests = (result: RunResult) => metric(result, 'requests', 'vm-0');
    const latency = (result: RunResult) => metric(result, 'latency_mean_ns', 'vm-0');
    expect(requests(light!)).toBeLessThan(0.7 * requests(alone!));
    expect(latency(light!)).toBeGreaterThan(2 * latency(alone!));
    expect(requests(heavy!)).toBeGreaterThan(1.2 * requests(light!));
    // The vCPU itself never waits for its pCPU.
    expect(metric(light!, 'ready_cycles', 'vm-0')).toBeLessThan(0.02 * light!.windowCycles);
  });

  it('of several vCPUs of Dom0 is shared among them, under one weight', async () => {
    let hypervisor!: Hypervisor;
    const base = server('xen-3.4');
    const [vm] = base['vms'] as [Overrides];
    const host = { ...(base['host'] as Overrides), dom0: { vcpus: 2 } };
    await run(
      { ...base, host, vms: [{ ...vm, count: 2 }] },
      { prepare: (built) => (hypervisor = built) },
    );
    const [first, second] = hypervisor.tasks.all;
    expect(first!.group).toBe(second!.group);
    expect(Math.min(first!.executed, second!.executed)).toBeGreaterThan(100_000);
  });

  it('of a device model in Dom0 stops the vCPU until it has answered', async () => {
    const result = await run(server('xen-4.1', { network: 'emulated' }));
    const work = rows(result, 'host', 'device', 'host');
    const accesses = metric(result, 'doorbells') - metric(result, 'disk_requests');
    expect(work).toBeGreaterThan(15_000 * (accesses - 10));
    const { blocked_cycles: blocked } = result.vms[0]!.metrics;
    expect(blocked!).toBeGreaterThan(15_000 * (accesses - 10));
  });
});

describe('capacity', () => {
  const database = (disk: Overrides, ioWrites = 0): Overrides => {
    const base = server('kvm-2.6.33');
    const requests = {
      arrivals: { kind: 'closed', clients: 12, think: '10us' },
      ...{ instructions: 1000, ioProbability: 1, ioWrites, responseBytes: 100 },
    };
    const [vm] = base['vms'] as [Overrides];
    const workload = { ...(vm['workload'] as Overrides), requests, processes: 12 };
    const host = { ...(base['host'] as Overrides), disk };
    return { ...base, host, duration: '60ms', vms: [{ ...vm, memory: '64MiB', workload }] };
  };
  const reads = (result: RunResult) => metric(result, 'disk_requests');

  it('of a disk grows with its spindles, and is never exceeded', async () => {
    const [one, four] = await Promise.all([
      run(database({ serviceTime: '1ms' })),
      run(database({ serviceTime: '1ms', spindles: 4 })),
    ]);
    const done = (result: RunResult) => metric(result, 'requests');
    expect(done(one!)).toBeLessThanOrEqual(60);
    expect(done(one!)).toBeGreaterThan(50);
    expect(done(four!)).toBeLessThanOrEqual(240);
    expect(done(four!)).toBeGreaterThan(200);
  });

  it('of a cache takes writes until it is full', async () => {
    const disk = { serviceTime: '1ms' };
    const [none, small, large] = await Promise.all([
      run(database(disk, 1)),
      run(database({ ...disk, writeCache: '64KiB' }, 1)),
      run(database({ ...disk, writeCache: '64MiB' }, 1)),
    ]);
    expect(reads(small!)).toBeGreaterThan(reads(none!));
    expect(reads(large!)).toBeGreaterThan(3 * reads(none!));
    const [cold, warm] = await Promise.all([
      run(database(disk)),
      run(database({ ...disk, writeCache: '64MiB' })),
    ]);
    expect(reads(warm!)).toBe(reads(cold!));
  });

  it('of the wire is shared by cards, unless a VM has one of its own', async () => {
    const stream = (network: string): Overrides => {
      const base = server('kvm-2.6.33');
      const host = { ...(base['host'] as Overrides), pcpus: 4, network: { bandwidth: '300Mb/s' } };
      const workload = { kind: 'net-stream', direction: 'send' };
      const vms = [{ name: 'vm', count: 2, memory: '32MiB', network, workload }];
      return { ...base, host, vms, warmup: '10ms', duration: '40ms' };
    };
    const both = async (network: string) => {
      const { mhz, vms, windowCycles } = await run(stream(network));
      const sum = vms.reduce((all, { metrics }) => all + metrics.work! * 8 * 11_584, 0);
      return (sum * mhz) / windowCycles;
    };
    const [shared, own] = [await both('vhost'), await both('passthrough')];
    expect(shared).toBeLessThan(300);
    expect(shared).toBeGreaterThan(230);
    expect(own).toBeGreaterThan(1.6 * shared);
    expect(own).toBeLessThan(600);
  });

  it('of a ring holds packets back in the host and loses none', async () => {
    const flood = (ring: number): Overrides => ({
      ...server('kvm-2.6.33', {}, { hypervisor: { devices: { network: { ring } } } }),
      vms: [
        {
          name: 'vm',
          count: 2,
          memory: '32MiB',
          pin: [0],
          workload: { kind: 'net-stream', direction: 'receive', connections: 4 },
        },
      ],
    });
    const seen = async (ring: number) => {
      let most = 0;
      const result = await run(flood(ring), {
        prepare: ({ engine, vcpus }) => {
          const look = engine.defineEvent(0, (now) => {
            for (const { ring: own } of vcpus) most = Math.max(most, own.claimed);
            engine.schedule(now + 5000, look, 0);
          });
          engine.schedule(0, look, 0);
        },
      });
      return { most, work: metric(result, 'work') + metric(result, 'work', 'vm-1') };
    };
    const [small, large] = [await seen(4), await seen(256)];
    expect(small.most).toBeLessThanOrEqual(4);
    expect(large.most).toBeGreaterThan(16);
    expect(small.work).toBeGreaterThan(0);
    expect(small.work).toBeLessThanOrEqual(large.work);
  });
});

describe('interrupts of the card', () => {
  it('come for a number of packets, or some time after the first one', async () => {
    const packets = async (network: Overrides) => {
      const devices = { network: { worker: 'vcpu', ...network } };
      const plan = server('kvm-2.6.33', {}, { hypervisor: { devices } });
      const [vm] = plan['vms'] as [Overrides];
      const workload = { kind: 'net-stream', direction: 'receive' };
      const host = { ...(plan['host'] as Overrides), network: { bandwidth: '100Mb/s' } };
      const result = await run({ ...plan, host, vms: [{ ...vm, workload }] });
      const handled = rows(result, 'host', 'interrupt') > 0 ? metric(result, 'interrupts') : 0;
      return metric(result, 'packets_received') / handled;
    };
    const by = (receivePackets: number, receiveWait: string) =>
      packets({ receivePackets, receiveWait });
    const one = await by(1, '0us');
    const eight = await by(8, '5ms');
    // 123 us from one packet to the next at 100 Mb/s: three more in that time.
    const timed = await by(64, '400us');
    expect(one).toBeLessThan(1.2);
    expect(eight).toBeGreaterThan(5);
    expect(eight).toBeLessThanOrEqual(8);
    expect(timed).toBeGreaterThan(3);
    expect(timed).toBeLessThan(4.2);
  });
});

it.each([
  [{ host: { dom0: { vcpus: 0 } } }, 'vcpus'],
  [{ host: { dom0: { pin: [7] } } }, 'there is no pCPU 7'],
  [{ host: { disk: { serviceTime: '1ms', spindles: 0 } } }, 'spindles'],
  [{ hypervisor: { devices: { network: { worker: 'qemu' } } } }, 'worker'],
  [{ hypervisor: { devices: { network: { receiveWait: '1s' } } } }, 'the longest wait is 10ms'],
  [
    { hypervisor: { profile: 'esx-3.5', devices: { network: { kind: 'passthrough' } } } },
    'no network card',
  ],
])('refuses %o', (keys, message) => {
  expect(() => load(keys)).toThrow(message);
});

import { afterEach, expect, it, vi } from 'vitest';
import { workloads } from '../../src/guest/workloads/index.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { Listener, Recorder, Replayer } from '../support/guest-recorder.ts';
import { type Overrides, simulate } from '../support/scenarios.ts';

/**
 * All that a guest does not decide itself passes its port: another guest of the same name and seed that gets the
 * recorded answers, interrupts and ends of blocks does the same, item by item, wherever it runs.
 */
afterEach(() => vi.restoreAllMocks());

const REGIONS = [
  { name: 'text', kind: 'code', size: '96KiB', share: 1 },
  { name: 'data', kind: 'anon', size: '300KiB', share: 2, stores: 0.5, populated: false },
  { name: 'file', kind: 'file', size: '100KiB', share: 1, stores: 0.1, populated: false },
];
const PER_1M = {
  ...{ syscalls: { other: 90 }, mprotect: 300, munmap: 100, yields: 90, blockingIo: 40 },
  mmap: { calls: 300, pages: 3, live: 4 },
};
const SERVER = {
  ...{ kind: 'synthetic', processes: 2, threads: 2, quantum: 9000, hz: 1000, regions: REGIONS },
  ...{ per1M: PER_1M, ioLatency: '60us' },
  requests: {
    arrivals: { kind: 'open', rate: '9000/s' },
    ...{ instructions: 15_000, syscalls: { other: 2 }, ioProbability: 0.3, responseBytes: 200_000 },
  },
};
const JOBS = {
  ...{ kind: 'synthetic', threads: 2, hz: 1000, regions: REGIONS, per1M: PER_1M },
  jobs: { instructions: 9000, freshPages: 6, cowPages: 4, parentInstructions: 3000 },
};
const SLEEPER = { kind: 'idle', hz: 0, period: '70us' };

/** Replaces the first VM's guest before anything runs, and runs 4 ms. */
function host<T>(
  overrides: Overrides,
  replace: (simulation: Simulation, listener: Listener) => T,
): { made: T; listener: Listener } {
  const { create } = workloads;
  const listener = new Listener();
  vi.spyOn(workloads, 'create').mockImplementation((choice, deps) => {
    const workload = create(choice, deps);
    if (deps.vm !== 'vm-0' || deps.checking) return workload;
    const processes = workload.processes.map(({ regions, programs }) => {
      return { regions, programs: programs.map((program) => listener.heard(program)) };
    });
    return { ...workload, processes };
  });
  return simulate(overrides, (simulation) => {
    const made = replace(simulation, listener);
    simulation.engine.run(4e-3 * simulation.hosts[0]!.machine.mhz * 1e6);
    vi.restoreAllMocks();
    return { made, listener };
  });
}

const vm = (workload: Overrides) => ({
  ...{ name: 'vm', memory: '32MiB', workload },
  os: { tickless: workload !== JOBS },
});
const NEIGHBOUR = { name: 'other', memory: '32MiB', workload: { kind: 'tlb-thrash', pages: 90 } };

const TURNS = { kind: 'round-robin', timeslice: '150us' };

const record = (workload: Overrides, mmu: Overrides) =>
  host(
    { vms: [vm(workload), NEIGHBOUR], hypervisor: { mmu, scheduler: TURNS } },
    ({ hosts, members }, listener) => {
      const { vcpu } = members[0]!;
      const recorder = new Recorder(vcpu.guest, listener, hosts[0]!.machine.tables);
      vcpu.guest = recorder;
      return recorder;
    },
  );

/** Alone, under another paging mode, with slower memory. */
const replay = (workload: Overrides, mmu: Overrides, { log }: Recorder) =>
  host(
    { vms: [vm(workload)], hypervisor: { mmu }, host: { cpu: { memory: { localCycles: 400 } } } },
    ({ hosts, members }, listener) => {
      const { vcpu } = members[0]!;
      const replayer = new Replayer(log, vcpu.guest, listener, hosts[0]!.machine.tables);
      vcpu.guest = replayer;
      return replayer;
    },
  );

it.each([
  ['a server', SERVER, { kind: 'shadow' }, { kind: 'nested' }],
  ['jobs', JOBS, { kind: 'nested' }, { kind: 'native' }],
  ['a sleeper', SLEEPER, { kind: 'native' }, { kind: 'shadow' }],
])('%s replays on another machine what it did on the first', (_, workload, first, second) => {
  const original = record(workload, first);
  const { log } = original.made;
  expect(log.length).toBeGreaterThan(200);
  const copy = replay(workload, second, original.made);
  expect(copy.made.next).toBeGreaterThan(log.length / 3);
  const items = copy.listener.items;
  expect(items.length).toBeGreaterThan(original.listener.items.length / 4);
  expect(items).toEqual(original.listener.items.slice(0, items.length));
});

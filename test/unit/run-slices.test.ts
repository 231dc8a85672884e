import { describe, expect, it } from 'vitest';
import { silent } from '../../src/observe/observer.ts';
import { RunSlices } from '../../src/observe/run-slices.ts';
import { run } from '../support/scenarios.ts';

const several = {
  duration: '3ms',
  warmup: '1ms',
  host: { pcpus: 2 },
  hypervisor: { scheduler: { kind: 'round-robin', timeslice: '200us' } },
  vms: [
    { name: 'vm', count: 5, memory: '16MiB', workload: { kind: 'page-fault-loop', pages: 16 } },
  ],
};

describe('the slices of a run', () => {
  it('add up to the running time of each VM in the window, and no pCPU runs two at once', async () => {
    const result = await run(several, { slices: 100_000 });
    const slices = result.slices!;
    expect(slices.length).toBeGreaterThan(15);
    for (const { vm, metrics } of result.vms) {
      const own = slices.filter((slice) => slice.vm === vm);
      expect(own.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(metrics.running_cycles);
    }
    const start = 1000 * result.mhz;
    for (const pcpu of [0, 1]) {
      let end = start;
      for (const slice of slices.filter((one) => one.pcpu === pcpu)) {
        expect(slice.cycle).toBeGreaterThanOrEqual(end);
        end = slice.cycle + slice.cycles;
      }
      expect(end).toBeLessThanOrEqual(start + result.windowCycles);
    }
  });

  it('are the beginning of the same when only some are wanted, and change no result', async () => {
    const [all, some, none] = await Promise.all([
      run(several, { slices: 100_000 }),
      run(several, { slices: 8 }),
      run(several),
    ]);
    expect(none.slices).toBeUndefined();
    expect({ ...all, slices: undefined }).toEqual(none);
    const until = Math.max(...some.slices!.map(({ cycle, cycles }) => cycle + cycles));
    expect(some.slices!.length).toBeLessThanOrEqual(8 + 5);
    expect(some.slices).toEqual(
      all
        .slices!.filter(({ cycle }) => cycle < until)
        .map((slice) => ({ ...slice, cycles: Math.min(slice.cycles, until - slice.cycle) })),
    );
  });

  it('show the threads of the host too, on pCPUs that then run nothing else', async () => {
    const result = await run(
      {
        ...several,
        vms: [{ name: 'vm', count: 2, memory: '96MiB', workload: { kind: 'web-server' } }],
      },
      { slices: 100_000 },
    );
    const slices = result.slices!;
    const threads = slices.filter(({ vm }) => vm === 'host');
    expect(threads.length).toBeGreaterThan(5);
    for (const pcpu of [0, 1]) {
      let end = 0;
      for (const { cycle, cycles } of slices.filter((one) => one.pcpu === pcpu)) {
        expect(cycle).toBeGreaterThanOrEqual(end);
        end = cycle + cycles;
      }
      const ran = slices.filter((one) => one.pcpu === pcpu);
      const idle = result.ledger.find((row) => row.pcpu === pcpu && row.leaf === 'idle');
      expect(ran.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(
        result.windowCycles - (idle?.cycles ?? 0),
      );
    }
  });

  it('lose nothing of a VM that runs all the time while others come and go', () => {
    const slices = new RunSlices(silent, { vcpus: 2, from: 0, most: 3 });
    slices.onRunstate(0, 0, 0, 1, 0);
    for (let at = 10; at < 100; at += 10) {
      slices.onRunstate(at, 1, 1, 2, 0);
      slices.onRunstate(at + 5, 1, 1, 0, 2);
    }
    // Full at 35: the VM on pCPU 0 has run up to there too.
    expect(slices.upTo(200)).toEqual([
      { pcpu: 0, runner: 0, start: 0, cycles: 35 },
      ...[10, 20, 30].map((start) => ({ pcpu: 1, runner: 1, start, cycles: 5 })),
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import { type Overrides, run } from '../support/scenarios.ts';

/** A host with everything that can lie across an edge: exits, switches, walks, faults, requests, long forks. */
const busy: Overrides = {
  vms: [
    { name: 'web', count: 2, memory: '128MiB', workload: { kind: 'web-server' } },
    { name: 'fork', memory: '128MiB', workload: { kind: 'fork-loop' } },
    { name: 'fault', count: 2, memory: '64MiB', workload: { kind: 'page-fault-loop', pages: 64 } },
  ],
  hypervisor: { scheduler: { kind: 'round-robin', timeslice: '300us' } },
  output: { timeseries: '0ms' },
};
const paging = [
  { kind: 'nested' },
  { kind: 'shadow', profile: 'kvm-2.6.33' },
  { kind: 'shadow', profile: 'vmware-trace' },
];

const window = (from: string, to: string, mmu: Overrides, pcpus: number) =>
  run({
    ...busy,
    host: { memory: '2GiB', pcpus },
    warmup: from,
    duration: to,
    hypervisor: { ...(busy['hypervisor'] as Overrides), mmu },
  });

/** Cycles by pCPU, VM, leaf and detail. */
function cells(results: readonly RunResult[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { pcpu, vm, leaf, detail, cycles } of results.flatMap(({ ledger }) => ledger)) {
    const key = [pcpu, vm, leaf, detail].join(' ');
    sums.set(key, (sums.get(key) ?? 0) + cycles);
  }
  return sums;
}

const states = ['running_cycles', 'ready_cycles', 'blocked_cycles', 'parked_cycles'] as const;

describe.each(paging)('a measured window, $kind $profile', (mmu) => {
  // 997 us, 3.001 ms: edges that nothing else falls on. One pCPU: two share an L3 and the host's free frames, and
  // may reach for them in another order when they wait for each other at an edge.
  it('is the sum of its parts, cell by cell of the ledger', async () => {
    const parts = await Promise.all([
      window('0us', '997us', mmu, 1),
      window('997us', '3001us', mmu, 1),
      window('3001us', '5ms', mmu, 1),
    ]);
    const whole = await window('0us', '5ms', mmu, 1);
    expect(cells(parts)).toEqual(cells([whole]));
    for (const [i, { metrics, vm }] of whole.vms.entries()) {
      for (const state of states) {
        const sum = parts.reduce((n, { vms }) => n + vms[i]!.metrics[state]!, 0);
        expect(sum, `${vm} ${state}`).toBe(metrics[state]);
      }
    }
  });

  it('gives every pCPU and every vCPU exactly its cycles, however short it is', async () => {
    for (const [from, to] of [
      ['1ms', '1001us'],
      ['1ms', '1003us'],
      ['1ms', '1100us'],
      ['1999us', '2ms'],
    ] as const) {
      const { ledger, vms, windowCycles, pcpuCount } = await window(from, to, mmu, 2);
      for (let pcpu = 0; pcpu < pcpuCount; pcpu++) {
        const own = ledger.filter((row) => row.pcpu === pcpu);
        expect(own.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(windowCycles);
        expect(own.filter(({ cycles }) => cycles <= 0)).toEqual([]);
      }
      for (const { metrics } of vms) {
        expect(states.reduce((sum, state) => sum + metrics[state]!, 0)).toBe(windowCycles);
      }
    }
  });
});

describe('requests at the end of the window', () => {
  it('that are not finished count with their age', async () => {
    const web = (duration: string) =>
      run({
        warmup: '1ms',
        duration,
        host: { memory: '2GiB' },
        vms: [
          { name: 'hog', memory: '64MiB', workload: { kind: 'tlb-thrash' } },
          { name: 'web', memory: '128MiB', workload: { kind: 'web-server' } },
        ],
        hypervisor: { scheduler: { kind: 'round-robin', timeslice: '30ms' } },
      });
    const { vms, mhz, windowCycles } = await web('25ms');
    const { metrics, requests } = vms.find(({ vm }) => vm === 'web-0')!;
    expect(metrics.requests_unfinished).toBeGreaterThan(0);
    expect(requests!.unfinished.length).toBe(metrics.requests_unfinished);
    expect(metrics.requests_queued_before! + metrics.requests_arrived!).toBe(
      metrics.requests! + metrics.requests_unfinished!,
    );
    // Nobody can have waited longer than since power-on.
    expect(metrics.latency_max_ns!).toBeLessThanOrEqual((windowCycles * 1000) / mhz + 1e6);
    expect(metrics.latency_p95_ns).toBeUndefined();
  });
});

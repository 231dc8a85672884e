import { describe, expect, it } from 'vitest';
import { mechanismNames, mechanisms } from '../../src/scenario/free.ts';
import { BUSY_WORKLOADS, metric, modeName, type Overrides, run } from '../support/scenarios.ts';

/** Twin worlds: a mechanism whose price is zero still happens, and only its own leaves fall silent. */

const MODES: readonly Overrides[] = [
  { kind: 'shadow', profile: 'kvm-2.6.33' },
  { kind: 'nested', pageSize: '4KiB' },
];
const WORKLOADS = ['compile', 'server'] as const;

const world = (mmu: Overrides, workload: Overrides, free: readonly string[]): Overrides => ({
  duration: 'work',
  hypervisor: { mmu },
  vms: [{ name: 'vm', memory: '64MiB', workload }],
  free,
  checks: { translations: false },
});

describe.each(MODES)('under $kind paging', (mmu) => {
  describe.each(WORKLOADS)('the guest %s', (name) => {
    const workload = BUSY_WORKLOADS[name]!;

    it(`never gets slower when a mechanism is free (${modeName(mmu)})`, async () => {
      const base = await run(world(mmu, workload, []));
      for (const mechanism of mechanismNames) {
        const twin = await run(world(mmu, workload, [mechanism]));
        expect([mechanism, metric(twin, 'finished_at_cycles')]).toSatisfy(
          ([, cycles]) => cycles <= metric(base, 'finished_at_cycles'),
        );
        expect(metric(twin, 'work')).toBe(metric(base, 'work'));
        const { covers } = mechanisms[mechanism];
        const charged = (result: typeof base) =>
          result.ledger.filter(({ leaf, detail }) => covers(leaf, detail));
        expect(charged(twin)).toEqual([]);
        const paid = charged(base).reduce((sum, { cycles }) => sum + cycles, 0);
        const gained = metric(base, 'finished_at_cycles') - metric(twin, 'finished_at_cycles');
        if (paid > 0) expect(gained).toBeGreaterThan(0);
        else expect(gained).toBe(0);
      }
    });
  });
});

describe('exits', () => {
  it('that are free are taken as often, and cost nothing in any table', async () => {
    const mmu = MODES[0]!;
    const workload = BUSY_WORKLOADS['compile']!;
    const twin = await run(world(mmu, workload, ['exit']));
    const base = await run(world(mmu, workload, []));
    const counted = (result: typeof base, reason: string) =>
      result.exits.find((row) => row.reason === reason)!.count;
    expect(counted(twin, 'page-fault')).toBe(counted(base, 'page-fault'));
    for (const { transitionCycles, handlerCycles } of twin.exits) {
      expect([transitionCycles, handlerCycles]).toEqual([0, 0]);
    }
  });
});

describe('evictions', () => {
  const output = { evictions: true };
  it('name victim and evictor, and none crosses VMs when one runs alone', async () => {
    const thrash = { kind: 'tlb-thrash', pages: 700 };
    const vms = [{ name: 'vm', count: 2, memory: '32MiB', workload: thrash }];
    const hypervisor = {
      tags: { kind: 'kvm' },
      scheduler: { kind: 'round-robin', timeslice: '500us' },
    };
    const both = await run({ output, vms, hypervisor, duration: '6ms' });
    const count = (victim: string, evictor: string) =>
      both.evictions!.find(
        (row) => row.structure === 'tlb' && row.victim === victim && row.evictor === evictor,
      )?.count ?? 0;
    expect(count('vm-0', 'vm-0')).toBeGreaterThan(1000);
    expect(count('vm-0', 'vm-1')).toBeGreaterThan(100);
    expect(count('vm-1', 'vm-0')).toBeGreaterThan(100);
    expect(count('vm-0', 'vm-1')).toBeLessThan(count('vm-0', 'vm-0'));
    const alone = await run({ output, vms: [{ ...vms[0], count: 1 }], hypervisor });
    const others = alone.evictions!.filter(({ evictor }) => evictor !== 'vm-0');
    expect(others.every(({ evictor }) => evictor === 'host')).toBe(true);
  });

  it('explain the walks of cause interference: none of them without an eviction', async () => {
    const thrash = { kind: 'tlb-thrash', pages: 300 };
    const result = await run({
      output,
      vms: [{ name: 'vm', count: 3, memory: '32MiB', workload: thrash }],
      hypervisor: { scheduler: { kind: 'round-robin', timeslice: '500us' } },
      duration: '8ms',
    });
    for (const { vm, metrics } of result.vms) {
      const lost = result.evictions!.filter(
        (row) => row.structure === 'tlb' && row.victim === vm && row.evictor !== vm,
      );
      const evicted = lost.reduce((sum, { count }) => sum + count, 0);
      expect(metrics.walks_interference).toBeGreaterThan(0);
      expect(metrics.walks_interference).toBeLessThanOrEqual(evicted);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { ExitReason } from '../../src/stats/leaves.ts';
import {
  BUSY_WORKLOADS,
  load,
  metric,
  type Overrides,
  run,
  simulate,
} from '../support/scenarios.ts';

/** Where versions of a product differ by mechanism, and what follows from that. */

const shadow = (profile: string, workload: Overrides, over: Overrides = {}) =>
  run({
    duration: 'work',
    hypervisor: { mmu: { kind: 'shadow', profile }, costs: { hostHz: 0 } },
    vms: [{ name: 'vm', memory: '48MiB', workload }],
    ...over,
  });

describe('shadow paging', () => {
  const forks = BUSY_WORKLOADS['forks']!;

  test('a product follows writes as its own version did, unless a scenario says otherwise', () => {
    const profileOf = (hypervisor: Overrides, mmu?: Overrides) => {
      const vms = [{ name: 'vm', workload: { kind: 'idle' }, ...(mmu ? { mmu } : {}) }];
      return load({ hypervisor, vms }).vms[0]!.mmu['profile'];
    };
    const mmu = { kind: 'shadow' };
    expect(profileOf({ profile: 'kvm-2.6.33', mmu })).toBe('kvm-2.6.33');
    expect(profileOf({ profile: 'kvm-2.6.26', mmu })).toBe('kvm-2.6.26');
    expect(profileOf({ profile: 'xen-4.1', mmu })).toBe('xen-3.3');
    expect(profileOf({ profile: 'xen-4.1' }, mmu)).toBe('xen-3.3');
    expect(profileOf({ profile: 'esx-3.5', mmu })).toBe('vmware-trace-3.5');
    expect(profileOf({ profile: 'esx-4', mmu })).toBe('vmware-trace');
    expect(profileOf({ profile: 'xen-4.1', mmu: { ...mmu, profile: 'kvm-3.2' } })).toBe('kvm-3.2');
  });

  test('before 2.6.28 no table goes out of sync, so more stores exit', async () => {
    const [old, later] = [await shadow('kvm-2.6.26', forks), await shadow('kvm-2.6.33', forks)];
    expect(metric(old, 'unsyncs')).toBe(0);
    expect(metric(later, 'unsyncs')).toBeGreaterThan(0);
    expect(metric(old, 'pte_write_exits')).toBeGreaterThan(2 * metric(later, 'pte_write_exits'));
  });

  test.each(['forks', 'compile', 'server'])(
    '3.2 fills entries around a fault and after INVLPG, and has fewer hidden faults: %s',
    async (name) => {
      const workload = BUSY_WORKLOADS[name]!;
      const [old, later] = [
        await shadow('kvm-2.6.33', workload),
        await shadow('kvm-3.2', workload),
      ];
      expect(metric(old, 'prefetched_entries')).toBe(0);
      expect(metric(later, 'prefetched_entries')).toBeGreaterThan(0);
      expect(metric(later, 'hidden_faults')).toBeLessThan(metric(old, 'hidden_faults'));
      expect(metric(later, 'guest_faults')).toBe(metric(old, 'guest_faults'));
    },
  );

  test('Xen 3.1 has no table out of sync and traps each write; it fills ahead and unshadows', async () => {
    const [plain, old, later] = [
      await shadow('write-protect', forks),
      await shadow('xen-3.1', forks),
      await shadow('xen-3.3', forks),
    ];
    expect(metric(old, 'unsyncs')).toBe(0);
    expect(metric(old, 'prefetched_entries')).toBeGreaterThan(0);
    expect(metric(old, 'pte_write_exits')).toBeLessThan(metric(plain, 'pte_write_exits'));
    expect(metric(old, 'pte_write_exits')).toBeGreaterThan(metric(later, 'pte_write_exits'));
    expect(metric(old, 'guest_faults')).toBe(metric(plain, 'guest_faults'));
  });

  test('ESX 3.5 does not see that a process exits: each entry that it clears is a trapped store', async () => {
    const [old, later] = [
      await shadow('vmware-trace-3.5', forks),
      await shadow('vmware-trace', forks),
    ];
    const traps = (result: typeof old) =>
      metric(result, 'pte_write_exits') / metric(result, 'process_exits');
    // Children of 40 pages write 10 and touch few others: what their tables hold, less the first four.
    expect(traps(old) - traps(later)).toBeGreaterThan(20);
    expect(metric(old, 'process_exits')).toBe(metric(later, 'process_exits'));
  });

  test('Xen has three tables out of sync at most, and compares them whole', async () => {
    const xen = await shadow('xen-3.3', forks);
    const kvm = await shadow('kvm-2.6.33', forks);
    expect(metric(xen, 'resync_entries')).toBe(512 * metric(xen, 'resyncs'));
    expect(metric(kvm, 'resync_entries')).toBeLessThan(512 * metric(kvm, 'resyncs'));
    expect(metric(xen, 'prefetched_entries')).toBeGreaterThan(0);
    simulate(
      {
        hypervisor: { mmu: { kind: 'shadow', profile: 'xen-3.3' } },
        vms: [
          {
            name: 'vm',
            memory: '48MiB',
            workload: { kind: 'fork-loop', pages: 4000, written: 50 },
          },
        ],
      },
      ({ engine, hosts }) => {
        engine.run(3_000_000);
        const { counters } = hosts[0]!.hypervisor.vms[0]!;
        // Those that had to make room for others, besides those of flushes.
        expect(counters.unsyncs - counters.resyncs).toBeLessThanOrEqual(3);
        expect(counters.unsyncs).toBeGreaterThan(3);
      },
    );
  });
});

describe('the local APIC', () => {
  const ticking = (costs: Overrides) =>
    run({
      duration: '20ms',
      hypervisor: { costs: { hostHz: 0, ...costs } },
      vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'tlb-thrash', pages: 16, hz: 2000 } }],
    });
  const writes = (result: Awaited<ReturnType<typeof ticking>>) =>
    result.exits.filter(({ reason }) => reason === 'apic-access')[0]!;

  test('a tick exits to end it and to arm the next one; x2APIC decodes nothing', async () => {
    const both = await ticking({});
    const ends = await ticking({ timerExits: false });
    const msrs = await ticking({ x2apic: true });
    const ticks = metric(both, 'timer_ticks');
    expect(ticks).toBeGreaterThan(30);
    expect(Math.abs(writes(both).count - 2 * ticks)).toBeLessThanOrEqual(2);
    expect(Math.abs(writes(ends).count - metric(ends, 'timer_ticks'))).toBeLessThanOrEqual(2);
    const each = (result: typeof both) => writes(result).handlerCycles / writes(result).count;
    // 600 cycles of the emulator, and the guest's tables.
    expect(each(both) - each(msrs)).toBeGreaterThan(600);
  });
});

describe('Family 15h', () => {
  const roundTrips = (profile: string, processor: string, costs: Overrides = {}) =>
    simulate(
      {
        host: { processor },
        hypervisor: { profile, costs },
        vms: [{ name: 'vm', count: 2, memory: '32MiB', workload: { kind: 'idle', period: '1ms' } }],
        checks: { translations: false },
      },
      ({ hosts }) => {
        const { hypervisor, machine } = hosts[0]!;
        const core = machine.cores[0]!;
        const enter = (vm: number): number => {
          const vcpu = hypervisor.vcpus[vm]!;
          Object.assign(core, { vm, vcpu: vm });
          vcpu.pcpu = 0;
          const before = core.now;
          hypervisor.world.resume(vcpu, core, ExitReason.Intr);
          return core.now - before;
        };
        enter(0);
        return { again: enter(0), other: enter(1), back: enter(0) };
      },
    );

  test('clean bits save the reload of a VMCB that the processor knows', () => {
    const saves = roundTrips('kvm-3.2', 'opteron-6276');
    expect(saves.other - saves.again).toBe(250);
    expect(saves.back).toBe(saves.other);
    const not = roundTrips('kvm-2.6.33', 'opteron-6276');
    expect(not.again).toBe(not.other);
    // Family 10h has none: nothing to save, nothing to pay.
    const older = roundTrips('kvm-3.2', 'opteron-1354');
    expect(older.again).toBe(older.other);
  });

  test.each(['opteron-6276', 'opteron-1354'])(
    'kvm-3.2 flushes by ASID where it can: %s',
    async (processor) => {
      const ring = BUSY_WORKLOADS['ring']!;
      const result = await shadow('kvm-3.2', ring, {
        host: { processor },
        hypervisor: {
          profile: 'kvm-3.2',
          mmu: { kind: 'shadow' },
          tags: { kind: 'kvm-3.2', asids: 8 },
          costs: { hostHz: 0 },
        },
      });
      const exhausted = metric(result, 'asid_exhaustions');
      if (processor === 'opteron-6276') expect(exhausted).toBe(0);
      else expect(exhausted).toBeGreaterThan(0);
    },
  );
});

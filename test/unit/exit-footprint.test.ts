import { describe, expect, test } from 'vitest';
import type { Hypervisor } from '../../src/hypervisor/hypervisor.ts';
import type { Vcpu } from '../../src/hypervisor/vm.ts';
import type { Core } from '../../src/machine/core.ts';
import { flushAll } from '../../src/machine/flush.ts';
import { presets } from '../../src/scenario/presets.ts';
import { Cause, ExitReason } from '../../src/stats/leaves.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { metric, type Overrides, run, simulate } from '../support/scenarios.ts';

/** What exits cost and disturb: hypervisor/world-switch.ts, host-footprint.ts and the profiles. */

const PROFILES = Object.keys(presets.hypervisors);
const { Intr, Npf } = ExitReason;

interface Bench {
  readonly hypervisor: Hypervisor;
  readonly core: Core;
  readonly vcpu: Vcpu;
  /** Cycles of an exit of which nothing is asked, and of the entry after it. */
  nullExit(): number;
  /** Cycles of any piece of work. */
  time(work: () => void): number;
}

/** A pCPU with a vCPU on it that has not run yet. */
function bench<T>(hypervisor: Overrides, use: (bench: Bench) => T): T {
  const vms = [
    { name: 'vm', count: 2, memory: '32MiB', workload: { kind: 'idle', period: '1ms' } },
  ];
  return simulate({ hypervisor, vms, checks: { translations: false } }, ({ hosts }) => {
    const { hypervisor: hv, machine } = hosts[0]!;
    const core = machine.cores[0]!;
    const vcpu = hv.vcpus[0]!;
    Object.assign(core, { vm: vcpu.vm.id, vcpu: vcpu.id });
    vcpu.pcpu = 0;
    const time = (work: () => void): number => {
      const before = core.now;
      work();
      return core.now - before;
    };
    const nullExit = () =>
      time(() => {
        hv.world.exit(vcpu, core, Intr);
        hv.world.resume(vcpu, core, Intr);
      });
    return use({ hypervisor: hv, core, vcpu, nullExit, time });
  });
}

describe.each(PROFILES)('%s', (profile) => {
  test('a warm exit costs its instructions, a cold one more', () => {
    const plain = bench({ profile, footprint: { touches: false } }, (b) => {
      b.nullExit();
      return b.nullExit();
    });
    bench({ profile }, ({ nullExit, core, vcpu }) => {
      const cold = nullExit();
      for (let i = 0; i < 3; i++) nullExit();
      const warm = nullExit();
      expect(warm).toBe(plain);
      // More than a hundred lines, each of which waited for memory.
      expect(cold).toBeGreaterThan(plain + 3000);
      // Null exits of AMD processors before 2012: 1500 to 3300 cycles.
      expect(warm).toBeGreaterThan(1500);
      expect(warm).toBeLessThan(3300);
      // Without the TLBs, the walks of the host come on top; its lines are where they were.
      flushAll(core, Cause.WorldSwitch, vcpu.id, Cause.WorldSwitch);
      const walked = nullExit();
      expect(walked).toBeGreaterThan(warm + 50);
      expect(walked).toBeLessThan(cold);
      expect(nullExit()).toBe(warm);
    });
  });

  test('a switch to another VM drops what the profile says', () => {
    const lost = (switchFlush: string) =>
      bench({ profile, footprint: { switchFlush } }, ({ hypervisor, core, nullExit, time }) => {
        for (let i = 0; i < 4; i++) nullExit();
        const warm = nullExit();
        time(() => hypervisor.world.takeUp(hypervisor.vcpus[1]!, core));
        return nullExit() - warm;
      });
    expect(lost('all')).toBeGreaterThan(lost('user'));
  });
});

test('exits, faults and doorbells of a path with more code, stack or records cost more when cold', () => {
  const cold = (footprint: Overrides) =>
    bench({ footprint }, ({ hypervisor: { world }, core, vcpu, time }) =>
      time(() => {
        world.exit(vcpu, core, Npf);
        world.lookAtVm(core, Npf, vcpu.vm.id);
        world.noteFrame(core, Npf, vcpu.vm.id, 77);
        core.charge(0, world.deviceModel(core, vcpu.vm.id));
      }),
    );
  const usual = cold({});
  for (const more of [
    { instructionsPerLine: 5 },
    { stackLines: 60 },
    { vcpuLines: 60 },
    { vmLines: 60 },
    { frameLines: 4 },
    { userLines: 200 },
    { overlap: 0 },
  ]) {
    expect(cold(more), JSON.stringify(more)).toBeGreaterThan(usual);
  }
});

test('records of neighbouring frames share lines, those of others do not', () => {
  bench({}, ({ hypervisor: { world }, core, vcpu, time }) => {
    const note = (gfn: number) => time(() => world.noteFrame(core, Npf, vcpu.vm.id, gfn));
    const first = note(800);
    expect(note(800)).toBe(0);
    // A line of the reverse map has eight entries; struct page has a line of its own.
    expect(note(801)).toBeGreaterThan(0);
    expect(note(801 - 1)).toBe(0);
    expect(note(801)).toBe(0);
    expect(note(4000)).toBeGreaterThan(first / 3);
  });
});

test('walks of the host read its tables, four levels or three, less what the walk cache has', () => {
  bench({}, ({ hypervisor: { machine, world }, core, vcpu, time }) => {
    const { caches, walk } = machine.processor;
    // A line that the walk itself does not read.
    const table = (frame: number) => time(() => world.touchTable(core, Npf, frame, 40));
    const flush = () => flushAll(core, Cause.WorldSwitch, vcpu.id, Cause.WorldSwitch);
    const frame = 512 * 9;
    table(frame);
    table(frame + 512);
    expect(table(frame)).toBe(0);
    expect(table(frame + 511)).toBeGreaterThan(0);
    expect(table(frame + 511)).toBe(0);
    flush();
    // The direct map is of 2 MiB: three reads, all of which find their line in the caches of the core.
    expect(table(frame)).toBe(walk.overheadCycles + 3 * caches.l2.hitCycles);
    // Its neighbour's entry is in the same line, below the same upper ones.
    expect(table(frame + 512)).toBe(
      walk.overheadCycles + 2 * walk.pwcHitCycles + caches.l2.hitCycles,
    );
    // Guest memory is mapped by QEMU in small pages: four reads.
    vcpu.vm.p2m[20] = frame;
    const guest = () => time(() => world.readGuest(core, Npf, vcpu.vm, 20, 40));
    guest();
    expect(guest()).toBe(0);
    flush();
    expect(guest()).toBe(walk.overheadCycles + 4 * caches.l2.hitCycles);
    vcpu.vm.p2m[20] = 0;
  });
});

test('a page that is given is cleared past the caches', () => {
  bench({}, ({ hypervisor: { machine, world }, core, time }) => {
    const frame = 512 * 9;
    const line = () => time(() => world.touchTable(core, Npf, frame, 40));
    line();
    expect(line()).toBe(0);
    const clearing = time(() => world.clear(core, Npf, frame));
    expect(clearing).toBeGreaterThanOrEqual(64 * 8);
    expect(clearing).toBeLessThan(64 * machine.processor.memory.lineCycles + 2048);
    // It is in no cache now.
    expect(line()).toBeGreaterThan(machine.processor.memory.localCycles / 2);
  });
});

describe('what exits displace', () => {
  const regions = [
    { name: 'text', kind: 'code', size: '1900KiB', share: 1, pattern: { kind: 'uniform' } },
  ];
  const thrash = { kind: 'synthetic', regions, hz: 0 };
  const program = (hypervisor: Overrides): Overrides => ({
    duration: '6ms',
    warmup: '2ms',
    hypervisor: { costs: { hostHz: 9000 }, ...hypervisor },
    vms: [{ name: 'vm', memory: '32MiB', workload: thrash }],
    output: { evictions: true },
  });
  const byHost = (result: RunResult, structure: string) =>
    (result.evictions ?? [])
      .filter(
        (row) => row.structure === structure && row.evictor === 'host' && row.victim !== 'host',
      )
      .reduce((sum, { count }) => sum + count, 0);

  test('counts as evicted by the host, in TLBs and caches, and only where handlers touch', async () => {
    const touching = await run(program({}));
    const not = await run(program({ footprint: { touches: false } }));
    for (const structure of ['tlb', 'l2']) {
      expect(byHost(not, structure)).toBe(0);
      expect(byHost(touching, structure), structure).toBeGreaterThan(10);
    }
    expect(metric(touching, 'walks_interference')).toBeGreaterThan(
      metric(not, 'walks_interference'),
    );
    // The same instructions take longer.
    expect(metric(touching, 'exits')).toBeGreaterThan(30);
    expect(metric(touching, 'user_instructions')).toBeLessThan(metric(not, 'user_instructions'));
  });
});

/** Cycles of an exit by reason, all of it: transition and handler. */
function perExit(result: RunResult, reason: string): number {
  const rows = result.exits.filter((row) => row.reason === reason);
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  expect(count, reason).toBeGreaterThan(20);
  return rows.reduce((sum, row) => sum + row.transitionCycles + row.handlerCycles, 0) / count;
}

/** Published or recommended ranges on Family 10h, in cycles of a 2.2 GHz core. */
describe('prices stay in the ranges that are known', () => {
  const workload = { kind: 'mmap-loop', pages: 600, touched: 9, hz: 0 };
  const vms = [{ name: 'vm', memory: '32MiB', workload }];

  test.each(PROFILES)('of shadow paging: %s', async (profile) => {
    const result = await run({ hypervisor: { profile, mmu: { kind: 'shadow' } }, vms });
    // A hidden or true fault about 3000, an emulated store to a table about 4500.
    const fault = perExit(result, 'page-fault');
    expect(fault).toBeGreaterThan(2500);
    expect(fault).toBeLessThan(4500);
    const write = perExit(result, 'pte-write');
    expect(write).toBeGreaterThan(3000);
    expect(write).toBeLessThan(6200);
  });

  test.each(['kvm-2.6.26', 'kvm-2.6.33'])('of nested faults: %s', async (profile) => {
    const populated = { kind: 'page-fault-loop', pages: 3000, hz: 0, work: 1 };
    const result = await run({
      duration: 'work',
      hypervisor: { profile, mmu: { kind: 'nested', pageSize: '4KiB' } },
      vms: [{ name: 'vm', memory: '32MiB', workload: populated }],
    });
    // 2 to 3 us, with a page of the host that is allocated and cleared.
    const us = perExit(result, 'npf') / 2200;
    expect(us).toBeGreaterThan(2);
    expect(us).toBeLessThan(3);
  });
});

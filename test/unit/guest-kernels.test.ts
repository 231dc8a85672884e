import { describe, expect, it, test } from 'vitest';
import { callClassNames } from '../../src/guest/system-call-classes.ts';
import { presets } from '../../src/scenario/presets.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { load, metric, type Overrides, run } from '../support/scenarios.ts';

/** Guest kernels: presets, prices, and what some of them do. */

const text = {
  name: 'text',
  kind: 'code',
  size: '256KiB',
  share: 1,
  pattern: { kind: 'sequential' },
};
const heap = { name: 'heap', kind: 'anon', size: '64KiB', share: 1, stores: 0.5 };
const LOOP = { kind: 'synthetic', hz: 0, regions: [text, heap], work: 2 };
/** Two jobs that execute the same program: the second finds its text in the page cache. */
const JOBS = { ...LOOP, jobs: { instructions: 20_000, cowPages: 3, parentInstructions: 2000 } };

const make = (workload: Overrides, vm: Overrides = {}, mmu: Overrides = { kind: 'native' }) =>
  run({
    duration: 'work',
    hypervisor: { mmu },
    vms: [{ name: 'vm', memory: '32MiB', workload, ...vm }],
  });
const kernel = (result: RunResult): number => result.vms[0]!.ledger['guest.kernel']!;

const groupOf = (vm: Overrides) => load({ vms: [{ name: 'vm', memory: '256MiB', ...vm }] }).vms[0]!;

describe('the kernel of a VM', () => {
  it('is Linux 2.6.33 unless somebody says otherwise', () => {
    const { kernel, os } = groupOf({ workload: { kind: 'idle' } });
    expect(kernel).toBe('linux-2.6.33');
    expect(os).toMatchObject({ hz: 250, faultAround: 1, pageTableIsolation: false });
  });

  it('is that of the workload preset, which the VM may replace', () => {
    const workload = { kind: 'idle-desktop' };
    const usual = groupOf({ workload });
    expect([usual.kernel, usual.os.hz, usual.os.tickless]).toEqual(['windows-2003', 64, false]);
    const chosen = groupOf({ workload, kernel: 'linux-3.2' });
    expect([chosen.kernel, chosen.os.hz, chosen.os.tickless]).toEqual(['linux-3.2', 250, true]);
  });

  it('has single keys replaced by `os`', () => {
    const { os } = groupOf({ kernel: 'linux-4.15', os: { hz: 100 }, workload: { kind: 'idle' } });
    expect([os.hz, os.pageTableIsolation]).toEqual([100, true]);
  });

  it.each([
    [{ kernel: 'linux-2.6.32' }, 'did you mean "linux-2.6.33"'],
    [{ os: { faultAround: 12 } }, 'faultAround is a power of two'],
    [{ os: { faultAround: 0 } }, 'faultAround'],
    [{ os: { tickles: true } }, 'tickless'],
    [{ os: { instructions: { calls: { opens: 3 } } } }, 'open'],
    [{ workload: { ...LOOP, per1M: { syscalls: 20 } } }, 'syscalls'],
    [{ workload: { ...LOOP, per1M: { syscalls: { reads: 20 } } } }, 'read'],
    [{ workload: { ...LOOP, tickless: false } }, 'tickless'],
  ])('%j is refused', (vm, message) => {
    expect(() => groupOf({ workload: { kind: 'idle' }, ...vm })).toThrow(message);
  });
});

test.each(Object.keys(presets.kernels))('%s runs every class of calls', async (name) => {
  const syscalls = Object.fromEntries(callClassNames.map((call) => [call, 5]));
  const result = await make({ ...LOOP, per1M: { syscalls } }, { kernel: name });
  expect(metric(result, 'syscalls')).toBeGreaterThan(50);
});

describe('a system call', () => {
  // Without data lines and with few pages, instructions are all that a path costs.
  const cost = async (calls: number, price: number) => {
    const per1M = { syscalls: { stat: calls } };
    const os = { cpi: 2, instructions: { systemCall: 0, calls: { stat: price } } };
    const result = await make({ ...LOOP, work: 1, per1M }, { os });
    return { cycles: kernel(result), calls: metric(result, 'syscalls') };
  };

  it('costs the instructions of its class at the CPI of the kernel', async () => {
    const [cheap, dear] = [await cost(200, 1000), await cost(200, 3000)];
    expect(dear.calls).toBe(cheap.calls);
    expect(cheap.calls).toBeGreaterThan(150);
    expect((dear.cycles - cheap.cycles) / dear.calls).toBeCloseTo(4000, -2);
  });
});

describe('pages around a fault', () => {
  const jobs = (faultAround: number, mmu: Overrides = { kind: 'native' }) =>
    make(JOBS, { os: { faultAround } }, mmu);

  it('spare faults, and are mapped by as many stores to the tables', async () => {
    const [one, sixteen] = [await jobs(1), await jobs(16)];
    expect(metric(sixteen, 'user_instructions')).toBe(metric(one, 'user_instructions'));
    const faults = metric(one, 'guest_faults') - metric(sixteen, 'guest_faults');
    // The second job's 64 pages of text: four faults.
    expect(faults).toBe(60);
    const stores = metric(sixteen, 'guest_pte_writes') / metric(one, 'guest_pte_writes');
    expect(stores).toBeCloseTo(1, 1);
  });

  it.each([2, 8, 64])('%i of them', async (pages) => {
    const spared =
      metric(await jobs(1), 'guest_faults') - metric(await jobs(pages), 'guest_faults');
    expect(spared).toBe(64 - 64 / pages);
  });

  it('are those of the page cache only: a first start maps one by one', async () => {
    const first = { ...JOBS, work: 1 };
    const [one, sixteen] = [await make(first), await make(first, { os: { faultAround: 16 } })];
    expect(metric(sixteen, 'guest_faults')).toBe(metric(one, 'guest_faults'));
  });
});

describe('page-table isolation', () => {
  const per1M = { syscalls: { simple: 100 } };
  const MODES = [{ kind: 'native' }, { kind: 'nested' }, { kind: 'shadow' }];
  const isolated = (on: boolean, mmu: Overrides, workload: Overrides = { ...LOOP, per1M }) =>
    make(workload, { os: { pageTableIsolation: on } }, mmu);
  const cr3Exits = ({ exits }: RunResult) =>
    exits.reduce((sum, { reason, count }) => sum + (reason === 'cr3-write' ? count : 0), 0);
  const entries = (result: RunResult) =>
    metric(result, 'syscalls') + metric(result, 'guest_faults') + metric(result, 'interrupts');

  it('loads CR3 twice for each entry: exits under shadow paging', async () => {
    const shadow = { kind: 'shadow' };
    const [off, on] = [await isolated(false, shadow), await isolated(true, shadow)];
    expect(entries(on)).toBe(entries(off));
    expect(entries(on)).toBeGreaterThan(150);
    const more = cr3Exits(on) - cr3Exits(off);
    expect(Math.abs(more - 2 * entries(on))).toBeLessThanOrEqual(1);
  });

  it('loses translations at each: also those of the kernel', async () => {
    for (const mmu of MODES.slice(0, 2)) {
      const [off, on] = [await isolated(false, mmu), await isolated(true, mmu)];
      const lost = metric(on, 'walks_cr3') - metric(off, 'walks_cr3');
      expect(lost, mmu.kind).toBeGreaterThan(2 * entries(on));
      expect(cr3Exits(on), mmu.kind).toBe(0);
    }
  });

  it('does the same guest work under every paging mode', async () => {
    const work = async (mmu: Overrides) => {
      const result = await isolated(true, mmu, { ...JOBS, per1M });
      const names = ['user_instructions', 'syscalls', 'guest_faults', 'guest_pte_writes'] as const;
      return [...names, 'cow_breaks' as const, 'forks' as const].map((name) =>
        metric(result, name),
      );
    };
    const [native, nested, shadow] = [
      await work(MODES[0]!),
      await work(MODES[1]!),
      await work(MODES[2]!),
    ];
    expect(nested).toEqual(native);
    expect(shadow).toEqual(native);
  });
});

describe('clock chips', () => {
  it('are read at each tick, by exits', async () => {
    const ticks = (tickPorts: number) =>
      make({ ...LOOP, hz: 2000, work: 10 }, { os: { tickPorts } }, { kind: 'nested' });
    const io = ({ exits }: RunResult) =>
      exits.reduce((sum, { reason, count }) => sum + (reason === 'ioio' ? count : 0), 0);
    const [none, three] = [await ticks(0), await ticks(3)];
    expect(io(none)).toBe(0);
    expect(io(three)).toBe(3 * metric(three, 'timer_ticks'));
    expect(io(three)).toBeGreaterThan(10);
  });
});

describe('a fork', () => {
  const forks = (more: Overrides, os: Overrides = {}) =>
    make({ kind: 'fork-loop', hz: 0, pages: 20, written: 3, work: 10, ...more }, { os });
  const each = (result: RunResult, name: Parameters<typeof metric>[1]) =>
    metric(result, name) / metric(result, 'forks');

  it('copies no entry of a file: what a child executes of it, it faults on', async () => {
    const none = await forks({});
    const files = await forks({ files: 64 });
    const used = await forks({ files: 64, used: 16 });
    const around = await forks({ files: 64, used: 16 }, { faultAround: 16 });
    expect(each(none, 'cow_breaks')).toBeCloseTo(3 + 0.9, 5); // those of children, and the one page of the parent
    expect(each(files, 'guest_faults')).toBe(each(none, 'guest_faults'));
    expect(kernel(files)).toBeCloseTo(kernel(none), -4);
    expect(each(used, 'guest_faults') - each(none, 'guest_faults')).toBeCloseTo(16, 5);
    // Four aligned stretches of 16, and one more where the 64 pages begin within a stretch.
    const maps = each(around, 'guest_faults') - each(none, 'guest_faults');
    expect(maps).toBeGreaterThanOrEqual(4);
    expect(maps).toBeLessThanOrEqual(5);
  });

  it('copies the entries of a private file once a page of it has been written', async () => {
    const regions = (stores: number) => [
      { ...text, size: '4KiB' },
      { ...heap, name: 'data', kind: 'file', size: '64KiB', stores },
    ];
    const jobs = { instructions: 4000, exec: false, cowPages: 0, parentInstructions: 4000 };
    const run = (stores: number) => make({ ...LOOP, regions: regions(stores), jobs, work: 10 });
    const [read, written] = [await run(0), await run(0.5)];
    // Its text apart, a child finds what its parent has read only if a page was the parent's own.
    expect(each(read, 'guest_faults')).toBeGreaterThan(8);
    expect(each(written, 'guest_faults') - each(written, 'cow_breaks')).toBeLessThan(4);
  });

  it('has private pages in as many tables as it is told', async () => {
    const tables = async (parts: number) =>
      metric(await forks({ parts, aslr: false }), 'guest_faults');
    expect(await tables(5)).toBe(await tables(1));
    expect(kernel(await forks({ parts: 5 }))).toBeGreaterThan(1.02 * kernel(await forks({})));
  });

  it.each([
    [{ written: 21 }, 'written cannot exceed pages'],
    [{ kept: 21 }, 'kept cannot exceed pages'],
    [{ files: 3, used: 4 }, 'used cannot exceed files'],
  ])('%j is refused', (more, message) => {
    expect(() =>
      groupOf({ workload: { kind: 'fork-loop', pages: 20, written: 3, ...more } }),
    ).toThrow(message);
  });
});

import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import { metric, modeName, type Overrides, run } from '../support/scenarios.ts';

/** Live migration of real guests between two hosts, in every way in which it can go. */

/** Two pages of writing a visit, now and then new memory: tables, faults and stores. */
const WRITER: Overrides = {
  kind: 'synthetic',
  regions: [
    { name: 'text', kind: 'code', size: '64KiB', share: 1 },
    { name: 'hot', kind: 'anon', size: '256KiB', share: 1, stores: 0.5 },
    { name: 'cold', kind: 'anon', size: '1MiB', share: 0.02, stores: 0.5 },
    { name: 'new', kind: 'anon', size: '512KiB', share: 0.01, stores: 0.5, populated: false },
  ],
  per1M: { munmap: 10, mmap: { calls: 20, pages: 3, live: 4 } },
  visit: { instructions: 200 },
  hz: 0,
};

const PACE = '10Gb/s';

/** Both hosts, a VM on `a` and one on `b`, and what happens. */
const two = (mmu: Overrides, events: readonly Overrides[], more: Overrides = {}): Overrides => ({
  duration: 'work',
  host: undefined,
  hosts: {
    a: { processor: 'opteron-1354', pcpus: 2, memory: '1GiB' },
    b: { processor: 'opteron-1354', pcpus: 2, memory: '1GiB' },
  },
  links: [{ name: 'wire', between: ['a', 'b'], bandwidth: PACE, latency: '20us' }],
  hypervisor: { mmu },
  vms: [
    { name: 'vm', host: 'a', memory: '16MiB', workload: { ...WRITER, work: 40 } },
    { name: 'other', host: 'b', memory: '16MiB', workload: { ...WRITER, work: 20 } },
  ],
  events,
  ...more,
});

const move = (policy: Overrides, more: Overrides = {}): Overrides => ({
  ...{ at: '2ms', kind: 'migrate', vm: 'vm-0', to: 'b', link: 'wire', policy },
  ...more,
});

const whole = (result: RunResult, i = 0) =>
  result.migrations!.filter(({ round }) => round === undefined)[i]!;

const POLICIES: readonly Overrides[] = [
  { kind: 'xen-3', rounds: 4 },
  { kind: 'qemu-0.12', rate: 800, tick: '2ms', downtime: '2ms' },
  { kind: 'vmotion-4', goal: '2ms' },
  { kind: 'vmotion-5', goal: '1ms' },
  { kind: 'post-copy' },
];

/** What a program executes, wherever it runs. */
const executed = (result: RunResult, vm: string) =>
  (['user_instructions', 'visits', 'references', 'guest_faults', 'work'] as const).map((name) =>
    metric(result, name, vm),
  );

describe.each([{ kind: 'nested' }, { kind: 'nested', pageSize: '2MiB' }, { kind: 'shadow' }])(
  'under %s',
  (mmu) => {
    it.each(POLICIES)('$kind moves a VM, which executes what it does without', async (policy) => {
      const still = await run(two(mmu, []));
      const moved = await run(two(mmu, [move(policy)]));
      const row = whole(moved);
      expect([modeName(mmu), row.outcome, row.why]).toEqual([modeName(mmu), 'moved', row.why]);
      for (const vm of ['vm-0', 'other-0'])
        expect(executed(moved, vm)).toEqual(executed(still, vm));
      const migration = moved.ledger.filter(
        ({ leaf, detail }) => leaf === 'host' && detail === 'migration',
      );
      expect(new Set(migration.map(({ host }) => host))).toEqual(new Set(['a', 'b']));
      expect(still.migrations).toBeUndefined();
    });
  },
);

describe('a migration', () => {
  const mmu = { kind: 'nested' };
  const xen = { kind: 'xen-3', rounds: 4 };

  it('balances its bytes, and stands still for at least what its last round takes', async () => {
    const result = await run(two(mmu, [move({ ...xen, rounds: 3 })]));
    const rounds = result.migrations!.filter(({ round }) => round !== undefined);
    const row = whole(result);
    const sum = (pick: (one: (typeof rounds)[number]) => number) =>
      rounds.reduce((total, one) => total + pick(one), 0);
    // Xen: 4096 bytes and 8 of header for each page, empty ones too; and the state.
    expect(row.bytes).toBe(sum(({ bytes }) => bytes));
    expect(row.bytes).toBe(row.pages * (4096 + 8) + 12288);
    expect(row.cycles).toBeGreaterThanOrEqual(sum(({ cycles }) => cycles));
    const last = rounds.at(-1)!;
    const wire = ((last.pages * 4096 * 8) / 10e9) * result.mhz * 1e6;
    expect(last.downtimeCycles).toBe(row.downtimeCycles);
    expect(row.downtimeCycles).toBeGreaterThan(wire);
    // The hot pages, at least: each is stored to many times in a round.
    expect(last.pages).toBeGreaterThanOrEqual(64);
    const paused = metric(result, 'paused_cycles', 'vm-0');
    expect(Math.abs(paused - row.downtimeCycles)).toBeLessThan(20_000);
  });

  it('is the same twice, and can go there and back', async () => {
    const quick = { kind: 'vmotion-5', goal: '2ms' };
    const events = [move(quick, { at: '1ms' }), move(quick, { at: '20ms', to: 'a' })];
    const [once, twice] = [await run(two(mmu, events)), await run(two(mmu, events))];
    expect(once).toEqual(twice);
    expect([whole(once).outcome, whole(once, 1).outcome]).toEqual(['moved', 'moved']);
    expect([whole(once, 1).from, whole(once, 1).to]).toEqual(['b', 'a']);
    expect(executed(once, 'vm-0')).toEqual(executed(await run(two(mmu, [])), 'vm-0'));
  });

  it('is undone by a cut of its link, and one without a link does not begin', async () => {
    const cut = { at: '4ms', kind: 'cut', link: 'wire' };
    const result = await run(two(mmu, [move(xen), cut]));
    const row = whole(result);
    expect([row.outcome, row.why]).toEqual(['aborted', 'the link wire was cut']);
    expect(row.cycles).toBe(2 * 2200 * 1000);
    expect(executed(result, 'vm-0')).toEqual(executed(await run(two(mmu, [])), 'vm-0'));
    const onB = result.ledger.filter(({ host, vm }) => host === 'b' && vm === 'vm-0');
    expect(onB).toEqual([]);
  });

  it('is undone by the loss of its target, and lost with its source', async () => {
    const at = (host: string) => ({ at: '4ms', kind: 'fail', host });
    const vm = (name: string, host: string) => ({ name, host, memory: '16MiB', workload: WRITER });
    const vms = [vm('vm', 'a'), vm('other', 'b')];
    const short = { duration: '12ms', warmup: '1ms', vms };
    const still = await run(two(mmu, [at('b')], short));
    const aborted = await run(two(mmu, [move(xen), at('b')], short));
    expect(whole(aborted)).toMatchObject({ outcome: 'aborted', why: 'b failed' });
    const slowed = executed(aborted, 'vm-0')[0]! / executed(still, 'vm-0')[0]!;
    expect(slowed).toBeGreaterThan(0.8);
    const lost = await run(two(mmu, [move(xen), at('a')], short));
    expect(whole(lost)).toMatchObject({ outcome: 'lost', why: 'a failed', downtimeCycles: 0 });
    expect(executed(lost, 'vm-0')[0]).toBeLessThan(executed(still, 'vm-0')[0]! / 2);
  });

  it('that never ends is unfinished at the end of the run', async () => {
    const policy = { kind: 'qemu-0.12', rate: 1, tick: '1ms', downtime: '1us' };
    const result = await run(two(mmu, [move(policy)]));
    expect(whole(result)).toMatchObject({ outcome: 'unfinished', downtimeCycles: 0 });
    expect(result.migrations!.length).toBeGreaterThan(10);
  });

  it('brings the clients of a server along: requests wait for the switch and are served', async () => {
    const server = {
      ...{ kind: 'synthetic', hz: 250 },
      regions: [
        { name: 'text', kind: 'code', size: '64KiB', share: 1 },
        { name: 'heap', kind: 'anon', size: '256KiB', share: 1, stores: 0.4 },
      ],
      requests: { arrivals: { kind: 'open', rate: '2000/s' }, instructions: 100_000 },
    };
    const result = await run(
      two(mmu, [move({ kind: 'vmotion-5', goal: '2ms' })], {
        ...{ duration: '30ms', warmup: '1ms' },
        vms: [{ name: 'vm', host: 'a', memory: '16MiB', workload: server }],
      }),
    );
    const row = whole(result);
    expect(row.outcome).toBe('moved');
    const { latency_max_ns, requests, requests_unfinished } = result.vms[0]!.metrics;
    expect(requests).toBeGreaterThan(40);
    expect(requests_unfinished).toBeLessThan(10);
    expect(latency_max_ns).toBeGreaterThan((row.downtimeCycles / 2200) * 1000 * 0.5);
  });
});

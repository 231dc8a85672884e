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
  { kind: 'xen-3' },
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

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import {
  aScenario,
  BUSY_WORKLOADS,
  metric,
  type Overrides,
  PAGING_MODES,
  run,
  runs,
} from '../support/scenarios.ts';

/** Laws 1, 5 and 9 of the model: accounts balance, tags matter to several VMs only, and runs repeat. */

const TAGS: readonly Overrides[] = [
  { kind: 'none' },
  { kind: 'none', flush: 'every-vmrun' },
  { kind: 'kvm' },
  { kind: 'kvm', asids: 3 },
  { kind: 'xen-3' },
  { kind: 'xen-4.1' },
];
const SCHEDULERS: readonly Overrides[] = [
  { kind: 'round-robin', timeslice: '100us' },
  { kind: 'round-robin', timeslice: '1ms', steal: false },
  { kind: 'credit', timeslice: '1ms', tick: '300us' },
  { kind: 'credit', timeslice: '2ms', tick: '500us', ratelimit: '200us' },
];
const ENDLESS: Readonly<Record<string, Overrides>> = Object.fromEntries(
  Object.entries(BUSY_WORKLOADS).map(([name, { work: _, ...workload }]) => [name, workload]),
);
const SLEEPY: Overrides = { kind: 'idle', period: '300us', instructions: 5000, hz: 1000 };

const anyScenario = fc.record({
  seed: fc.integer({ min: 1, max: 1000 }),
  pcpus: fc.integer({ min: 1, max: 4 }),
  count: fc.integer({ min: 1, max: 3 }),
  mmu: fc.constantFrom(...PAGING_MODES),
  tags: fc.constantFrom(...TAGS),
  scheduler: fc.constantFrom(...SCHEDULERS),
  workloads: fc.tuple(
    fc.constantFrom(...Object.values(ENDLESS)),
    fc.constantFrom(SLEEPY, ...Object.values(ENDLESS)),
  ),
  warmup: fc.constantFrom('0us', '300us'),
  cap: fc.constantFrom(0, 0, 40),
  hz: fc.constantFrom(0, 250, 5000),
});
type AnyScenario = typeof anyScenario extends fc.Arbitrary<infer T> ? T : never;

const overridesOf = (s: AnyScenario): Overrides => ({
  seed: s.seed,
  duration: '1500us',
  warmup: s.warmup,
  output: { timeseries: '400us' },
  host: { pcpus: s.pcpus },
  hypervisor: { mmu: s.mmu, tags: s.tags, scheduler: s.scheduler },
  vms: s.workloads.map((workload, i) => ({
    name: `vm-${'ab'[i]}`,
    count: i === 0 ? s.count : 1,
    memory: '32MiB',
    cap: i === 0 && s.scheduler['kind'] === 'credit' ? s.cap : 0,
    workload: { ...workload, hz: workload['hz'] || s.hz },
  })),
});

/** Sums of one run's rows, taken from what is written and not from what the run checks by itself. */
function checkAccounts(result: RunResult): void {
  for (let pcpu = 0; pcpu < result.pcpuCount; pcpu++) {
    const leaves = result.ledger.filter((row) => row.pcpu === pcpu);
    const elapsed = result.metrics.find(
      (row) => row.scope === 'pcpu' && row.id === `${pcpu}` && row.metric === 'elapsed_cycles',
    );
    expect(leaves.reduce((sum, row) => sum + row.cycles, 0)).toBe(elapsed!.value);
    expect(leaves.every((row) => row.cycles >= 0)).toBe(true);
    // It may run over the end of the window by one step, and over its start: at most a fork under shadow paging.
    expect(Math.abs(elapsed!.value - result.windowCycles)).toBeLessThan(2_500_000);
  }
  for (const { vm, metrics: m } of result.vms) {
    const states =
      m.running_cycles! +
      m.ready_cycles! +
      m.costopped_cycles! +
      m.blocked_cycles! +
      m.parked_cycles!;
    expect(states).toBe(m.elapsed_cycles);
    const charged = result.ledger.filter((row) => row.vm === vm);
    expect(charged.reduce((sum, row) => sum + row.cycles, 0)).toBe(m.running_cycles);
    const exits = result.exits.filter((row) => row.vm === vm);
    const of = (leaf: string, reason: string) =>
      charged.reduce(
        (n, row) => n + (row.leaf === leaf && row.detail === reason ? row.cycles : 0),
        0,
      );
    for (const { reason, transitionCycles, handlerCycles } of exits) {
      expect(of('exit.transition', reason)).toBe(transitionCycles);
      expect(of('exit.handler', reason)).toBe(handlerCycles);
    }
  }
}

describe('law 1', () => {
  it('every cycle of a pCPU is in one leaf, every cycle of a vCPU in one state', async () => {
    await fc.assert(
      fc.asyncProperty(anyScenario, async (s) => checkAccounts(await run(overridesOf(s)))),
      { numRuns: runs(4) },
    );
  });
});

/** Everything a run says but the names of policies. */
const facts = (result: RunResult) =>
  JSON.stringify([result.metrics, result.ledger, result.exits, result.timeseries]);

describe('law 5', () => {
  const alone = (mmu: Overrides, tags: Overrides, workload: Overrides): Overrides => ({
    duration: '1ms',
    // The host's own translations survive a new tag but no flush of everything: they are left out.
    hypervisor: { mmu, tags, footprint: { touches: false } },
    vms: [{ name: 'vm', memory: '48MiB', workload: { ...workload, hz: 5000 } }],
  });
  const spent = (result: RunResult) =>
    JSON.stringify([result.ledger.filter((row) => row.leaf !== 'idle'), result.exits]);

  it.each([{ kind: 'native' }, { kind: 'nested' }, { kind: 'shadow' }])(
    'one VM alone runs the same with and without tags: $kind',
    async (mmu) => {
      for (const workload of [ENDLESS['forks']!, ENDLESS['ring']!]) {
        const without = spent(await run(alone(mmu, { kind: 'none' }, workload)));
        for (const tags of [{ kind: 'kvm' }, { kind: 'xen-3' }, { kind: 'xen-4.1' }]) {
          const causes = (text: string) => text.replaceAll('asid-exhausted', 'cr3');
          expect(causes(spent(await run(alone(mmu, tags, workload))))).toBe(causes(without));
        }
      }
    },
  );

  it('a flush at every VMRUN costs even one VM alone', async () => {
    const small: Overrides = { kind: 'tlb-thrash', pages: 200 };
    const tagged = await run(alone({ kind: 'nested' }, { kind: 'kvm' }, small));
    const flushed = await run(
      alone({ kind: 'nested' }, { kind: 'none', flush: 'every-vmrun' }, small),
    );
    expect(metric(flushed, 'walks')).toBeGreaterThan(metric(tagged, 'walks'));
  });

  it('more ASIDs never cause more flushes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('kvm', 'xen-4.1'),
        async (seed, count, kind) => {
          let before = Infinity;
          for (const asids of [2, 3, 9, 64]) {
            const result = await run({
              seed,
              duration: 'work',
              hypervisor: {
                mmu: { kind: 'shadow' },
                tags: { kind, asids },
                scheduler: { kind: 'round-robin', timeslice: '50us' },
              },
              vms: [
                {
                  name: 'vm',
                  count,
                  memory: '16MiB',
                  workload: { kind: 'context-switch-ring', pages: 4, work: 30, hz: 0 },
                },
              ],
            });
            const flushes = result.vms.reduce((n, { metrics }) => n + metrics.asid_exhaustions!, 0);
            expect(flushes).toBeLessThanOrEqual(before);
            before = flushes;
          }
        },
      ),
      { numRuns: runs(1) },
    );
  });
});

describe('law 9', () => {
  it('the same scenario and seed give the same numbers again', async () => {
    await fc.assert(
      fc.asyncProperty(anyScenario, async (s) => {
        const again = facts(await run(overridesOf(s)));
        expect(facts(await run(overridesOf(s)))).toBe(again);
      }),
      { numRuns: runs(1) },
    );
  });

  it('another seed gives others', async () => {
    const workload = ENDLESS['compile']!;
    const vms = [{ name: 'vm', memory: '48MiB', workload }];
    const [one, two] = [await run({ seed: 1, vms }), await run({ seed: 2, vms })];
    expect(facts(one)).not.toBe(facts(two));
  });

  it('a fresh process gives the same numbers', async () => {
    const overrides = {
      seed: 7,
      duration: '2ms',
      host: { pcpus: 2 },
      vms: [{ name: 'vm', count: 3, memory: '48MiB', workload: ENDLESS['compile']! }],
    };
    const program = `
      import { loadScenario } from './dist/scenario/load.js';
      import { runScenario } from './dist/scenario/run.js';
      const r = await runScenario(loadScenario(${JSON.stringify(aScenario(overrides))}, { file: 'test.yaml' }));
      process.stdout.write(JSON.stringify([r.metrics, r.ledger, r.exits, r.timeseries]));`;
    const there = execFileSync('node', ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    expect(there).toBe(facts(await run(overrides)));
  });

  it('how far cores may run ahead does not matter to one core', async () => {
    const overrides = (lookahead: string): Overrides => ({
      host: { lookahead },
      hypervisor: { scheduler: { kind: 'credit', timeslice: '1ms', tick: '300us' } },
      vms: [{ name: 'vm', count: 3, memory: '32MiB', workload: SLEEPY }],
    });
    const short = facts(await run(overrides('1us')));
    expect(facts(await run(overrides('1ms')))).toBe(short);
  });
});

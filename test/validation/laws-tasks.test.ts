import { describe, expect, it } from 'vitest';
import type { HostTask } from '../../src/hypervisor/host-task.ts';
import type { Hypervisor } from '../../src/hypervisor/hypervisor.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import { Leaf } from '../../src/stats/leaves.ts';
import type { RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import { metric, type Overrides, run, runs } from '../support/scenarios.ts';

/** Threads of the host: scheduled among the vCPUs, every cycle accounted for, their work done in order. */

/** Computes for ever; long visits keep the run cheap. */
const HOG: Overrides = { kind: 'tlb-thrash', pages: 8, instructions: 20_000, hz: 0 };

const host = (kind: string, pcpus: number, weights: readonly number[]): Overrides => ({
  duration: '1s',
  warmup: '100ms',
  host: { pcpus },
  hypervisor: { scheduler: { kind } },
  vms: weights.map((weight, i) => ({
    name: `vm-${'abcdefgh'[i]}`,
    memory: '16MiB',
    weight,
    workload: HOG,
  })),
  checks: { translations: false },
});

/** A task that always has something to do, in pieces of so many cycles. */
function busy(task: HostTask, piece: number, done: (now: number) => void = () => {}): void {
  const again = (now: number) => {
    done(now);
    task.post(piece, Leaf.HostMigration, again);
  };
  task.post(piece, Leaf.HostMigration, again);
}

const cyclesOf = (result: RunResult, leaf: string, detail: string) =>
  result.ledger
    .filter((row) => row.vm === 'host' && row.leaf === leaf && row.detail === detail)
    .reduce((sum, { cycles }) => sum + cycles, 0);

const names = schedulers.definitions.map(({ name }) => name);
const knows = (name: string, key: string) => {
  const definition = schedulers.find(name)!;
  const params = definition.vmParams?.parse({}) ?? {};
  const vm = { vcpus: 1, weight: 256, cap: 0, params, count: 1 };
  return definition.idle?.(definition.params.parse({}), vm)?.[key] === undefined;
};

describe.each(names)('a task of the host under %s', (kind) => {
  it('has the share of its weight beside a VM, and the ledger balances', async () => {
    let task!: HostTask;
    const times: number[] = [];
    const weight = knows(kind, 'weight') ? 512 : 256;
    const result = await run(host(kind, 1, [256]), {
      prepare: (hypervisor) => {
        task = hypervisor.tasks.add({ name: 'copy', weight });
        busy(task, 100_000, (now) => times.push(now));
      },
    });
    const share = cyclesOf(result, 'host', 'migration') / result.windowCycles;
    // Budgets of rtds, slices of sedf: equal for the task and the VM.
    const expected = weight / (256 + weight);
    expect(Math.abs(share - expected)).toBeLessThan(0.06);
    expect(cyclesOf(result, 'idle', '')).toBe(0);
    expect(metric(result, 'running_cycles') / result.windowCycles).toBeGreaterThan(0.9 - share);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.floor(task.executed / 100_000)).toBe(times.length);
  });
});

describe('the accounts of tasks', () => {
  it('balance for any work on any host', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 3 }),
        fc.array(fc.record({ cycles: fc.nat(400_000), gap: fc.nat(3_000_000) }), {
          minLength: 1,
          maxLength: 20,
        }),
        async (kind, pcpus, hogs, pieces) => {
          const tasks: HostTask[] = [];
          const order: number[] = [];
          let hypervisor!: Hypervisor;
          const result = await run(
            {
              ...host(kind, pcpus, hogs > 0 ? new Array<number>(hogs).fill(256) : [256]),
              warmup: '0us',
              duration: '300ms',
            },
            {
              prepare: (built) => {
                hypervisor = built;
                tasks.push(built.tasks.add({ name: 'a', weight: 256 }));
                tasks.push(built.tasks.add({ name: 'b', weight: 128 }));
                let at = 0;
                for (const [i, { cycles, gap }] of pieces.entries()) {
                  at += gap;
                  const due = at;
                  const kind = built.engine.defineEvent(0, () =>
                    tasks[0]!.post(cycles, Leaf.HostMigration, (now) => {
                      order.push(i);
                      expect(now).toBeGreaterThanOrEqual(due);
                      // Work of one thread makes work for another.
                      tasks[1]!.post(cycles >> 1, Leaf.HostFt);
                    }),
                  );
                  built.engine.schedule(due, kind, 0);
                }
              },
            },
          );
          const [a, b] = tasks as [HostTask, HostTask];
          const posted = pieces.reduce((sum, { cycles }) => sum + cycles, 0);
          expect(order).toEqual(pieces.map((_, i) => i));
          expect([a.executed, a.posted, a.backlog]).toEqual([posted, posted, 0]);
          expect(b.executed).toBe(pieces.reduce((sum, { cycles }) => sum + (cycles >> 1), 0));
          expect(cyclesOf(result, 'host', 'migration')).toBe(a.executed);
          expect(cyclesOf(result, 'host', 'ft')).toBe(b.executed);
          for (const task of tasks) {
            const now = hypervisor.engine.now;
            const states = task.statesAt(now).reduce((sum, cycles) => sum + cycles, 0);
            expect(states).toBe(now);
          }
        },
      ),
      { numRuns: runs(8) },
    );
  });

  it('differ from a run without tasks in nothing when they have nothing to do', async () => {
    for (const kind of ['credit', 'cfs', 'esx']) {
      const plan = { ...host(kind, 2, [256, 512, 256]), duration: '200ms', warmup: '50ms' };
      const without = await run(plan);
      const beside = await run(plan, {
        prepare: ({ tasks }) => tasks.add({ name: 'idle', weight: 256 }),
      });
      expect(beside.ledger).toEqual(without.ledger);
    }
  });
});

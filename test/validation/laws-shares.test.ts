import { describe, expect, it } from 'vitest';
import { presets } from '../../src/scenario/presets.ts';
import type { RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import { metric, type Overrides, run, runs } from '../support/scenarios.ts';

/** Law 7 of the model: shares follow weights, caps hold, no pCPU idles while a vCPU that may run there waits. */

/** Computes for ever; long visits keep the run cheap. */
const HOG: Overrides = { kind: 'tlb-thrash', pages: 8, instructions: 20_000, hz: 0 };

interface Guest {
  readonly weight?: number;
  readonly cap?: number;
  readonly pin?: number[];
  readonly workload?: Overrides;
}

function contend(guests: readonly Guest[], more: Overrides): Promise<RunResult> {
  const { host, scheduler, seed = 1, duration = '3s' } = more;
  return run({
    seed,
    duration,
    warmup: '300ms',
    output: { timeseries: '1s' },
    checks: { translations: false },
    host: { pcpus: 1, ...(host as Overrides) },
    hypervisor: { scheduler: scheduler ?? { kind: 'credit' }, costs: { hostHz: 0 } },
    vms: guests.map((guest, i) => ({
      name: `vm-${'abcdefgh'[i]}`,
      memory: '16MiB',
      workload: HOG,
      ...guest,
    })),
  });
}

it.each(Object.keys(presets.hypervisors))(
  'a VM alone gets the same from the scheduler of %s as from any other that may run it at once',
  async (profile) => {
    const alone = (scheduler: Overrides = {}) =>
      run({
        duration: '8ms',
        warmup: '1ms',
        host: { pcpus: 2 },
        hypervisor: { profile, mmu: { kind: 'shadow' }, ...scheduler },
        vms: [{ name: 'vm', memory: '32MiB', workload: { kind: 'idle', period: '1ms', hz: 250 } }],
      });
    const { vms, ledger } = await alone();
    expect(metric({ vms } as RunResult, 'turns')).toBeGreaterThan(3);
    for (const kind of ['round-robin', 'credit']) {
      const other = await alone({ scheduler: { kind } });
      expect([other.vms, other.ledger]).toEqual([vms, ledger]);
    }
  },
);

const idleCycles = (result: RunResult) =>
  result.ledger.reduce((sum, row) => sum + (row.leaf === 'idle' ? row.cycles : 0), 0);
const running = (result: RunResult, i: number) =>
  metric(result, 'running_cycles', result.vms[i]!.vm);

describe('credit', () => {
  it('shares follow weights', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(64, 128, 256, 512, 768, 1024), { minLength: 2, maxLength: 5 }),
        fc.constantFrom(2, 5, 10, 30),
        fc.integer({ min: 1, max: 1000 }),
        async (weights, ms, seed) => {
          const result = await contend(
            weights.map((weight) => ({ weight })),
            { seed, scheduler: { kind: 'credit', timeslice: `${ms}ms` } },
          );
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          for (const [i, weight] of weights.entries()) {
            const share = running(result, i) / result.windowCycles;
            // A turn more or less at either end of 2.7 s, and what switches cost.
            expect(Math.abs(share - weight / total)).toBeLessThan(0.01 + (2 * ms) / 2700);
          }
          expect(idleCycles(result)).toBe(0);
        },
      ),
      { numRuns: runs(2) },
    );
  });

  it('caps hold, whether or not others want the processor', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 10, max: 90 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 2 }),
        async (cap, contended, pcpus) => {
          const others = contended ? Array.from({ length: pcpus }, () => ({})) : [];
          const result = await contend([{ cap }, ...others], { host: { pcpus } });
          const share = running(result, 0) / result.windowCycles;
          expect(share).toBeLessThan(cap / 100 + 0.04);
          if (!contended) expect(share).toBeGreaterThan(cap / 100 - 0.04);
          if (!contended) expect(metric(result, 'parked_cycles')).toBeGreaterThan(0);
        },
      ),
      { numRuns: runs(2) },
    );
  });
});

describe.each([
  ['credit', { kind: 'credit' }],
  ['round-robin', { kind: 'round-robin', timeslice: '5ms' }],
] as const)('%s', (_name, scheduler) => {
  it('no pCPU idles while as many vCPUs want to run', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 3 }),
        async (pcpus, extra) => {
          const guests = Array.from({ length: pcpus + extra }, () => ({}));
          const result = await contend(guests, { host: { pcpus }, scheduler, duration: '1s' });
          // Nothing but the moments between an IPI and its arrival.
          expect(idleCycles(result)).toBeLessThan(result.windowCycles * 0.001);
        },
      ),
      { numRuns: runs(2) },
    );
  });

  it('a vCPU waits for a pCPU only while all it may use are busy', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1000 }), async (seed) => {
        const sleepy = { kind: 'idle', period: '2ms', instructions: 40_000, hz: 250 };
        const guests = [
          { workload: sleepy },
          { workload: sleepy },
          { pin: [1] },
          { pin: [1, 2] },
          { pin: [3] },
        ];
        const result = await contend(guests, {
          seed,
          host: { pcpus: 4 },
          scheduler,
          duration: '1s',
        });
        // pCPU 0 is nearly always free: nobody who may run there waits for more than the IPIs.
        for (const i of [0, 1]) {
          const m = (name: 'ready_cycles' | 'turns') => metric(result, name, result.vms[i]!.vm);
          expect(m('ready_cycles') / m('turns')).toBeLessThan(60_000);
        }
        expect(running(result, 2) + running(result, 3)).toBeGreaterThan(1.9 * result.windowCycles);
        expect(running(result, 4)).toBeGreaterThan(0.99 * result.windowCycles);
      }),
      { numRuns: runs(2) },
    );
  });
});

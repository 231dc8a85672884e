import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/stats/result.ts';
import { runTables } from '../../src/tables/csv.ts';
import { metric, type Overrides, run } from '../support/scenarios.ts';

/** Runs whose stretches of visits are skipped: what holds exactly, and how near they come. */

const SERVERS: Overrides = {
  duration: '170ms',
  warmup: '10ms',
  host: { processor: 'opteron-1354', pcpus: 2, memory: '1GiB' },
  vms: [
    {
      name: 'web',
      count: 3,
      memory: '96MiB',
      workload: {
        kind: 'web-server',
        requests: {
          arrivals: { kind: 'open', rate: '900/s' },
          instructions: 60_000,
          ioProbability: 0,
        },
      },
    },
  ],
  output: { timeseries: '0ms' },
  checks: { translations: false },
};
const LEARNED = { kind: 'learned', warm: '3ms', detail: '8ms', target: 0.02 };

const tables = (result: RunResult): string =>
  [...runTables(result)]
    .map(([name, text]) => `${name}\n${typeof text === 'string' ? text : [...text].join('')}`)
    .join('\n');

const sum = (result: RunResult, name: Parameters<typeof metric>[1]): number =>
  result.vms.reduce((total, { vm }) => total + metric(result, name, vm), 0);

const cpi = (result: RunResult) => sum(result, 'running_cycles') / sum(result, 'instructions');

const exact = run(SERVERS);
const sampled = run({ ...SERVERS, sampling: LEARNED });

describe('a sampled run', () => {
  it('is the usual one when sampling is off', async () => {
    const short = { ...SERVERS, duration: '15ms' };
    const off = await run({ ...short, sampling: { kind: 'off' } });
    expect(tables(off)).toBe(tables(await run(short)));
  });

  it('is the same whenever the seed is', async () => {
    const again = await run({ ...SERVERS, sampling: LEARNED });
    expect(tables(again)).toBe(tables(await sampled));
    const other = await run({ ...SERVERS, sampling: LEARNED, seed: 2 });
    expect(tables(other)).not.toBe(tables(again));
  });

  it('accounts for every cycle of every pCPU', async () => {
    const { ledger, windowCycles } = await sampled;
    for (const pcpu of [0, 1]) {
      const own = ledger.filter((row) => row.pcpu === pcpu);
      expect(own.reduce((cycles, row) => cycles + row.cycles, 0)).toBe(windowCycles);
      for (const { cycles } of own) expect(Number.isInteger(cycles)).toBe(true);
    }
  });

  it('says how little was done in detail, and how well costs are known', async () => {
    const { sampling } = await sampled;
    expect((await exact).sampling).toBeUndefined();
    expect(sampling!.detail).toBeGreaterThan(0.1);
    expect(sampling!.detail).toBeLessThan(0.6);
    expect(sampling!.windows).toBeGreaterThanOrEqual(4);
    expect(sampling!.groups.map(({ group }) => group)).toEqual(['web']);
    expect(sampling!.groups[0]!.halfWidth).toBeLessThan(0.05);
  });

  it('does the same work as the exact run', async () => {
    const [a, b] = [await exact, await sampled];
    for (const name of ['requests', 'syscalls'] as const) {
      expect(Math.abs(sum(b, name) / sum(a, name) - 1), name).toBeLessThan(0.005);
    }
    for (const name of ['user_instructions', 'visits', 'references', 'exits'] as const) {
      expect(Math.abs(sum(b, name) / sum(a, name) - 1), name).toBeLessThan(0.01);
    }
  });

  it('costs what the exact run costs', async () => {
    const [a, b] = [await exact, await sampled];
    expect(Math.abs(cpi(b) / cpi(a) - 1)).toBeLessThan(0.03);
    for (const name of ['walks', 'data_l2_misses', 'l1d_line_misses', 'latency_p50_ns'] as const) {
      expect(Math.abs(sum(b, name) / sum(a, name) - 1), name).toBeLessThan(0.08);
    }
  });
});

/** Programs that come and go, and touch everything for the first time. */
describe.each([{ kind: 'nested' }, { kind: 'shadow' }])('a sampled run of scripts, %o', (mmu) => {
  const SCRIPTS: Overrides = {
    duration: '120ms',
    warmup: '10ms',
    host: { processor: 'opteron-1354', pcpus: 1, memory: '1GiB' },
    hypervisor: { profile: 'kvm-2.6.33', mmu },
    vms: [{ name: 'script', memory: '256MiB', workload: { kind: 'shell-script' } }],
    output: { timeseries: '0ms' },
    checks: { translations: false },
  };

  it('forks, faults and exits as the exact one does, at about its cost', async () => {
    const a = await run(SCRIPTS);
    const b = await run({ ...SCRIPTS, sampling: { ...LEARNED, detail: '4ms' } });
    const perWork = (result: RunResult, name: Parameters<typeof metric>[1]) =>
      sum(result, name) / sum(result, 'user_instructions');
    for (const name of ['guest_faults', 'hidden_faults', 'exits', 'guest_pte_writes'] as const) {
      const [exactly, about] = [perWork(a, name), perWork(b, name)];
      expect(Math.abs(about - exactly), name).toBeLessThan(0.05 * exactly + 1e-9);
    }
    expect(Math.abs(cpi(b) / cpi(a) - 1)).toBeLessThan(0.06);
  });
});

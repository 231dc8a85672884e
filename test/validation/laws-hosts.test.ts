import { expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';

/** Hosts in one scenario that have nothing to do with each other do what they do apart. */

const A = '{ processor: opteron-1354, memory: 1GiB, pcpus: 2 }';
const B = '{ processor: opteron-2356, cpu: { clock: 2.2GHz }, memory: 1GiB, pcpus: 3 }';
const group = (name: string, host: string, count: number, workload: string, more = '') =>
  `  - { name: ${name}, count: ${count}, memory: 96MiB${host && `, host: ${host}`}, workload: ${workload}${more} }`;

const WEB = '{ kind: web-server, requests: { arrivals: { kind: open, rate: 3000/s } } }';
const THRASH = '{ kind: tlb-thrash, pages: 3000 }';
const vmsOf = (name: 'a' | 'b', host: string) =>
  name === 'a'
    ? [group('web', host, 2, WEB), group('hog', host, 4, THRASH)]
    : [group('shadow', host, 3, '{ kind: fork-loop, pages: 30 }', ', mmu: { kind: shadow }')];

const scenario = (hosts: string, vms: readonly string[], hypervisor: string) =>
  loadScenario(
    [
      'name: law',
      'duration: 8ms',
      'warmup: 1ms',
      hosts,
      `hypervisor: ${hypervisor}`,
      'vms:',
      ...vms,
      'output: { timeseries: 2ms, evictions: true }',
      '',
    ].join('\n'),
    { file: 'law.yaml' },
  );

/** Rows of one host, as they are where it is alone. */
function rowsOf(result: RunResult, host: string) {
  const own = <R extends { host?: string | undefined }>(rows: readonly R[]) =>
    rows.filter((row) => row.host === host).map(({ host: _, ...row }) => row);
  return {
    metrics: own(result.metrics).map((row) => (row.scope === 'host' ? { ...row, id: '0' } : row)),
    ledger: own(result.ledger),
    exits: own(result.exits),
    evictions: own(result.evictions!),
    latencies: own(result.latencies),
    timeseries: own(result.timeseries),
  };
}

it.each(['{ profile: kvm-2.6.33 }', '{ profile: xen-3.4 }', '{ profile: esx-4 }'])(
  'two hosts together and apart: %s',
  async (hypervisor) => {
    const together = await runScenario(
      scenario(
        `hosts:\n  a: ${A}\n  b: ${B}`,
        [...vmsOf('a', 'a'), ...vmsOf('b', 'b')],
        hypervisor,
      ),
    );
    for (const [name, host] of [
      ['a', A],
      ['b', B],
    ] as const) {
      const { metrics, ledger, exits, evictions, latencies, timeseries } = await runScenario(
        scenario(`host: ${host}`, vmsOf(name, ''), hypervisor),
      );
      const apart = { metrics, ledger, exits, evictions, latencies, timeseries };
      expect(rowsOf(together, name)).toEqual(apart);
    }
    expect(together.ledger.length).toBeGreaterThan(50);
  },
);

import { expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';

/** Hosts in one scenario that have nothing to do with each other do what they do apart. */

const A = '{ processor: opteron-1354, memory: 1GiB, pcpus: 2 }';
const atClock = (clock: string) =>
  `{ processor: opteron-2356, cpu: { clock: ${clock} }, memory: 1GiB, pcpus: 3 }`;
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
function rowsOf(result: RunResult, host: string | undefined) {
  const own = <R extends { host?: string | undefined }>(rows: readonly R[]) =>
    rows.filter((row) => row.host === host).map(({ host: _, ...row }) => row);
  return {
    metrics: own(result.metrics).map((row) => (row.scope === 'host' ? { ...row, id: '0' } : row)),
    ledger: own(result.ledger),
    exits: own(result.exits),
    evictions: own(result.evictions!),
    latencies: own(result.latencies),
    // Points of time: in cycles of the first host.
    timeseries: own(result.timeseries).map((row) => ({ ...row, cycle: row.cycle / result.mhz })),
  };
}

it.each([
  ['{ profile: kvm-2.6.33 }', '2.2GHz'],
  ['{ profile: xen-3.4 }', '2.2GHz'],
  ['{ profile: esx-4 }', '2.2GHz'],
  ['{ profile: kvm-2.6.33 }', '2.3GHz'],
  ['{ profile: xen-3.4 }', '2.6GHz'],
  ['{ profile: esx-4 }', '1.1GHz'],
])('two hosts together and apart: %s, the second at %s', async (hypervisor, clock) => {
  const B = atClock(clock);
  const together = await runScenario(
    scenario(`hosts:\n  a: ${A}\n  b: ${B}`, [...vmsOf('a', 'a'), ...vmsOf('b', 'b')], hypervisor),
  );
  for (const [name, host] of [
    ['a', A],
    ['b', B],
  ] as const) {
    const alone = await runScenario(scenario(`host: ${host}`, vmsOf(name, ''), hypervisor));
    expect(rowsOf(together, name)).toEqual(rowsOf(alone, undefined));
  }
  expect(together.ledger.length).toBeGreaterThan(50);
});

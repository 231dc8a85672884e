import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';

const TEN_SECONDS = `
name: ten-seconds
duration: 10s
warmup: 100ms
host: { processor: opteron-1354, memory: 2GiB, pcpus: 1, caches: { data: off } }
hypervisor: { profile: kvm-2.6.33 }
output: { timeseries: 0ms }
vms:
  - name: web
    memory: 192MiB
    count: 2
    workload:
      kind: web-server
      requests:
        arrivals: { kind: open, rate: 400/s }
        instructions: 8000
        ioProbability: 0
        syscalls: { other: 4, open: 0, poll: 0, readPage: 0, simple: 0, stat: 0 }
        responseBytes: 1000
`;

/** Bytes in use on the heap and in arrays, garbage collected. */
function inUse(gc: () => void): number {
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('ten simulated seconds take no more memory than two', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const scenario = loadScenario(TEN_SECONDS, { file: 'ten.yaml' });
  const seen: { fraction: number; bytes: number }[] = [];
  const result = await runScenario(scenario, {
    onProgress: ({ fraction }) => {
      if (fraction < seen.length / 10) return;
      seen.push({ fraction, bytes: inUse(gc) });
    },
  });
  const settled = seen.filter(({ fraction }) => fraction >= 0.2).map(({ bytes }) => bytes);
  expect(settled.length).toBeGreaterThanOrEqual(7);
  // Of each request its arrival and its end are kept: 8000 requests are 128 kB.
  expect(Math.max(...settled) - settled[0]!).toBeLessThan(2e6);
  for (const { metrics } of result.vms) {
    expect(metrics.latency_p99_ns).toBeGreaterThan(0);
    expect(metrics.requests).toBeGreaterThan(3500);
  }
  for (let pcpu = 0; pcpu < result.pcpuCount; pcpu++) {
    const own = result.ledger.filter((row) => row.pcpu === pcpu);
    expect(own.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(result.windowCycles);
  }
});

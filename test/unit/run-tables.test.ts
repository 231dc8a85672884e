import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import { latenciesCsv } from '../../src/tables/csv.ts';
import { reportedYaml } from '../support/program.ts';
import { BUSY_WORKLOADS, run } from '../support/scenarios.ts';

describe('the timeline', () => {
  it('has every walk of the run in one interval, by cause', async () => {
    const { work: _, ...server } = BUSY_WORKLOADS['server']!;
    const { work: __, ...crowd } = BUSY_WORKLOADS['crowd']!;
    const { vms, timeseries } = await run({
      duration: '6ms',
      vms: [
        { name: 'a', count: 2, memory: '32MiB', workload: server },
        { name: 'b', memory: '32MiB', workload: crowd },
      ],
    });
    let causes = 0;
    for (const { vm, metrics } of vms) {
      for (const [name, total] of Object.entries(metrics)) {
        if (!name.startsWith('walks_')) continue;
        const rows = timeseries.filter(({ id, metric }) => id === vm && metric === name);
        expect(
          rows.reduce((sum, { value }) => sum + value, 0),
          `${vm} ${name}`,
        ).toBe(total);
        if (rows.length > 1) causes++;
      }
    }
    expect(causes).toBeGreaterThanOrEqual(4);
  });
});

describe('latencies', () => {
  it('are the quantiles that the metrics name', async () => {
    const result = await runScenario(loadScenario(reportedYaml(), { file: 's.yaml' }));
    const rows = parse([...latenciesCsv(result)].join(''), { columns: true, cast: true }) as {
      vm: string;
      quantile: number;
      latency_ns: number;
    }[];
    const serving = result.vms.filter(({ metrics }) => (metrics.requests ?? 0) > 0);
    expect(serving.map(({ vm }) => vm)).toEqual(['web-0', 'web-1']);
    for (const { vm, metrics } of serving) {
      const own = rows.filter((row) => row.vm === vm);
      expect(own).toHaveLength(metrics.requests! + metrics.requests_unfinished!);
      expect(own.at(-1)).toEqual({ vm, quantile: 1, latency_ns: metrics.latency_max_ns });
      expect(own.length).toBeLessThan(20);
      expect(metrics.latency_p50_ns).toBeUndefined();
    }
    expect(rows.map(({ vm }) => vm)).not.toContain('loop-0');
  });
});

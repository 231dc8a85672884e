import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { requestsNeeded } from '../../stats/window.ts';
import { counted, plain } from '../quantities.ts';
import { groupBy, grouped, short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { foldVms, number } from './run-ledger.ts';
import { colours } from './run-time.ts';
import { series } from './style.ts';

/** How long requests took: percentiles from the table of VMs, distributions from latencies.csv. */

const ms = (ns: number) => ns / 1e6;

const scale = {
  type: 'log',
  label: 'latency, ms',
  labelAnchor: 'center',
  labelArrow: 'none',
  grid: true,
  ticks: 6,
  tickFormat: short,
} as const;

const quantiles = [
  ['latency_p50_ns', 'p50'],
  ['latency_p95_ns', 'p95'],
  ['latency_p99_ns', 'p99'],
  ['latency_max_ns', 'max'],
] as const;

export const hasRequests = (row: Row) =>
  row['work_unit'] === 'requests' || number(row, 'requests_arrived') > 0;

/** Requests that percentiles are made of: served, or not finished at the end of the window. */
export const requestsSeen = (row: Row) =>
  number(row, 'requests') + number(row, 'requests_unfinished');

/** `web-0 served none of its 10 requests.` */
export function unserved(vms: readonly Row[]): string[] {
  return vms
    .filter((row) => requestsSeen(row) > 0 && number(row, 'requests') === 0)
    .map((row) => {
      const all = counted(requestsSeen(row), 'requests');
      return `${row['vm']} served none of its ${all}.`;
    });
}

/** Latency of the requests of VMs that served some. */
export function latencies(files: RunFiles): Drawing | undefined {
  const serving = files.vms.filter((row) => number(row, 'latency_max_ns') > 0);
  if (serving.length === 0) return undefined;
  const lines = foldVms(serving);
  const points = [...lines].flatMap(([line, rows]) =>
    quantiles
      .map(([column, name], i) => ({
        line,
        name,
        colour: series[i]!,
        value: ms(Math.max(...rows.map((row) => number(row, column)))),
      }))
      // Too few requests for the percentile.
      .filter(({ value }) => value > 0),
  );
  const spans = [...lines.keys()].map((line) => {
    const own = points.filter((point) => point.line === line).map(({ value }) => value);
    return { line, from: Math.min(...own), to: Math.max(...own) };
  });
  const worst = points
    .filter(({ name }) => name === 'p99')
    .toSorted((a, b) => b.value - a.value)[0];
  const highest = worst
    ? `The highest 99th percentile is that of ${worst.line}: ${plain(worst.value)} ms.`
    : `No VM has the ${grouped(requestsNeeded(0.99))} requests that a 99th percentile takes.`;
  return {
    id: 'latency',
    title: 'Latency of requests',
    description: `Median, 95th and 99th percentile and maximum of the time from the arrival of a request to its end; where VMs share a line, that of the worst. ${highest}`,
    legend: quantiles.map(([, label], i) => ({ label, colour: series[i]! })),
    options: {
      height: 64 + lines.size * 26,
      marginTop: 12,
      marginLeft: marginFor([...lines.keys()]),
      marginRight: 30,
      x: scale,
      y: { domain: [...lines.keys()], label: null },
      color: { type: 'identity' },
      symbol: {
        domain: quantiles.map(([, name]) => name),
        range: ['circle', 'square', 'triangle', 'diamond'],
      },
    },
    marks: (plot) => [
      plot.ruleY(spans, { y: 'line', x1: 'from', x2: 'to' }),
      plot.dot(points, {
        x: 'value',
        y: 'line',
        fill: 'colour',
        symbol: 'name',
        r: 5,
        title: ({ line, name, value }: (typeof points)[number]) =>
          `${line}: ${name} ${plain(value)} ms`,
      }),
    ],
  };
}

/** Share of the requests that took at most so long. */
export function latencyDistribution(files: RunFiles): Drawing | undefined {
  const byVm = groupBy(files.latencies, (row) => row['vm']!);
  if (byVm.size === 0) return undefined;
  const serving = files.vms.filter((row) => byVm.has(row['vm']!));
  const few = serving.length <= series.length;
  const nameOf = new Map(serving.map((row) => [row['vm']!, few ? row['vm']! : row['group']!]));
  const names = [...new Set(nameOf.values())];
  const colour = colours(names);
  const points = [...byVm].flatMap(([vm, rows]) =>
    [
      { quantile: 0, row: rows[0]! },
      ...rows.map((row) => ({ quantile: number(row, 'quantile'), row })),
    ].map(({ quantile, row }) => ({
      vm,
      name: nameOf.get(vm) ?? vm,
      share: 100 * quantile,
      latency: ms(number(row, 'latency_ns')),
    })),
  );
  return {
    id: 'latency-distribution',
    title: 'Distribution of latencies',
    description: `Per cent of the requests of each VM that took at most so long${few ? '' : '; VMs of a group in the same colour'}.`,
    legend: names.map((label) => ({ label, colour: colour.get(label)! })),
    options: {
      height: 280,
      marginTop: 34,
      marginLeft: 64,
      marginRight: 30,
      x: scale,
      y: { label: 'requests, %', labelArrow: 'none', grid: true, domain: [0, 100] },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.lineY(points, {
        x: 'latency',
        y: 'share',
        z: 'vm',
        curve: 'step-after',
        stroke: ({ name }: (typeof points)[number]) => colour.get(name)!,
        strokeWidth: 2,
        title: 'vm',
      }),
      plot.ruleY([0]),
    ],
  };
}

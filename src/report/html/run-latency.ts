import { enumerated } from '../../base/collections.ts';
import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { requestsNeeded } from '../../stats/findings.ts';
import { counted, countedRange, plain } from '../quantities.ts';
import { groupBy, grouped } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { foldVms, number } from './run-ledger.ts';
import { ms, VmColours } from './run-time.ts';

/** How long requests took: percentiles from the table of VMs, distributions from latencies.csv. */

/** A logarithmic axis with some room at its ends and ticks at 1, 2 and 5, or at 1 alone. */
export function logScale(values: readonly number[]) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  // At least a decade, so that there are some ticks.
  const room = Math.max(1.3, Math.sqrt((10 * least) / most));
  const domain: [number, number] = [least / room, most * room];
  const wide = most / least > 300;
  const ticks: number[] = [];
  for (let decade = Math.floor(Math.log10(domain[0])); 10 ** decade <= domain[1]; decade++) {
    for (const step of wide ? [1] : [1, 2, 5]) {
      const tick = Number(`${step}e${decade}`);
      if (tick >= domain[0] && tick <= domain[1]) ticks.push(tick);
    }
  }
  return { type: 'log', domain, ticks, tickFormat: plain, grid: true } as const;
}

const scale = (values: readonly number[]) => ({
  ...logScale(values),
  label: 'latency, ms',
  labelAnchor: 'center' as const,
  labelArrow: 'none' as const,
});

/** Told apart by shape, since colours say which VM. */
const quantiles = [
  ['latency_p50_ns', 'p50', 'circle', 0.5],
  ['latency_p95_ns', 'p95', 'square', 0.95],
  ['latency_p99_ns', 'p99', 'triangle', 0.99],
  ['latency_max_ns', 'max', undefined, undefined],
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
      .map(([column, name, symbol]) => ({
        line,
        name,
        symbol,
        value: ms(Math.max(...rows.map((row) => number(row, column)))),
      }))
      // Too few requests for the percentile.
      .filter(({ value }) => value > 0),
  );
  const spans = [...lines.keys()].map((line) => {
    const own = points.filter((point) => point.line === line).map(({ value }) => value);
    return { line, from: Math.min(...own), to: Math.max(...own) };
  });
  const worst = (['p99', 'p95', 'p50'] as const).flatMap((name) =>
    points
      .filter((point) => point.name === name)
      .toSorted((a, b) => b.value - a.value)
      .slice(0, 1),
  )[0];
  const highest = worst
    ? ` The highest ${worst.name} is that of ${worst.line}: ${plain(worst.value)} ms.`
    : '';
  const title = ({ line, name, value }: (typeof points)[number]) =>
    `${line}: ${name} ${plain(value)} ms`;
  const dots = points.filter(({ symbol }) => symbol !== undefined);
  return {
    id: 'latency',
    title: 'Latency of requests',
    description:
      'Median (p50, circle), 95th (p95, square) and 99th percentile (p99, triangle) and ' +
      'maximum (upright stroke) of the time from the arrival of a request to its ' +
      (`end${lines.size < serving.length ? ', of the worst VM of each group' : ''}.${highest}` +
        `${tooFew(serving)}`),
    options: {
      height: 62 + lines.size * 30,
      marginTop: 12,
      marginLeft: marginFor([...lines.keys()]),
      marginRight: 30,
      x: scale(points.map(({ value }) => value)),
      y: { domain: [...lines.keys()], label: null, type: 'band' },
      symbol: {
        domain: ['circle', 'square', 'triangle'],
        range: ['circle', 'square', 'triangle'],
      },
    },
    marks: (plot) => [
      plot.ruleY(spans, { y: 'line', x1: 'from', x2: 'to', strokeOpacity: 0.5 }),
      plot.tickX(
        points.filter(({ symbol }) => symbol === undefined),
        { x: 'value', y: 'line', strokeWidth: 2, insetTop: 2, insetBottom: 2, title },
      ),
      plot.dot(dots, {
        x: 'value',
        y: 'line',
        fill: 'currentColor',
        stroke: 'var(--page, #fff)',
        strokeWidth: 1,
        symbol: 'symbol',
        r: 5,
        title,
      }),
    ],
  };
}

/** Which percentiles are not shown, and why. */
function tooFew(serving: readonly Row[]): string {
  return quantiles
    .flatMap(([column, name, , q]) => {
      const lacking = serving.filter((row) => q !== undefined && number(row, column) === 0);
      if (lacking.length === 0) return [];
      const whose =
        lacking.length === serving.length ? 'any VM' : enumerated(lacking.map((row) => row['vm']!));
      return ` No ${name} for ${whose}: it takes ${grouped(requestsNeeded(q!))} requests.`;
    })
    .join('');
}

/** Share of the requests that took at most so long. */
export function latencyDistribution(files: RunFiles): Drawing | undefined {
  const byVm = groupBy(files.latencies, (row) => row['vm']!);
  if (byVm.size === 0) return undefined;
  const vms = new VmColours(files);
  const points = [...byVm].flatMap(([vm, rows]) =>
    [
      { quantile: 0, row: rows[0]! },
      ...rows.map((row) => ({ quantile: number(row, 'quantile'), row })),
    ].map(({ quantile, row }) => ({
      vm,
      name: vms.nameOf(vm),
      share: 100 * quantile,
      latency: ms(number(row, 'latency_ns')),
    })),
  );
  const seen = files.vms.filter((row) => byVm.has(row['vm']!));
  const n = seen.map((row) => requestsSeen(row));
  return {
    id: 'latency-distribution',
    title: 'Distribution of latencies',
    description:
      'Per cent of the requests of each VM that took no longer than this: ' +
      `${countedRange(n, 'requests')} for each ` +
      `VM${vms.each ? '' : '. VMs of a group share a colour'}.`,
    cross: true,
    legend: vms.legend(points.map(({ name }) => name)),
    options: {
      height: 300,
      marginTop: 34,
      marginLeft: 64,
      marginRight: 30,
      x: scale(points.map(({ latency }) => latency)),
      y: { label: 'requests, %', labelArrow: 'none', grid: true, domain: [0, 100] },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.lineY(points, {
        x: 'latency',
        y: 'share',
        z: 'vm',
        curve: 'step-after',
        stroke: ({ name }: (typeof points)[number]) => vms.of(name),
        strokeWidth: 2,
        title: 'vm',
      }),
      plot.ruleY([0]),
    ],
  };
}

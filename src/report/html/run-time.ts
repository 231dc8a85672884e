import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { lossCauses } from '../../stats/leaves.ts';
import { walkMetric } from '../../stats/metrics.ts';
import { groupBy, short } from '../table.ts';
import { type Drawing, marginFor, WIDTH } from './charts.ts';
import { foldVms, number } from './run-ledger.ts';
import { causeColours, onStep, series, steps } from './style.ts';

/** What happened when: from timeseries.csv and, where there is one, the trace. */

export interface Interval {
  readonly line: string;
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

const ms = (ns: number) => ns / 1e6;

/** Colours of lines or areas by name; more names than colours share the last. */
export function colours(names: readonly string[]): Map<string, string> {
  return new Map(names.map((name, i) => [name, series[i] ?? series.at(-1)!]));
}

/** Samples of a metric, the VMs of one line added up, as intervals that end at the sample. */
function intervals(files: RunFiles, metric: string, most: number): Interval[] {
  const rows = files.timeseries.filter((row) => row['metric'] === metric);
  const lineOf = new Map(
    [...foldVms(files.vms, most)].flatMap(([line, vms]) => vms.map((vm) => [vm['vm']!, line])),
  );
  const byLine = groupBy(rows, (row) => lineOf.get(row['id']!) ?? row['id']!);
  return [...byLine].flatMap(([line, samples]) => {
    let last = 0;
    return [...groupBy(samples, (row) => row['time_ns']!)].map(([time, same]) => {
      const from = last;
      last = ms(Number(time));
      const value = same.reduce((sum, row) => sum + number(row, 'value'), 0);
      return { line, from, to: last, value };
    });
  });
}

/** A dashed line where the measured window begins, when it does not begin with the run. */
export const windowStart = (warmup: number): Drawing['marks'] => {
  return (plot) =>
    warmup > 0
      ? [
          plot.ruleX([warmup], { strokeDasharray: '4 3' }),
          plot.text([warmup], {
            x: (x: number) => x,
            frameAnchor: 'top',
            dy: -14,
            text: () => 'measured from here',
            textAnchor: 'start',
            dx: 4,
          }),
        ]
      : [];
};

export const timeAxis = {
  label: 'simulated time, ms',
  labelAnchor: 'center',
  labelArrow: 'none',
} as const;

/** Share of each interval in which the VMs of a line ran, per VM. */
export function runningOverTime(files: RunFiles, warmup: number, mhz: number): Drawing | undefined {
  const cells = intervals(files, 'running_cycles', 33);
  if (cells.length === 0) return undefined;
  const lines = foldVms(files.vms, 33);
  const shares = cells.map((cell) => {
    const whole = (cell.to - cell.from) * 1000 * mhz * (lines.get(cell.line)?.length ?? 1);
    const share = whole > 0 ? Math.min(1, cell.value / whole) : 0;
    return { ...cell, share, step: Math.min(steps.length - 1, Math.floor(share * steps.length)) };
  });
  const names = [...lines.keys()];
  const wide = new Set(cells.map(({ to }) => to)).size <= 14;
  return {
    id: 'running',
    title: 'When each VM ran',
    description: `Share of each interval in which a vCPU of the VM ran on a pCPU; the rest it was halted or waited.`,
    legend: steps.map((colour, i) => ({
      label: `${i * 20}–${(i + 1) * 20} %`,
      colour,
    })),
    options: {
      height: 76 + names.length * 24,
      marginTop: 28,
      marginLeft: marginFor(names),
      marginRight: 24,
      x: timeAxis,
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(shares, {
        x1: 'from',
        x2: 'to',
        y: 'line',
        fill: ({ step }: { step: number }) => steps[step]!,
        stroke: 'var(--page, #fff)',
        strokeWidth: 0.5,
        title: ({ line, from, to, share }: Interval & { share: number }) =>
          `${line}: ran ${(share * 100).toFixed(0)} % of ${from.toFixed(0)} to ${to.toFixed(0)} ms`,
      }),
      ...(wide
        ? [
            plot.text(shares, {
              x: (cell: Interval) => (cell.from + cell.to) / 2,
              y: 'line',
              text: ({ share }: { share: number }) => `${(share * 100).toFixed(0)}`,
              fill: ({ step }: { step: number }) => onStep[step]!,
            }),
          ]
        : []),
      ...windowStart(warmup)(plot),
    ],
  };
}

/** Who holds how many translations. */
export function tlbOverTime(files: RunFiles, warmup: number): Drawing | undefined {
  const samples = intervals(files, 'tlb_entries', series.length + 1);
  return stackedOverTime(samples, warmup, {
    id: 'tlb',
    title: 'Translations held in the TLBs',
    label: 'entries',
    describe: (names) =>
      `Entries of all TLBs of the host by the ${names.length === files.vms.length ? 'VM' : 'group of VMs'} they belong to, at the end of each interval.`,
  });
}

/** Why translations were lost, over time. */
export function causesOverTime(files: RunFiles, warmup: number): Drawing | undefined {
  const rows = files.timeseries.filter((row) => row['metric']!.startsWith('walks_'));
  if (rows.length === 0) return undefined;
  const times = [...new Set(files.timeseries.map((row) => row['time_ns']!))];
  const byMetric = groupBy(rows, (row) => row['metric']!);
  const samples = lossCauses.flatMap((line) => {
    const byTime = groupBy(byMetric.get(walkMetric(line)) ?? [], (row) => row['time_ns']!);
    if (byTime.size === 0) return [];
    return times.map((time, i) => ({
      line,
      from: ms(Number(times[i - 1] ?? 0)),
      to: ms(Number(time)),
      value: (byTime.get(time) ?? []).reduce(
        (sum: number, row: Row) => sum + number(row, 'value'),
        0,
      ),
    }));
  });
  return stackedOverTime(samples, warmup, {
    id: 'walks-over-time',
    title: 'Page walks over time, by cause',
    label: 'page walks per interval',
    colour: causeColours,
    describe: () =>
      'Page walks of all VMs in each interval, by what the translation had been lost to.',
  });
}

interface StackedOverTime {
  readonly id: string;
  readonly title: string;
  readonly label: string;
  readonly colour?: Readonly<Record<string, string>>;
  readonly describe: (names: readonly string[]) => string;
}

function stackedOverTime(
  samples: readonly Interval[],
  warmup: number,
  options: StackedOverTime,
): Drawing | undefined {
  if (samples.length === 0) return undefined;
  const names = [...new Set(samples.map(({ line }) => line))];
  const own = colours(names);
  const colourOf = (name: string) => options.colour?.[name] ?? own.get(name)!;
  return {
    id: options.id,
    title: options.title,
    description: options.describe(names),
    legend: names.map((label) => ({ label, colour: colourOf(label) })),
    options: {
      height: 280,
      marginTop: 34,
      marginLeft: 64,
      marginRight: 24,
      width: WIDTH,
      x: timeAxis,
      y: { label: options.label, labelArrow: 'none', grid: true, tickFormat: short },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.rectY(samples, {
        x1: 'from',
        x2: 'to',
        y: 'value',
        fill: ({ line }: Interval) => colourOf(line),
        inset: 0,
        stroke: 'var(--page, #fff)',
        strokeWidth: 0.5,
        title: ({ line, from, to, value }: Interval) =>
          `${line}: ${short(value)}, ${from.toFixed(0)} to ${to.toFixed(0)} ms`,
      }),
      plot.ruleY([0]),
      ...windowStart(warmup)(plot),
    ],
  };
}

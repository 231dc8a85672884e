import type { Row } from '../../files/result-files.ts';
import type { RunFiles } from '../../files/results.ts';
import { groupBy, short } from '../table.ts';
import { type Drawing, marginFor, WIDTH } from './charts.ts';
import { foldVms, number } from './run-ledger.ts';
import { causeColours, onStep, series, steps } from './style.ts';

/** What happened when: from timeseries.csv and, where there is one, the trace. */

interface Interval {
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
const windowStart = (warmup: number): Drawing['marks'] => {
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

const timeAxis = {
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

/** Pieces into which time is cut: what ran longest in one stands for it. */
const PIECES = 480;

/** What ran on each pCPU, from the trace. */
export async function coreTimeline(
  files: RunFiles,
  warmup: number,
  mhz: number,
): Promise<Drawing | undefined> {
  if (!files.slices) return undefined;
  const end = Math.max(
    ...files.timeseries.map((row) => number(row, 'time_ns') / 1e6),
    warmup +
      files.vms.reduce((most, row) => Math.max(most, number(row, 'elapsed_cycles')), 0) /
        mhz /
        1000,
  );
  const width = (end * 1000 * mhz) / PIECES;
  const groups = [...new Set(files.vms.map((row) => row['group']!))];
  const few = files.vms.length <= series.length;
  const names = few ? files.vms.map((row) => row['vm']!) : groups;
  const nameOf = new Map(files.vms.map((row) => [row['vm']!, few ? row['vm']! : row['group']!]));
  /** Cycles of each name in each piece, by pCPU. */
  const cores = new Map<number, Float64Array[]>();
  for await (const { pcpu, vm, start, cycles } of files.slices()) {
    const at = names.indexOf(nameOf.get(vm) ?? '');
    if (at < 0) continue;
    const pieces = cores.get(pcpu) ?? names.map(() => new Float64Array(PIECES));
    cores.set(pcpu, pieces);
    for (let from = start; from < start + cycles; ) {
      const piece = Math.floor(from / width);
      const to = Math.min(start + cycles, (piece + 1) * width);
      if (piece < PIECES) pieces[at]![piece]! += to - from;
      if (to <= from) break;
      from = to;
    }
  }
  const bars = [...cores]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([pcpu, pieces]) => merge(`pCPU ${pcpu}`, pieces, names, width, end / PIECES));
  if (bars.length === 0) return undefined;
  const colour = colours(names);
  const lines = [...new Set(bars.map(({ line }) => line))];
  return {
    id: 'timeline',
    title: 'What ran on each core',
    description: `Which ${few ? 'VM' : 'group of VMs'} ran on each pCPU, from the trace, in pieces of ${short((end * 1000) / PIECES)} µs: what ran longest in a piece stands for it. Blank: idle.`,
    legend: names.map((label) => ({ label, colour: colour.get(label)! })),
    options: {
      height: 76 + lines.length * 28,
      marginTop: 28,
      marginLeft: marginFor(lines),
      marginRight: 24,
      x: { ...timeAxis, domain: [0, end] },
      y: { domain: lines, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(bars, {
        x1: 'from',
        x2: 'to',
        y: 'line',
        fill: ({ name }: { name: string }) => colour.get(name)!,
        title: ({ line, name, from, to }: (typeof bars)[number]) =>
          `${line}: ${name}, ${from.toFixed(2)} to ${to.toFixed(2)} ms`,
      }),
      ...windowStart(warmup)(plot),
    ],
  };
}

/** Pieces in a row in which the same ran become one bar. */
function merge(
  line: string,
  pieces: readonly Float64Array[],
  names: readonly string[],
  width: number,
  length: number,
) {
  const bars: (Interval & { name: string })[] = [];
  let current = -1;
  let since = 0;
  for (let piece = 0; piece <= PIECES; piece++) {
    const idle = width - pieces.reduce((sum, cycles) => sum + (cycles[piece] ?? 0), 0);
    let best = -1;
    let most = idle;
    for (const [name, cycles] of pieces.entries()) {
      const here = cycles[piece] ?? 0;
      if (piece < PIECES && here > most) [best, most] = [name, here];
    }
    if (best === current && piece < PIECES) continue;
    if (current >= 0) {
      bars.push({
        line,
        name: names[current]!,
        from: since * length,
        to: piece * length,
        value: 0,
      });
    }
    [current, since] = [best, piece];
  }
  return bars;
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
  const byCause = groupBy(rows, (row) =>
    row['metric']!.slice('walks_'.length).replaceAll('_', '-'),
  );
  const samples = Object.keys(causeColours).flatMap((line) => {
    const byTime = groupBy(byCause.get(line) ?? [], (row) => row['time_ns']!);
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

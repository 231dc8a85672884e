import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { groupBy, short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { foldVms, number, windowsOf } from './run-ledger.ts';
import { onStep, page, steps, vmColours } from './style.ts';

/** What happened when, interval by interval: from timeseries.csv. */

export interface Interval {
  readonly line: string;
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

export const ms = (ns: number): number => ns / 1e6;

/** Colours of VMs, or groups of them, by name. */
export class VmColours {
  readonly names: readonly string[];
  /** False: VMs of a group share a colour. */
  readonly each: boolean;
  readonly #nameOf: ReadonlyMap<string, string>;

  constructor({ vms }: RunFiles) {
    this.each = vms.length <= vmColours.length;
    const nameOf = vms.map((row) => [row['vm']!, row[this.each ? 'vm' : 'group']!] as const);
    this.#nameOf = new Map(nameOf);
    this.names = [...new Set(nameOf.map(([, name]) => name))];
  }

  /** What a VM is called here; itself when the run does not have it. */
  nameOf(vm: string): string {
    return this.#nameOf.get(vm) ?? vm;
  }

  /** More names than colours share the last. */
  of(name: string): string {
    return vmColours[this.names.indexOf(name)] ?? vmColours.at(-1)!;
  }

  legend(names = this.names): { readonly label: string; readonly colour: string }[] {
    return this.names
      .filter((name) => names.includes(name))
      .map((label) => ({ label, colour: this.of(label) }));
  }
}

/** Samples of a metric, the VMs of one line added up, as intervals that end at the sample. */
function intervals(
  files: RunFiles,
  metric: string,
  lineOf: (vm: string) => string,
  amount = (row: Row) => number(row, 'value'),
): Interval[] {
  const rows = files.timeseries.filter((row) => row['metric'] === metric);
  const byLine = groupBy(rows, (row) => lineOf(row['id']!));
  return [...byLine].flatMap(([line, samples]) => {
    let last = 0;
    return [...groupBy(samples, (row) => row['time_ns']!)].map(([time, same]) => {
      const from = last;
      last = ms(Number(time));
      const value = same.reduce((sum, row) => sum + amount(row), 0);
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
  const lines = foldVms(files.vms);
  const lineOf = new Map(
    [...lines].flatMap(([line, vms]) => vms.map((row) => [row['vm']!, line] as const)),
  );
  // In cycles of the host of each row; `mhz` is that of the first one.
  const windows = windowsOf(files);
  const [first = 1] = windows.values();
  const cells = intervals(
    files,
    'running_cycles',
    (vm) => lineOf.get(vm) ?? vm,
    (row) => (number(row, 'value') * first) / (windows.get(row['host'] ?? '') ?? first),
  );
  if (cells.length === 0) return undefined;
  const shares = cells.map((cell) => {
    const whole = (cell.to - cell.from) * 1000 * mhz * (lines.get(cell.line)?.length ?? 1);
    const share = whole > 0 ? Math.min(1, cell.value / whole) : 0;
    return { ...cell, share, step: Math.min(steps.length - 1, Math.floor(share * steps.length)) };
  });
  const names = [...lines.keys()];
  const wide = new Set(cells.map(({ to }) => to)).size <= 22;
  return {
    id: 'running',
    title: 'When each VM ran',
    description:
      'Share of each interval in which the vCPU of the VM ran on a pCPU. For the rest of the ' +
      'time it was halted or waited for one.',
    wide: true,
    cross: true,
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
        stroke: page,
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
  const vms = new VmColours(files);
  const samples = intervals(files, 'tlb_entries', (vm) => vms.nameOf(vm));
  if (samples.every(({ value }) => value === 0)) return undefined;
  return {
    id: 'tlb',
    title: 'Translations held in the TLBs',
    description:
      `Entries of all TLBs of the host by the ${vms.each ? 'VM' : 'group of VMs'} that they ` +
      'belong to, at the end of each interval.',
    cross: true,
    legend: vms.legend(samples.map(({ line }) => line)),
    options: {
      height: 290,
      marginTop: 34,
      marginLeft: 64,
      marginRight: 24,
      x: timeAxis,
      y: { label: 'entries', labelArrow: 'none', grid: true, tickFormat: short },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.rectY(samples, {
        x1: 'from',
        x2: 'to',
        y: 'value',
        fill: ({ line }: Interval) => vms.of(line),
        inset: 0,
        stroke: page,
        strokeWidth: 0.5,
        title: ({ line, to, value }: Interval) =>
          `${line}: ${short(value)} entries at ${to.toFixed(0)} ms`,
      }),
      plot.ruleY([0]),
      ...windowStart(warmup)(plot),
    ],
  };
}

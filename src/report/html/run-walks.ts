import type { RunFiles } from '../../files/results.ts';
import type { Row } from '../../files/tables.ts';
import { causeNames } from '../../stats/leaves.ts';
import { walkMetric } from '../../stats/metrics.ts';
import { counted } from '../quantities.ts';
import { groupBy, percent, short } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { foldVms, ledgerByVm, number } from './run-ledger.ts';
import { ms, timeAxis, windowStart } from './run-time.ts';
import { onStep, steps } from './style.ts';

/** Why page walks were needed, and what they took. */

type Cause = (typeof causeNames)[number];

/** Why a walk was needed, in two short lines. */
const causeWords: Readonly<Record<Cause, string>> = {
  cold: 'first\nuse',
  capacity: 'evicted by\nthe VM itself',
  interference: 'evicted by\nothers',
  'world-switch': 'flushed at a\nworld switch',
  'asid-exhausted': 'flushed: no\nASID left',
  cr3: 'flushed by\na CR3 write',
  invlpg: 'flushed by\nINVLPG',
  shootdown: 'flushed from\nanother core',
  migration: 'moved to\nanother core',
  dirty: 'dirty bit\nto be set',
};
const inLine = (cause: Cause) => causeWords[cause].replace('\n', ' ');

/** Fewer walks of a VM say little about where they come from. */
const FEW = 1000;

interface Cell {
  readonly bar: string;
  readonly cause: Cause;
  readonly share: number;
  readonly walks: number | undefined;
}

/** Undefined when nothing walked. */
export function causesOfWalks(files: RunFiles): Drawing | undefined {
  const { vms } = files;
  const byVm = ledgerByVm(files);
  const bars = [...foldVms(vms)].map(([name, rows]) => {
    const walks = rows.reduce((sum, row) => sum + number(row, 'walks'), 0);
    const own = rows.flatMap((row) => byVm.get(row['vm']!) ?? []);
    const all = own.reduce((sum, row) => sum + number(row, 'cycles'), 0);
    return { name: `${name}: ${counted(walks, 'walks')}`, walks, rows, own, all };
  });
  const cells = bars.flatMap(({ name, rows, own, all }) => {
    const byCause = groupBy(
      own.filter((row) => row['leaf']!.startsWith('walk.')),
      (row) => row['detail']!,
    );
    return causeNames.flatMap((cause): Cell[] => {
      const cycles = (byCause.get(cause) ?? []).reduce((n, row) => n + number(row, 'cycles'), 0);
      const column = cause === 'dirty' ? undefined : walkMetric(cause);
      const walks = column && rows.reduce((n, row) => n + number(row, column), 0);
      return cycles > 0
        ? [{ bar: name, cause, share: cycles / all, walks: walks || undefined }]
        : [];
    });
  });
  if (cells.length === 0) return undefined;
  const used = causeNames.filter((cause) => cells.some((cell) => cell.cause === cause));
  const [worst] = cells.toSorted((a, b) => b.share - a.share);
  const few = bars.filter(({ walks }) => walks < FEW).map(({ name }) => name);
  const stepOf = ({ bar, share }: Cell) =>
    few.includes(bar)
      ? 0
      : Math.min(steps.length - 1, Math.floor((share / worst!.share) * steps.length));
  const names = bars.map(({ name }) => name);
  return {
    id: 'walk-causes',
    title: 'Page walks, by why they were needed',
    description:
      'Cycles of page walks, in per cent of the cycles spent for the VM; the darker, the more. ' +
      `The most are in ${worst!.bar.split(':')[0]}, ${inLine(worst!.cause)}: ` +
      `${percent(worst!.share)} %.` +
      (few.length > 0
        ? ` Rows of fewer than ${counted(FEW, 'walks')} stay pale: they say little.`
        : ''),
    wide: true,
    options: {
      height: 66 + names.length * 30,
      marginTop: 46,
      marginBottom: 8,
      marginLeft: marginFor(names),
      marginRight: 12,
      x: {
        type: 'band',
        domain: used,
        label: null,
        axis: 'top',
        tickSize: 0,
        tickFormat: (cause: Cause) => causeWords[cause],
      },
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.cell(cells, {
        x: 'cause',
        y: 'bar',
        fill: (cell: Cell) => steps[stepOf(cell)]!,
        inset: 1,
        title: ({ bar, cause, share, walks }: Cell) =>
          `${bar.split(':')[0]}: ${inLine(cause)} (${cause}), ${percent(share)} % of its ` +
          `cycles${walks === undefined ? '' : `, ${counted(walks, 'walks')}`}`,
      }),
      plot.text(cells, {
        x: 'cause',
        y: 'bar',
        text: ({ share }: Cell) => `${percent(share)} %`,
        fill: (cell: Cell) => onStep[stepOf(cell)]!,
        pointerEvents: 'none',
      }),
    ],
  };
}

/** Page walks of all VMs by cause, interval by interval. */
export function causesOverTime(files: RunFiles, warmup: number): Drawing | undefined {
  const rows = files.timeseries.filter((row) => row['metric']!.startsWith('walks_'));
  if (rows.length === 0) return undefined;
  const times = [...new Set(files.timeseries.map((row) => row['time_ns']!))];
  const byMetric = groupBy(rows, (row) => row['metric']!);
  const cells = causeNames.flatMap((cause) => {
    if (cause === 'dirty') return [];
    const byTime = groupBy(byMetric.get(walkMetric(cause)) ?? [], (row) => row['time_ns']!);
    return times.flatMap((time, i) => {
      const value = (byTime.get(time) ?? []).reduce(
        (sum: number, row: Row) => sum + number(row, 'value'),
        0,
      );
      const [from, to] = [ms(Number(times[i - 1] ?? 0)), ms(Number(time))];
      return value > 0 ? [{ cause: inLine(cause), from, to, value }] : [];
    });
  });
  const names = [...new Set(cells.map(({ cause }) => cause))];
  const most = Math.max(...cells.map(({ value }) => value));
  const stepOf = (value: number) =>
    Math.min(steps.length - 1, Math.floor((value / most) * steps.length));
  return {
    id: 'walks-over-time',
    title: 'Page walks over time',
    description:
      'Page walks of all VMs in each interval, by why they were needed. The most in one ' +
      `interval and for one reason: ${short(most)}.`,
    cross: true,
    legend: steps.map((colour, i) => ({
      label:
        i === 0
          ? `below ${short(most / steps.length)}`
          : `from ${short((most * i) / steps.length)}`,
      colour,
    })),
    options: {
      height: 76 + names.length * 26,
      marginTop: 28,
      marginLeft: marginFor(names),
      marginRight: 24,
      x: timeAxis,
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(cells, {
        x1: 'from',
        x2: 'to',
        y: 'cause',
        fill: ({ value }: { value: number }) => steps[stepOf(value)]!,
        stroke: 'var(--page, #fff)',
        strokeWidth: 0.5,
        title: ({ cause, from, to, value }: (typeof cells)[number]) =>
          `${cause}: ${counted(value, 'walks')}, ${from.toFixed(0)} to ${to.toFixed(0)} ms`,
      }),
      ...windowStart(warmup)(plot),
    ],
  };
}

import type { SweepAxis } from '../../files/results.ts';
import type { Objective } from '../../sweep/objective.ts';
import { short } from '../table.ts';
import { type Drawing, marginFor, WIDTH } from './charts.ts';
import { onStep, series, steps } from './style.ts';
import {
  type Estimated,
  type NumericAxis,
  named,
  type Roles,
  type Shown,
  withInterval,
} from './sweep-data.ts';

/**
 * Lines with their intervals over a numeric axis, heat maps over two, and intervals alone where
 * there is none.
 */

/** A line to stay below or above. */
export interface Limit {
  readonly objective: Objective;
  /** In the unit shown. */
  readonly value: number;
}

export interface Sweep {
  readonly axes: readonly SweepAxis[];
  readonly roles: Roles;
}

const symbols = ['circle', 'square', 'triangle', 'diamond', 'star', 'cross', 'wye'] as const;

interface Placed extends Estimated {
  readonly x: number;
  readonly low: number;
  readonly high: number;
  readonly key: string;
  readonly across: string;
  readonly down: string;
}

const MOST_ACROSS = 3;

/** Name of the panel across and down in which an estimate is shown. */
function panels({ axes, roles }: Sweep, facets: readonly number[], groups: readonly string[]) {
  const [first, ...rest] = facets;
  const beside =
    first !== undefined && axes[first]!.values.length <= MOST_ACROSS ? first : undefined;
  const below = beside === undefined ? facets : rest;
  const downs = (row: Estimated) => [
    ...below.map((index) => named(axes[index]!, row.labels[index]!)),
    ...(groups.length > 1 ? [`VMs ${row.group}`] : []),
  ];
  return {
    roles,
    across: (row: Estimated) =>
      beside === undefined ? '' : named(axes[beside]!, row.labels[beside]!),
    down: (row: Estimated) => downs(row).join(', '),
  };
}

const distinct = (values: readonly string[]) => [...new Set(values)];

export function lines(
  sweep: Sweep,
  x: NumericAxis,
  rows: readonly Estimated[],
  shown: Shown,
  options: { readonly id: string; readonly title?: string; readonly limit?: Limit | undefined },
): Drawing {
  const { axes, roles } = sweep;
  const groups = distinct(rows.map(({ group }) => group));
  const { across, down } = panels(sweep, roles.facets, groups);
  const colourAxis = roles.colour === undefined ? undefined : axes[roles.colour]!;
  const keys = colourAxis?.values ?? [''];
  const colourOf = (key: string) => series[keys.indexOf(key)] ?? series.at(-1)!;
  const means = rows.map(({ mean }) => mean);
  const values = [...means, ...(options.limit ? [options.limit.value] : [])];
  const least = Math.min(...values);
  const share = shown.factor === 100;
  const log = !share && least > 0 && Math.max(...values) / least > 40;
  // No measure falls below zero, and no share above 100 %, whatever its interval says.
  const floor = log ? least / 2 : Math.min(0, least);
  const placed: Placed[] = rows
    .map((row) => ({
      ...row,
      x: x.values.get(row.labels[x.index]!)!,
      low: Math.max(floor, row.mean - (row.half ?? 0)),
      high: Math.min(share ? Math.max(100, row.mean) : Infinity, row.mean + (row.half ?? 0)),
      key: roles.colour === undefined ? '' : row.labels[roles.colour]!,
      across: across(row),
      down: down(row),
    }))
    .toSorted((a, b) => a.x - b.x);
  const [acrosses, downs] = [
    distinct(placed.map((row) => row.across)),
    distinct(placed.map((row) => row.down)),
  ];
  const marginLeft = 64;
  const marginRight = downs.length > 1 ? marginFor(downs) : 24;
  const panelWidth = (WIDTH - marginLeft - marginRight) / acrosses.length;
  const { limit } = options;
  return {
    id: options.id,
    title: options.title ?? `${shown.words} against ${x.axis.column}`,
    description: describeLines(placed, shown, x),
    legend: colourAxis
      ? keys.map((key) => ({ label: named(colourAxis, key), colour: colourOf(key) }))
      : [],
    options: {
      height: 66 + downs.length * (downs.length > 1 ? 170 : 250),
      marginTop: 40,
      marginLeft,
      marginRight,
      x: {
        ...numericScale(x, panelWidth - 20),
        label: x.axis.column,
        labelAnchor: 'center',
        labelArrow: 'none',
        inset: 12,
      },
      y: {
        type: log ? 'log' : 'linear',
        label: shown.label,
        labelArrow: 'none',
        grid: true,
        nice: true,
        zero: !log,
        ticks: log ? 4 : 5,
        tickFormat: short,
      },
      fx: { label: null, domain: acrosses, axis: acrosses.length > 1 ? 'top' : null },
      fy: { label: null, domain: downs, axis: downs.length > 1 ? 'right' : null },
      color: { type: 'identity' },
      symbol: { domain: keys, range: symbols.slice(0, Math.max(1, keys.length)) },
    },
    marks: (plot) => {
      const at = { x: 'x', fx: 'across', fy: 'down', z: 'key' };
      const colour = ({ key }: Placed) => colourOf(key);
      return [
        plot.frame({ stroke: 'var(--line, #d0d7de)' }),
        plot.areaY(placed, { ...at, y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.18 }),
        plot.lineY(placed, { ...at, y: 'mean', stroke: colour, strokeWidth: 2 }),
        plot.dot(placed, {
          ...at,
          y: 'mean',
          fill: colour,
          symbol: 'key',
          r: 4,
          title: (row: Placed) =>
            `${[...row.labels.map((label, i) => named(axes[i]!, label)), row.group].join(', ')}: ${withInterval(row)} (n = ${row.n})`,
        }),
        ...(limit
          ? [
              plot.ruleY([limit.value], { strokeDasharray: '6 4', strokeWidth: 1.5 }),
              plot.text([limit.value], {
                y: (value: number) => value,
                frameAnchor: 'left',
                textAnchor: 'start',
                text: () => limit.objective.text,
                dx: 6,
                dy: -9,
                stroke: 'var(--page, #fff)',
                fill: 'currentColor',
                strokeWidth: 4,
              }),
            ]
          : []),
      ];
    },
  };
}

/** Ticks at the values of the axis, as many as there is room for. */
function numericScale({ axis, values }: NumericAxis, width: number) {
  const numbers = axis.values.map((label) => values.get(label)!);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const log = least > 0 && most / least >= 16;
  const position = (value: number) =>
    (log ? Math.log(value / least) / Math.log(most / least) : (value - least) / (most - least)) *
    width;
  const labels = new Map(axis.values.map((label) => [values.get(label)!, label]));
  const ticks: number[] = [];
  let free = Number.NEGATIVE_INFINITY;
  for (const value of numbers.toSorted((a, b) => a - b)) {
    const half = (labels.get(value)!.length * 7.6) / 2;
    if (position(value) - half < free) continue;
    ticks.push(value);
    free = position(value) + half + 6;
  }
  return {
    type: log ? ('log' as const) : ('linear' as const),
    ticks,
    tickFormat: (value: number) => labels.get(value) ?? '',
  };
}

function describeLines(placed: readonly Placed[], shown: Shown, x: NumericAxis): string {
  const highest = placed.reduce((most, row) => (row.mean > most.mean ? row : most), placed[0]!);
  const lowest = placed.reduce((least, row) => (row.mean < least.mean ? row : least), placed[0]!);
  const where = (row: Placed) => [...row.labels, row.group].join(', ');
  const n = [...new Set(placed.map((row) => row.n))].toSorted((a, b) => a - b);
  const runs = n.length > 1 ? `${n[0]} to ${n.at(-1)}` : `${n[0]}`;
  const band = n.some((count) => count > 1)
    ? `mean of ${runs} replications, with the 95 % interval as a band`
    : 'one replication, without an interval';
  return `${shown.label} against ${x.axis.column}: ${band}. Lowest ${withInterval(lowest)} (${where(lowest)}), highest ${withInterval(highest)} (${where(highest)}).`;
}

/** Both numeric axes as steps, the mean as colour and number. */
export function heatMap(
  sweep: Sweep,
  x: NumericAxis,
  second: NumericAxis,
  rows: readonly Estimated[],
  shown: Shown,
): Drawing {
  const facets = sweep.axes
    .map((_, index) => index)
    .filter(
      (index) =>
        sweep.axes[index]!.values.length > 1 && index !== x.index && index !== second.index,
    );
  const groups = distinct(rows.map(({ group }) => group));
  const { across, down } = panels(sweep, facets, groups);
  const [least, most] = [
    Math.min(...rows.map(({ mean }) => mean)),
    Math.max(...rows.map(({ mean }) => mean)),
  ];
  const stepOf = (mean: number) =>
    most > least
      ? Math.min(steps.length - 1, Math.floor(((mean - least) / (most - least)) * steps.length))
      : 0;
  const bound = (i: number) => least + ((most - least) * i) / steps.length;
  const cells = rows.map((row) => ({
    ...row,
    column: row.labels[x.index]!,
    line: row.labels[second.index]!,
    step: stepOf(row.mean),
    across: across(row),
    down: down(row),
  }));
  const sorted = ({ axis, values }: NumericAxis) =>
    axis.values.toSorted((a, b) => values.get(a)! - values.get(b)!);
  const [acrosses, downs] = [
    distinct(cells.map((cell) => cell.across)),
    distinct(cells.map((cell) => cell.down)),
  ];
  const marginLeft = marginFor(second.axis.values);
  const marginRight = downs.length > 1 ? marginFor(downs) : 24;
  const cellWidth = (WIDTH - marginLeft - marginRight) / acrosses.length / x.axis.values.length;
  const widest = Math.max(...cells.map(({ mean }) => short(mean).length));
  const numbers = widest * 7.6 < cellWidth;
  return {
    id: `heat-${shown.name}`,
    title: `${shown.words} by ${x.axis.column} and ${second.axis.column}`,
    description: `Mean of ${shown.label} for each pair of ${x.axis.column} and ${second.axis.column}, from ${short(least)} to ${short(most)}.`,
    legend: steps.map((colour, i) => ({
      label: `${short(bound(i))}–${short(bound(i + 1))}`,
      colour,
    })),
    options: {
      height: 80 + downs.length * (second.axis.values.length * 28 + 24),
      marginTop: 40,
      marginLeft,
      marginRight,
      x: {
        type: 'band',
        domain: sorted(x),
        label: x.axis.column,
        labelAnchor: 'center',
        labelArrow: 'none',
      },
      y: {
        type: 'band',
        domain: sorted(second).toReversed(),
        label: second.axis.column,
        labelArrow: 'none',
        labelAnchor: 'top',
      },
      fx: { label: null, domain: acrosses, axis: acrosses.length > 1 ? 'top' : null },
      fy: { label: null, domain: downs, axis: downs.length > 1 ? 'right' : null },
      color: { type: 'identity' },
    },
    marks: (plot) => {
      const at = { x: 'column', y: 'line', fx: 'across', fy: 'down' };
      return [
        plot.cell(cells, {
          ...at,
          fill: ({ step }: { step: number }) => steps[step]!,
          inset: 0.5,
          title: (row: (typeof cells)[number]) =>
            `${row.labels.join(', ')}, ${row.group}: ${withInterval(row)} (n = ${row.n})`,
        }),
        ...(numbers
          ? [
              plot.text(cells, {
                ...at,
                text: ({ mean }: Estimated) => short(mean),
                fill: ({ step }: { step: number }) => onStep[step]!,
              }),
            ]
          : []),
      ];
    },
  };
}

/** Where no axis is a number: a dot with its interval for each point. */
export function dots(sweep: Sweep, rows: readonly Estimated[], shown: Shown): Drawing {
  const groups = distinct(rows.map(({ group }) => group));
  const varying = sweep.axes
    .map((axis, index) => ({ axis, index }))
    .filter(({ axis }) => axis.values.length > 1);
  const placed = rows.map((row) => ({
    ...row,
    // No measure falls below zero, whatever its interval says.
    low: Math.max(Math.min(0, row.mean), row.mean - (row.half ?? 0)),
    high: row.mean + (row.half ?? 0),
    line: [
      ...varying.map(({ index }) => row.labels[index]!),
      ...(groups.length > 1 ? [row.group] : []),
    ].join(', '),
    colour:
      series[varying[0] ? varying[0].axis.values.indexOf(row.labels[varying[0].index]!) : 0] ??
      series.at(-1)!,
  }));
  const names = distinct(placed.map(({ line }) => line));
  const first = varying[0]?.axis;
  return {
    id: `points-${shown.name}`,
    title: `${shown.words} of each point`,
    description: `Mean of ${shown.label} with its 95 % interval, by ${[...varying.map(({ axis }) => axis.column), ...(groups.length > 1 ? ['VM group'] : [])].join(', ')}.`,
    legend:
      first && first.values.length <= series.length
        ? first.values.map((label, i) => ({ label: named(first, label), colour: series[i]! }))
        : [],
    options: {
      height: 66 + names.length * 24,
      marginTop: 14,
      marginLeft: marginFor(names),
      marginRight: 30,
      x: {
        label: shown.label,
        labelAnchor: 'center',
        labelArrow: 'none',
        grid: true,
        tickFormat: short,
        nice: true,
        ticks: 6,
      },
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.ruleY(placed, { y: 'line', x1: 'low', x2: 'high', stroke: 'colour', strokeWidth: 2 }),
      plot.dot(placed, {
        x: 'mean',
        y: 'line',
        fill: 'colour',
        r: 4.5,
        title: (row: (typeof placed)[number]) => `${row.line}: ${withInterval(row)} (n = ${row.n})`,
      }),
    ],
  };
}

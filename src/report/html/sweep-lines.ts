import { plain } from '../quantities.ts';
import { short } from '../table.ts';
import { type Drawing, LETTER, marginFor, widthOf } from './charts.ts';
import { logScale } from './run-latency.ts';
import { line as lineColour, page, series } from './style.ts';
import {
  axisWords,
  type Estimated,
  type Limit,
  type NumericAxis,
  type Shown,
  type Sweep,
  valueWords,
  withInterval,
} from './sweep-data.ts';

/** Lines with their intervals over a numeric axis. */

const symbols = ['circle', 'square', 'triangle', 'diamond', 'star', 'cross', 'wye'] as const;
const dashes = ['', '7 4', '2 4'] as const;

interface Placed extends Estimated {
  readonly x: number;
  readonly low: number;
  readonly high: number;
  readonly key: string;
  /** Of the axis that is told apart by dashes. */
  readonly dash: string;
  readonly across: string;
  readonly down: string;
}

const MOST_ACROSS = 3;

/** Name of the panel across and down in which an estimate is shown. */
export function panels(
  { axes, roles }: Sweep,
  facets: readonly number[],
  groups: readonly string[],
) {
  const [first, ...rest] = facets;
  const beside =
    first !== undefined && axes[first]!.values.length <= MOST_ACROSS ? first : undefined;
  const below = beside === undefined ? facets : rest;
  const downs = (row: Estimated) => [
    ...below.map((index) => valueWords(axes[index]!, row.labels[index]!)),
    ...(groups.length > 1 ? [`VMs ${row.group}`] : []),
  ];
  return {
    roles,
    across: (row: Estimated) =>
      beside === undefined ? '' : valueWords(axes[beside]!, row.labels[beside]!),
    down: (row: Estimated) => downs(row).join(', '),
  };
}

export const distinct = (values: readonly string[]) => [...new Set(values)];

/** The axis after the colours that dashes tell apart; the others make panels. */
function dashAxis({ axes, roles }: Sweep): number | undefined {
  const [first] = roles.facets;
  const colours = roles.colour === undefined ? 1 : axes[roles.colour]!.values.length;
  if (first === undefined || colours > 3) return undefined;
  return axes[first]!.values.length <= dashes.length ? first : undefined;
}

export function lines(
  sweep: Sweep,
  x: NumericAxis,
  rows: readonly Estimated[],
  shown: Shown,
  options: { readonly id: string; readonly limit?: Limit | undefined },
): Drawing {
  const { axes, roles } = sweep;
  const groups = distinct(rows.map(({ group }) => group));
  const dashed = dashAxis(sweep);
  const facets = roles.facets.filter((index) => index !== dashed);
  const { across, down } = panels(sweep, facets, groups);
  const colourAxis = roles.colour === undefined ? undefined : axes[roles.colour]!;
  const keys = colourAxis?.values ?? [''];
  const patterns = dashed === undefined ? [''] : axes[dashed]!.values;
  const colourOf = (key: string) => series[keys.indexOf(key)] ?? series.at(-1)!;
  const { limit } = options;
  const means = rows.map(({ mean }) => mean);
  const values = [...means, ...(limit ? [limit.value] : [])];
  const least = Math.min(...values);
  const share = shown.factor === 100;
  const log = !share && least > 0 && Math.max(...values) / least > 20;
  // No measure falls below zero, and no share above 100 %, whatever its interval says.
  const floor = log ? least / 2 : Math.min(0, least);
  const placed: Placed[] = rows
    .map((row) => ({
      ...row,
      x: x.values.get(row.labels[x.index]!)!,
      low: Math.max(floor, row.mean - (row.half ?? 0)),
      high: Math.min(share ? Math.max(100, row.mean) : Infinity, row.mean + (row.half ?? 0)),
      key: roles.colour === undefined ? '' : row.labels[roles.colour]!,
      dash: dashed === undefined ? '' : row.labels[dashed]!,
      across: across(row),
      down: down(row),
    }))
    .toSorted((a, b) => a.x - b.x);
  const acrosses = distinct(placed.map((row) => row.across));
  const downs = distinct(placed.map((row) => row.down));
  const marginLeft = 64;
  const marginRight = downs.length > 1 ? marginFor(downs) : 24;
  const wide = acrosses.length > 1 || downs.length > 1;
  const panelWidth = (widthOf(wide) - marginLeft - marginRight) / acrosses.length;
  const every = keys.flatMap((key) => patterns.map((dash) => ({ key, dash })));
  const where = (row: Placed) =>
    [
      ...axes.flatMap((axis, i) =>
        axis.values.length > 1 ? valueWords(axis, row.labels[i]!) : [],
      ),
      ...(groups.length > 1 ? [`VMs ${row.group}`] : []),
    ].join(', ');
  return {
    id: options.id,
    title: `${shown.words} by ${axisWords(x.axis)}`,
    description: describeLines(placed, shown, where),
    wide,
    legend: [
      ...(colourAxis
        ? keys.map((key) => ({ label: valueWords(colourAxis, key), colour: colourOf(key) }))
        : []),
      ...(dashed === undefined
        ? []
        : patterns.map((dash, i) => ({
            label: valueWords(axes[dashed]!, dash),
            colour: 'currentColor',
            dash: dashes[i]!,
          }))),
    ],
    options: {
      height: 70 + downs.length * (downs.length > 1 ? 180 : 225),
      marginTop: 40,
      marginLeft,
      marginRight,
      x: {
        ...numericScale(x, panelWidth - 40),
        label: axisWords(x.axis),
        labelAnchor: 'center',
        labelArrow: 'none',
        inset: 18,
      },
      y: {
        ...(log
          ? logScale([...placed.flatMap(({ low, high }) => [low, high]), ...values])
          : { type: 'linear' as const, nice: true, zero: true, ticks: 5, tickFormat: short }),
        label: shown.label,
        labelArrow: 'none',
        grid: true,
      },
      fx: { label: null, domain: acrosses, axis: acrosses.length > 1 ? 'top' : null },
      fy: { label: null, domain: downs, axis: downs.length > 1 ? 'right' : null },
      color: { type: 'identity' },
    },
    marks: (plot) => {
      const series = every.flatMap(({ key, dash }, i) => {
        const own = placed.filter((row) => row.key === key && row.dash === dash);
        // Beside each other, so that equal values are seen as such.
        const at = { x: 'x', fx: 'across', fy: 'down', dx: (i - (every.length - 1) / 2) * 5 };
        const colour = colourOf(key);
        const pattern = dashes[patterns.indexOf(dash)]!;
        const title = (row: Placed) =>
          `${where(row)}: ${shown.words} ${withInterval(row)} (n = ${row.n})`;
        return [
          plot.lineY(own, {
            ...at,
            y: 'mean',
            stroke: colour,
            strokeWidth: 2,
            ...(pattern === '' ? {} : { strokeDasharray: pattern }),
          }),
          plot.ruleX(own, {
            ...at,
            y1: 'low',
            y2: 'high',
            stroke: colour,
            strokeWidth: 1.5,
            strokeOpacity: 0.6,
            title,
          }),
          plot.dot(own, {
            ...at,
            y: 'mean',
            fill: pattern === '' ? colour : page,
            stroke: colour,
            strokeWidth: 1.5,
            symbol: symbols[keys.indexOf(key)] ?? 'circle',
            r: 4,
            title,
          }),
        ];
      });
      return [
        plot.frame({ stroke: lineColour }),
        ...series,
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
                stroke: page,
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
    const half = (labels.get(value)!.length * LETTER) / 2;
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

function describeLines(
  placed: readonly Placed[],
  shown: Shown,
  where: (row: Placed) => string,
): string {
  const highest = placed.reduce((most, row) => (row.mean > most.mean ? row : most), placed[0]!);
  const lowest = placed.reduce((least, row) => (row.mean < least.mean ? row : least), placed[0]!);
  const n = [...new Set(placed.map((row) => row.n))].toSorted((a, b) => a - b);
  const runs = n.length > 1 ? `${n[0]} to ${n.at(-1)}` : `${n[0]}`;
  const band = n.some((count) => count > 1)
    ? `Mean of ${runs} replications with its 95 % interval.`
    : 'One replication, so without an interval.';
  const unit = shown.label === shown.words ? '' : ` ${shown.label.split(', ').at(-1)}`;
  return (
    `${band} It is lowest with ${where(lowest)}: ${plain(lowest.mean)}${unit}, and highest ` +
    `with ${where(highest)}: ${plain(highest.mean)}${unit}.`
  );
}

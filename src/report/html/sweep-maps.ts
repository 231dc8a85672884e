import { short } from '../table.ts';
import { type Drawing, LETTER, marginFor, widthOf } from './charts.ts';
import { onStep, series, steps } from './style.ts';
import type { Estimated, NumericAxis, Shown, Sweep } from './sweep-data.ts';
import { axisWords, valueWords, withInterval } from './sweep-data.ts';
import { distinct, panels } from './sweep-lines.ts';

/** Heat maps over two numeric axes, and intervals alone where there is none. */

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
  const wide = acrosses.length > 1 || downs.length > 1;
  const cellWidth =
    (widthOf(wide) - marginLeft - marginRight) / acrosses.length / x.axis.values.length;
  const widest = Math.max(...cells.map(({ mean }) => short(mean).length));
  const numbers = widest * LETTER < cellWidth;
  return {
    id: `heat-${shown.name}`,
    title: `${shown.words} by ${axisWords(x.axis)} and ${axisWords(second.axis)}`,
    description:
      `Mean of ${shown.label} for each pair of ${axisWords(x.axis)} and ` +
      `${axisWords(second.axis)}, from ${short(least)} to ${short(most)}; the darker, the more.`,
    wide,
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
        label: axisWords(x.axis),
        labelAnchor: 'center',
        labelArrow: 'none',
      },
      y: {
        type: 'band',
        domain: sorted(second).toReversed(),
        label: axisWords(second.axis),
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
            sweep.axes
              .flatMap((axis, i) =>
                axis.values.length > 1 ? valueWords(axis, row.labels[i]!) : [],
              )
              .join(', ') +
            `${groups.length > 1 ? `, VMs ${row.group}` : ''}: ` +
            `${withInterval(row)} (n = ${row.n})`,
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
      ...varying.map(({ axis, index }) => valueWords(axis, row.labels[index]!)),
      ...(groups.length > 1 ? [row.group] : []),
    ].join(', '),
    colour:
      series[varying[0] ? varying[0].axis.values.indexOf(row.labels[varying[0].index]!) : 0] ??
      series.at(-1)!,
  }));
  const names = distinct(placed.map(({ line }) => line));
  const first = varying[0]?.axis;
  const by = [
    ...varying.map(({ axis }) => axisWords(axis)),
    ...(groups.length > 1 ? ['VM group'] : []),
  ];
  return {
    id: `points-${shown.name}`,
    title: `${shown.words} of each point`,
    description: `Mean of ${shown.label} with its 95 % interval, by ${by.join(', ') || 'point'}.`,
    legend:
      first && first.values.length <= series.length
        ? first.values.map((label, i) => ({ label: valueWords(first, label), colour: series[i]! }))
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
        inset: 8,
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

import type { SweepFiles } from '../../files/results.ts';
import { interval, plain } from '../quantities.ts';
import {
  type Difference,
  differencesOf,
  heldBy,
  lineName,
  linesOf,
  perCoreOf,
  severalGroups,
} from '../sweep-limits.ts';
import { groupBy } from '../table.ts';
import { type Drawing, marginFor } from './charts.ts';
import { line as lineColour, page, series } from './style.ts';
import {
  axisWords,
  type Limit,
  type Sampled,
  type Shown,
  type Sweep,
  valueWords,
} from './sweep-data.ts';

/** The two pictures that answer a sweep: how far each configuration holds, and what differs. */

/** How far each configuration meets the objective, from what is sure to what may be. */
export function holds(
  files: SweepFiles,
  sweep: Sweep,
  shown: Shown,
  limit: Limit,
): Drawing | undefined {
  const { roles } = sweep;
  const x = roles.x;
  if (!x) return undefined;
  const lines = linesOf(files, sweep, shown, limit);
  const several = severalGroups(lines);
  const perCore = perCoreOf(files);
  const label = (row: Sampled) => row.labels[x.index]!;
  const at = (row: Sampled) => (roles.consolidation ? perCore(row) : x.values.get(label(row))!);
  const bars = lines.map((one) => {
    const { meets, open, fails } = heldBy(one, limit);
    const sure = meets ? at(meets) : 0;
    const maybe = open ? at(open) : sure;
    const name = lineName(sweep, one, several) || axisWords(x.axis);
    const words = open
      ? `${meets ? label(meets) : 'none'} to ${valueWords(x.axis, label(open))}`
      : meets
        ? valueWords(x.axis, label(meets))
        : 'nothing that was tried';
    return { name, sure, maybe, fails: fails && at(fails), words };
  });
  const names = bars.map(({ name }) => name);
  const most = Math.max(...bars.flatMap(({ maybe, fails = 0 }) => [maybe, fails]));
  const fails = bars.flatMap(({ name, fails: value }) =>
    value === undefined ? [] : { name, value },
  );
  // Narrower bars have their words beside them.
  const roomy = most * 0.35;
  const what = roles.consolidation ? 'VMs per core' : axisWords(x.axis);
  const title = ({ name, words, fails: value }: (typeof bars)[number]) =>
    `${name}: holds up to ` +
    `${words}${value === undefined ? '' : `, surely fails at ${plain(value)} ${what}`}`;
  return {
    id: 'holds',
    title: `${what} by configuration`,
    description:
      `How far ${limit.objective.text} holds: the bar ends where it surely does (95 % confidence)` +
      (bars.some(({ sure, maybe }) => maybe > sure) ? ', the thick line where it may' : '') +
      (fails.length > 0
        ? ', and the stroke stands where it surely fails. In the dotted part nothing was tried.'
        : '.'),
    options: {
      height: 70 + bars.length * 34,
      marginTop: 12,
      marginLeft: marginFor(names),
      marginRight: 24,
      x: {
        label: what,
        labelAnchor: 'center',
        labelArrow: 'none',
        grid: true,
        domain: [0, most * 1.15],
        ticks: 6,
        tickFormat: plain,
      },
      y: { domain: names, label: null, type: 'band' },
      color: { type: 'identity' },
    },
    marks: (plot) => [
      plot.barX(bars, { x1: 0, x2: 'sure', y: 'name', fill: series[0], inset: 3, title }),
      plot.ruleY(bars, {
        y: 'name',
        x1: 'sure',
        x2: 'maybe',
        stroke: series[0],
        strokeWidth: 3,
        title,
      }),
      // Between the last value that may hold and the first that surely does not, nothing was tried.
      plot.ruleY(
        bars.filter(({ fails: value }) => value !== undefined),
        {
          y: 'name',
          x1: 'maybe',
          x2: 'fails',
          stroke: 'currentColor',
          strokeDasharray: '2 4',
          title,
        },
      ),
      plot.tickX(fails, {
        x: 'value',
        y: 'name',
        stroke: 'currentColor',
        strokeWidth: 2,
        inset: 5,
        title: ({ name, value }: (typeof fails)[number]) =>
          `${name}: surely fails at ${plain(value)} ${what}`,
      }),
      plot.text(
        bars.filter(({ sure }) => sure > roomy),
        {
          x: 'sure',
          y: 'name',
          text: 'words',
          textAnchor: 'end',
          dx: -8,
          fill: '#fff',
          pointerEvents: 'none',
        },
      ),
      plot.text(
        bars.filter(({ sure }) => sure <= roomy),
        { x: 'maybe', y: 'name', text: 'words', textAnchor: 'start', dx: 8, pointerEvents: 'none' },
      ),
      plot.ruleX([0]),
    ],
  };
}

/** More than these per cent of a difference are cut. */
const MOST = 100;

/**
 * Differences between configurations in pairs, in per cent of what each is compared with: a picture
 * for each axis.
 */
export function differenceCharts(
  files: SweepFiles,
  sweep: Sweep,
  shown: Shown,
  limit: Limit | undefined,
): Drawing[] {
  const lines = linesOf(files, sweep, shown, limit);
  // A value of 0 has no per cent.
  const all = differencesOf(files, sweep, lines).filter(
    ({ found, base }) => found.halfWidth !== undefined && base > 0,
  );
  const several = severalGroups(lines);
  return [...groupBy(all, ({ axis }) => `${axis}`).values()].flatMap(
    (own) => differenceChart(sweep, shown, own, several) ?? [],
  );
}

function differenceChart(
  sweep: Sweep,
  shown: Shown,
  all: readonly Difference[],
  several: boolean,
): Drawing | undefined {
  const { axes, roles } = sweep;
  const panel = ({ axis, label, reference }: Difference) =>
    `${valueWords(axes[axis]!, label)} − ${valueWords(axes[axis]!, reference)}`;
  const rest = ({ rest: others, point }: Difference) =>
    [
      ...others.map((i) => valueWords(axes[i]!, point.labels[i]!)),
      ...(several ? [`VMs ${point.group}`] : []),
    ].join(', ');
  const rows = all.map((one) => {
    const { found, base, point } = one;
    const mean = (100 * found.mean) / base;
    const half = (100 * found.halfWidth!) / base;
    return {
      panel: panel(one),
      name: [
        ...(roles.x ? [valueWords(roles.x.axis, point.labels[roles.x.index]!)] : []),
        rest(one),
      ]
        .filter((part) => part !== '')
        .join(', '),
      order: roles.x ? roles.x.values.get(point.labels[roles.x.index]!)! : 0,
      mean,
      half,
      sure: Math.abs(mean) > half,
    };
  });
  const panels = [...new Set(rows.map((row) => row.panel))];
  if (panels.length > MOST_PANELS || rows.length > MOST_ROWS) return undefined;
  const ends = rows.flatMap(({ mean, half }) => [mean - half, mean + half]);
  const [least, most] = [
    Math.max(-MOST, Math.min(0, ...ends)),
    Math.min(MOST, Math.max(0, ...ends)),
  ];
  const cut = ends.some((end) => Math.abs(end) > MOST);
  const within = (value: number) => Math.max(least, Math.min(most, value));
  const names = [...new Set(rows.toSorted((a, b) => a.order - b.order).map(({ name }) => name))];
  const placed = rows.map((row) => ({
    ...row,
    low: within(row.mean - row.half),
    high: within(row.mean + row.half),
    at: within(row.mean),
  }));
  const title = ({ panel: of, name, mean, half }: (typeof placed)[number]) =>
    `${of}, ${name}: ${interval(mean, half)} %`;
  const sure = placed.filter((row) => row.sure);
  return {
    id: `differences-${axes[all[0]!.axis]!.path.replaceAll('.', '-')}`,
    title:
      panels.length > 1
        ? `${shown.words}, compared by ${axisWords(axes[all[0]!.axis]!)}`
        : `${shown.words}: ${panels[0]}`,
    description:
      'Paired by replication, in per cent of the value it is compared with, with its 95 % ' +
      `interval. Filled dots: a difference is shown (${sure.length} of ${placed.length}); the ` +
      'interval of a hollow one covers zero. Of twenty such intervals one is wrong by ' +
      `chance.${cut ? ` What lies beyond ${MOST} % is cut at the edge.` : ''}`,
    wide: panels.length > 1,
    options: {
      height: 84 + names.length * 22,
      marginTop: panels.length > 1 ? 34 : 14,
      marginLeft: marginFor(names),
      marginRight: 24,
      x: {
        label: 'difference, per cent',
        labelAnchor: 'center',
        labelArrow: 'none',
        grid: true,
        domain: least === most ? [-1, 1] : [least * 1.05, most * 1.05],
        inset: 8,
        ticks: 5,
      },
      y: { domain: names, label: null, type: 'band' },
      fx: { label: null, domain: panels, axis: panels.length > 1 ? 'top' : null, padding: 0.06 },
      color: { type: 'identity' },
    },
    marks: (plot) => {
      const place = { y: 'name', fx: 'panel' };
      return [
        plot.frame({ stroke: lineColour }),
        plot.ruleX([0]),
        plot.ruleY(placed, { ...place, x1: 'low', x2: 'high', strokeWidth: 2, title }),
        plot.dot(placed, {
          ...place,
          x: 'at',
          r: 4.5,
          stroke: 'currentColor',
          fill: (row: (typeof placed)[number]) => (row.sure ? 'currentColor' : page),
          strokeWidth: 1.5,
          title,
        }),
      ];
    },
  };
}
const MOST_PANELS = 3;
const MOST_ROWS = 120;

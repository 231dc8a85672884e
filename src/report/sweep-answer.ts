import { enumerated } from '../base/collections.ts';
import type { SweepFiles } from '../files/results.ts';
import { estimate } from '../stats/replications.ts';
import { direction } from '../sweep/compare.ts';
import {
  axisWords,
  type Limit,
  type Sampled,
  type Shown,
  type Sweep,
  valueWords,
} from './html/sweep-data.ts';
import { axisScale, counted, interval, plain } from './quantities.ts';
import {
  type Difference,
  differencesOf,
  type Held,
  heldBy,
  type Line,
  lineName,
  linesOf,
  perCoreOf,
  severalGroups,
  type Verdict,
  verdictOf,
} from './sweep-limits.ts';
import { widestGroup } from './sweep-sentence.ts';
import { groupBy } from './table.ts';

/**
 * The answer of a sweep in a sentence and at most four numbers: how far each configuration meets
 * the objective, or what the first measure spans, and whether configurations differ.
 */
export interface SweepAnswer {
  readonly sentence: string;
  readonly numbers: readonly { readonly value: string; readonly text: string }[];
}

/** `shown`: what the objective is about, or what the sweep is read by when there is none. */
export function sweepAnswer(
  files: SweepFiles,
  sweep: Sweep,
  shown: Shown,
  limit: Limit | undefined,
): SweepAnswer {
  const lines = linesOf(files, sweep, shown, limit);
  const differing = differencesOf(files, sweep, lines);
  const largest = largestOf(sweep, shown, differing);
  const compared = comparisons(sweep, shown, differing);
  const found = !limit
    ? spanAnswer(sweep, lines, shown)
    : sweep.roles.x
      ? heldAnswer(files, sweep, lines, limit)
      : configurationsAnswer(sweep, lines, limit);
  return {
    sentence: `${[found.sentence, ...compared].join('; ')}.`,
    numbers: [...found.numbers, ...(largest ? [largest] : [])],
  };
}

/** `8 web VMs (2 per core)` */
function amountOf(files: SweepFiles, { axes, roles }: Sweep, row: Sampled): string {
  const x = roles.x!;
  const text = valueWords(axes[x.index]!, row.labels[x.index]!);
  if (!roles.consolidation) return text;
  return `${text} (${plain(perCoreOf(files)(row))} per core)`;
}

function heldAnswer(
  files: SweepFiles,
  sweep: Sweep,
  lines: readonly Line[],
  limit: Limit,
): SweepAnswer {
  const x = sweep.roles.x!;
  const position = (row: Sampled | undefined) =>
    row ? x.values.get(row.labels[x.index]!)! : Number.NEGATIVE_INFINITY;
  const held = lines
    .map((line) => heldBy(line, limit))
    .toSorted((a, b) => position(b.meets) - position(a.meets));
  const [best, worst] = [held[0], held.at(-1)];
  const what = limit.objective.text;
  if (!best || !worst) return { sentence: `Nothing was measured for ${what}`, numbers: [] };
  const several = severalGroups(lines);
  const name = ({ line }: Held) => lineName(sweep, line, several);
  const amount = (row: Sampled | undefined) =>
    row ? amountOf(files, sweep, row) : 'nothing that was tried';
  const same = position(best.meets) === position(worst.meets);
  const all =
    held.length === 1
      ? ''
      : ` ${held.length === 2 ? 'in both' : `in all ${held.length}`} configurations`;
  const furthest = held.toSorted((a, b) => position(b.open) - position(a.open))[0]!;
  const open = furthest.open && position(furthest.open) > position(best.meets);
  const up = (row: Sampled | undefined) => (row ? `up to ${amount(row)}` : amount(row));
  const sure = same
    ? best.meets
      ? `${capital(what)} surely holds ${up(best.meets)}${all}`
      : `Nothing that was tried surely meets ${what}${all}`
    : `${capital(what)} surely holds ${up(best.meets)} with ${name(best)}, and ` +
      `${worst.meets ? `only ${up(worst.meets)}` : 'nowhere'} with ${name(worst)}`;
  const maybe = open
    ? `, and may hold up to ${valueWords(x.axis, furthest.open!.labels[x.index]!)}`
    : '';
  const tile = (row: Sampled | undefined, text: string) => ({
    value: row ? valueWords(x.axis, row.labels[x.index]!) : 'none',
    text:
      `${row && sweep.roles.consolidation ? `${plain(perCoreOf(files)(row))} per core: ` : ''}` +
      `${text}`,
  });
  const fails = held
    .filter((one) => one.fails)
    .toSorted((a, b) => position(a.fails) - position(b.fails))[0];
  const alike = new Set(held.map((one) => position(one.fails))).size === 1;
  return {
    sentence: `${sure}${maybe}`,
    numbers: [
      tile(best.meets, `surely meet ${what}${same ? all : ` with ${name(best)}`}`),
      ...(same ? [] : [tile(worst.meets, `surely meet it with ${name(worst)}, the least`)]),
      ...(open
        ? [
            tile(
              furthest.open,
              `may meet it${name(furthest) ? ` with ${name(furthest)}` : ''}: undecided`,
            ),
          ]
        : fails && same
          ? [
              tile(
                fails.fails,
                `surely fail it${alike ? all : ` with ${name(fails)}`}, the fewest tried that do`,
              ),
            ]
          : []),
    ].slice(0, 3),
  };
}

/** Where no axis is a number: which configurations meet the objective. */
function configurationsAnswer(sweep: Sweep, lines: readonly Line[], limit: Limit): SweepAnswer {
  const several = severalGroups(lines);
  const of = (verdict: Verdict) =>
    lines.filter(({ points: [point] }) => verdictOf(point!, limit) === verdict);
  const names = (some: readonly Line[]) => {
    const all = some.map((line) => lineName(sweep, line, several) || 'the only one');
    return all.length > 3
      ? `${all.slice(0, 2).join('; ')}; and ${all.length - 2} more`
      : all.join('; ');
  };
  const count = (some: readonly Line[]) => `${some.length} of ${lines.length}`;
  const [meets, open, fails] = [of('meets'), of('undecided'), of('fails')];
  const what = limit.objective.text;
  const where =
    meets.length === 0
      ? 'in no configuration'
      : `in ${count(meets)} configurations (${names(meets)})`;
  return {
    sentence: `${capital(what)} surely holds ${where}`,
    numbers: [
      { value: count(meets), text: `configurations surely meet ${what}` },
      ...(open.length > 0 ? [{ value: count(open), text: `are undecided: ${names(open)}` }] : []),
      ...(fails.length > 0
        ? [{ value: count(fails), text: `surely fail it: ${names(fails)}` }]
        : []),
    ],
  };
}

function spanAnswer(sweep: Sweep, lines: readonly Line[], shown: Shown): SweepAnswer {
  const { axes } = sweep;
  const several = severalGroups(lines);
  const all = lines
    .flatMap(({ group, points }) =>
      points.flatMap((point) => {
        const one = estimate([...point.samples.values()]);
        if (!one || !Number.isFinite(one.mean)) return [];
        const labels = axes.flatMap((axis, i) =>
          axis.values.length > 1 ? [valueWords(axis, point.labels[i]!)] : [],
        );
        return [
          { ...one, group, where: [...labels, ...(several ? [`VMs ${group}`] : [])].join(', ') },
        ];
      }),
    )
    .toSorted((a, b) => a.mean - b.mean);
  const found = widestGroup(all);
  const [least, most] = [found[0], found.at(-1)];
  if (!least || !most) return { sentence: `No point has a ${shown.words}`, numbers: [] };
  const { unit } = axisScale(shown.name);
  const text = (mean: number) => `${plain(mean)}${unit === '' ? '' : ` ${unit}`}`;
  if (found.length === 1) {
    return {
      sentence: `${capital(shown.words)} is ${text(least.mean)}`,
      numbers: [{ value: text(least.mean), text: shown.words }],
    };
  }
  return {
    sentence:
      `${capital(shown.words)} runs from ${text(least.mean)} (${least.where}) to ` +
      `${text(most.mean)} (${most.where})`,
    numbers: [
      { value: text(least.mean), text: `lowest ${shown.words}: ${least.where}` },
      { value: text(most.mean), text: `highest ${shown.words}: ${most.where}` },
    ],
  };
}

const capital = (text: string) =>
  /^p\d/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);

/** One interval in twenty is wrong by chance; twice as many are taken for more than that. */
const BY_CHANCE = 0.1;

/** For each axis: where a value of it differs from the first one, compared in pairs. */
function comparisons(sweep: Sweep, shown: Shown, differing: readonly Difference[]): string[] {
  const paired = differing.filter(({ found }) => found.halfWidth !== undefined);
  const byAxis = groupBy(paired, ({ axis }) => `${axis}`);
  const none: string[] = [];
  const some = [...byAxis.values()].flatMap((all) => {
    const axis = sweep.axes[all[0]!.axis]!;
    const values = [...groupBy(all, ({ label }) => label)].flatMap(([label, rows]) => {
      const count = (which: string) =>
        rows.filter(({ found }) => direction(found) === which).length;
      const [more, less] = [count('more'), count('less')];
      if (more + less < 2 || more + less <= BY_CHANCE * rows.length) return [];
      const often = (n: number, word: string) => (n > 0 ? [`${word} at ${n}`] : []);
      const { reference } = rows[0]!;
      const higher = often(more, `a higher ${shown.words}`);
      const lower = often(less, more > 0 ? 'a lower one' : `a lower ${shown.words}`);
      return [
        `compared with ${valueWords(axis, reference)}, ${valueWords(axis, label)} has ` +
          `${[...higher, ...lower].join(' and ')} ` +
          `of ${counted(rows.length, 'points')}`,
      ];
    });
    if (values.length === 0) none.push(axisWords(axis));
    return values;
  });
  return [
    ...some.slice(0, 2),
    ...(none.length > 0
      ? [`compared in pairs, no difference beyond chance is shown for ${enumerated(none)}`]
      : []),
  ];
}

/** The largest difference that is shown, in per cent of what it is compared with. */
function largestOf(
  sweep: Sweep,
  shown: Shown,
  differing: readonly Difference[],
): { readonly value: string; readonly text: string } | undefined {
  const [most] = differing
    .filter(({ found, base }) => base > 0 && ['more', 'less'].includes(direction(found)))
    .toSorted((a, b) => Math.abs(b.found.mean / b.base) - Math.abs(a.found.mean / a.base));
  if (!most) return undefined;
  const { found, base, axis, label, reference, point } = most;
  const of = sweep.axes[axis]!;
  const { x } = sweep.roles;
  const where = x ? ` at ${valueWords(x.axis, point.labels[x.index]!)}` : '';
  const share = interval((100 * found.mean) / base, (100 * found.halfWidth!) / base);
  return {
    value: `${found.mean > 0 ? '+' : ''}${share} %`,
    text:
      `${shown.words} with ${valueWords(of, label)} compared with ` +
      `${valueWords(of, reference)}${where}: the largest difference shown`,
  };
}

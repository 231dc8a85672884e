import type { Question } from '../sweep/question.ts';
import type { Effect, Sensitivity, Varied } from '../sweep/sensitivity.ts';
import { style } from './terminal.ts';
import { textTable } from './text-table.ts';

/** What `find --sensitivity` found, as a table for programs, a page, and a few lines. */

const COLUMNS = ['preset', 'path', 'value', 'range', 'end', 'steps', 'moves_the_answer', 'note'];

/** What became of an end of a range, in a word or two. */
function noteOf({ refused, steps, moves }: Effect): string {
  if (refused !== undefined) return `does not fit alone: ${refused}`;
  if (steps === 0) return 'not used';
  return moves === undefined ? 'less than a step' : 'tried';
}

const movesOf = ({ moves, refused }: Effect): string =>
  moves ?? (refused === undefined ? 'no' : '');

export function asCsv({ effects }: Sensitivity): string {
  const lines = effects.map((effect) => {
    const { preset, path, value, range } = effect.number;
    const steps = effect.steps === undefined ? '' : Number(effect.steps.toFixed(3));
    return [preset, path, value, range, effect.end, steps, movesOf(effect), noteOf(effect)];
  });
  return [COLUMNS, ...lines].map((line) => `${line.map(cell).join(',')}\n`).join('');
}

const cell = (value: string | number): string =>
  /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);

/** The same for `--json`. */
export function asRows({ axis, objective }: Question, found: Sensitivity): object {
  const { answer, effects, runs } = found;
  return {
    axis: axis.path,
    objective: objective.text,
    answer,
    runs,
    effects: effects.map((effect) => ({
      ...{ preset: effect.number.preset, path: effect.number.path, value: effect.number.value },
      ...{ range: effect.number.range, end: effect.end, steps: effect.steps },
      ...{ moves: movesOf(effect), note: noteOf(effect) },
    })),
  };
}

const shownSteps = (steps: number | undefined): string =>
  steps === undefined
    ? ''
    : `${steps > 0 ? '+' : steps < 0 ? '-' : ''}${Math.abs(steps).toFixed(2)}`;

/** Ends worth a line: those that were tried, or whose effect is seen in the last digit. */
const worth = ({ effects }: Sensitivity) =>
  effects.filter(({ steps, moves }) => moves !== undefined || Math.abs(steps ?? 0) >= 0.05);

export function asMarkdown(
  { axis, objective }: Question,
  found: Sensitivity,
  left: readonly Varied[],
): string {
  const { answer, effects, window } = found;
  const yes = effects.filter(({ moves }) => moves === 'yes');
  const numbers = new Set(effects.map(({ number }) => number.path)).size;
  const unused = effects.filter(({ steps }) => steps === 0).length;
  const refused = effects.filter((effect) => effect.refused !== undefined);
  const rows = worth(found).map((effect) => [
    `\`${effect.number.path}\``,
    effect.number.value,
    effect.end,
    effect.number.preset,
    shownSteps(effect.steps),
    effect.moves ?? '',
  ]);
  const names = [...new Set(yes.map(({ number }) => `\`${number.path}\``))];
  return `# Which assumed numbers move the answer

The answer is \`${axis.path}\` = ${answer}, the last value with ${objective.text}. ${numbers} \
numbers of its presets are assumed. Each was put to
either end of its range (half and one and a half of it where no range is known), alone, with the \
same seed.
${
  names.length === 0
    ? 'None of them moves'
    : `${names.join(', ')} ${names.length === 1 ? 'moves' : 'move'}`
} the answer by more than one step.

*Steps* is how far the answer would move by a screen in windows of \
${Math.round((window.warmup + window.length) / 1e9)} ms: what the objective is about, as a mean \
over all VMs, against the
same scenario with fewer and more steps. Ends near a step or more were tried as \`find\` tries, \
one step before the answer or two after it; *moves* says whether it
moves by more than one, or that the runs left it undecided. Of ${effects.length} ends ${unused} \
change nothing to the last cycle, because nothing uses \
them${refused.length > 0 ? `, and ${refused.length} do not fit into the scenario alone` : ''}.

![Tornado chart of the steps by which the answer moves](sensitivity.svg)

| number | value | end | preset | steps | moves by more than one |
| --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row.join(' | ')} |\n`).join('')}${
  refused.length > 0
    ? `\nDo not fit alone: ` +
      `${refused.map(({ number, end }) => `\`${number.path}\` = ${end}`).join(', ')}.\n`
    : ''
}${
  left.length > 0
    ? `\nHave no range that could be read: ${left.map(({ path }) => `\`${path}\``).join(', ')}.\n`
    : ''
}`;
}

export function asSummary({ axis, objective }: Question, found: Sensitivity, to: string): string {
  const { answer, effects, runs } = found;
  const tried = effects.filter(({ moves }) => moves !== undefined);
  const moving = tried.filter(({ moves }) => moves === 'yes');
  const names = [...new Set(moving.map(({ number }) => number.path))];
  const said =
    names.length === 0
      ? 'No assumed number moves it by more than one step.'
      : `More than one step: ${names.join(', ')}.`;
  const rows = worth(found)
    .slice(0, 20)
    .map((effect) => [
      effect.number.path,
      effect.number.value,
      effect.end,
      shownSteps(effect.steps),
      effect.moves ?? '',
    ]);
  const head = ['number', 'value', 'end', 'steps', 'moves by more than one'];
  const table = rows.length > 0 ? `\n${textTable([head, ...rows])}` : '';
  const title = style('bold', `${axis.path} = ${answer} with ${objective.text}`);
  return `${title}\n${said}\n${table}\n${runs} runs; ${to}: sensitivity.csv, .md, .svg\n`;
}

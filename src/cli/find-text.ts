import { enumerated } from '../base/collections.ts';
import { mechanismOf } from '../explain/bill.ts';
import { nameOf } from '../explain/verdict.ts';
import { counted, plain, shown, shownDifference } from '../report/quantities.ts';
import { wrapped } from '../report/table.ts';
import { type MeasureName, measures } from '../stats/measures.ts';
import { READY } from '../sweep/answer.ts';
import { countsVms } from '../sweep/compare.ts';
import type { Answer, Answers } from '../sweep/find.ts';
import type { Compared } from '../sweep/pairs.ts';
import type { Question } from '../sweep/question.ts';
import type { Share, Tested } from '../sweep/tested.ts';
import { quantileOf } from '../sweep/weigh.ts';
import { showTime } from '../sweep/windows.ts';
import { style } from './terminal.ts';
import { textTable } from './text-table.ts';

/** The answers of `find`, for people and for programs. */

const acrossOf = ({ plan, axis }: Question) => plan.space.axes.filter((other) => other !== axis);

export function asJson(question: Question, { answers, compared }: Answers): string {
  const { axis, objective, want } = question;
  const paths = acrossOf(question).map(({ path }) => path);
  const named = (labels: readonly string[]) =>
    Object.fromEntries(paths.map((path, i) => [path, labels[i]]));
  const rows = answers.map(({ labels, ...answer }) => ({ ...answer, across: named(labels) }));
  const pairs = compared.map(({ labels, with: other, ...rest }) => ({
    ...rest,
    across: named(labels),
    with: named(other),
  }));
  const head = { axis: axis.path, want, objective: objective.text, metric: objective.measure };
  const body = { ...head, confidence: 0.95, answers: rows, compared: pairs };
  return `${JSON.stringify(body, null, 2)}\n`;
}

export function asText(question: Question, { answers, compared }: Answers): string {
  const { axis, objective, want } = question;
  const across = acrossOf(question);
  const [first, last] = [axis.values[0]!.label, axis.values.at(-1)!.label];
  const header = [
    ...across.map(({ column }) => column),
    `${axis.column} (sure..possible)`,
    'VMs per core',
    'the first VM to miss it',
  ];
  const rows = answers.map((answer) => [
    ...answer.labels,
    valueText(answer),
    answer.vmsPerCore ? range(...(answer.vmsPerCore.map(plain) as [string, string])) : '',
    answer.broken?.vm?.vm ?? '',
  ]);
  const said = answers
    .flatMap((answer) => sentences(question, answer))
    .flatMap(setIn)
    .join('\n');
  const asked = `${want} ${axis.path} from ${first} to ${last} with ${objective.text}`;
  return `${style('bold', asked)} (95 % confidence)
${wrapped(answerText(question, answers), WIDTH).join('\n')}

${table([header, ...rows])}${said}
${compared.length > 0 ? `\n${pairsText(question, compared)}` : ''}`;
}

/** In lines of at most 98 characters, further ones set in. */
function setIn(line: string): string[] {
  const indent = /^ */.exec(line)![0];
  return wrapped(line.trimStart(), WIDTH - indent.length - 2).map(
    (part, i) => `${indent}${i === 0 ? '' : '  '}${part}`,
  );
}

const WIDTH = 98;
/** More configurations are told apart by the table only. */
const MOST_NAMED = 4;

/** The answer in a sentence. */
function answerText({ axis, want }: Question, answers: readonly Answer[]): string {
  const [first, last] = [axis.values[0]!.label, axis.values.at(-1)!.label];
  const [to, start, end] =
    want === 'largest' ? (['up to', first, last] as const) : (['down to', last, first] as const);
  const at = (value: string) => `${axis.path} = ${value}`;
  const how = ({ value, atMost, unlimited, broken, vmsPerCore }: Answer): string => {
    if (unlimited) return `at every value tried, ${to} ${at(end)}`;
    if (value === undefined) {
      if (broken?.verdict !== 'undecided') return `nowhere, not even at ${at(start)}`;
      return `perhaps nowhere: ${at(start)} is undecided`;
    }
    const cores = vmsPerCore ? ` (${plain(vmsPerCore[0])} VMs per core)` : '';
    return `${to} ${at(value)}${cores}${atMost === value ? '' : `, and perhaps ${to} ${atMost}`}`;
  };
  const said = new Map<string, string[]>();
  for (const answer of answers) {
    const words = how(answer);
    said.set(words, [...(said.get(words) ?? []), answer.labels.join(', ')]);
  }
  const parts = [...said];
  if (parts.length === 1) {
    const alike = answers.length > 1 ? ', in every configuration' : '';
    return `The objective holds ${parts[0]![0]}${alike}.`;
  }
  const named = parts.slice(0, MOST_NAMED).map(([words, of]) => `${words} with ${enumerated(of)}`);
  const more = parts.length > MOST_NAMED ? `; ${parts.length - MOST_NAMED} more below` : '';
  return `The objective holds ${named.join('; ')}${more}.`;
}

function table(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = textTable(rows).split('\n');
  return `${style('bold', head!)}\n${body.join('\n')}`;
}

/** `none`, or what is sure and what is still possible. */
function valueText({ value, atMost, broken }: Answer): string {
  if (value !== undefined) return range(value, atMost!);
  return broken?.verdict === 'undecided' ? 'undecided' : 'none';
}

const range = (sure: string, possible: string) => `${sure} (${sure}..${possible})`;

/** `waits for data lines (data.stall cold)` */
const inWords = (leaf: string) => nameOf(mechanismOf(leaf.replace('/', ' ')));
const isGuest = (leaf: string) => /^guest\./.test(leaf);
const perThousand = (cycles: number) => `${plain(cycles)} cycles per 1000 instructions`;

/** Why it ends there, what is open, and how long it was looked at: a line each. */
function sentences(question: Question, answer: Answer): string[] {
  const { axis } = question;
  const { broken, labels, unlimited, runs, tested } = answer;
  const prefix = labels.length > 0 ? `${labels.join(', ')}: ` : '';
  const lines = windowLines(tested);
  if (!broken || unlimited) {
    const said = 'every value tried meets the objective, so it was not the limit';
    return [`${prefix}${said} (${counted(runs, 'runs')})`, ...lines];
  }
  const at = `${axis.path} = ${broken.value}`;
  const open = broken.verdict === 'undecided' ? 'it cannot be decided: ' : '';
  return [
    `${prefix}at ${at}, ${open}${foundText(question, broken)} (${counted(runs, 'runs')})`,
    ...openLines(question, answer),
    ...growthLines(question, answer),
    ...lines,
  ];
}

const milliseconds = (time: number) => showTime(time * 1e9);

/** What was measured at a value. */
function foundText({ objective }: Question, found: Tested): string {
  const { nothing, mean, interval, share, vm, missing } = found;
  if (nothing !== undefined && found.verdict === 'fails') return nothing;
  if (share) return shareText(objective, found, share);
  if (mean === undefined) return missing?.because ?? nothing ?? 'nothing was measured';
  const show = (value: number) => shown(objective.measure, value);
  const between = interval ? ` (${interval.map(show).join(' to ')})` : '';
  const who = vm ? `, worst in ${vm.vm}` : '';
  return `${wordsOf(objective)} is ${show(mean)}${between}${who}`;
}

function shareText(objective: Question['objective'], found: Tested, share: Share): string {
  const show = (value: number) => shown(objective.measure, value);
  const of = found.vm?.vm ?? 'all VMs';
  const [low, high] = share.interval.map((one) => plain(100 * one));
  const took =
    `${plain(100 * share.mean)} % (${low} to ${high}) of ` +
    `${counted(share.requests, 'requests')} of ${of} took ${show(objective.limit)} or more`;
  const may = quantileOf(objective) === 1 ? 'none' : `${plain(100 * share.allowed)} %`;
  const limit = objective.below ? `fewer than ${may} may` : `more than ${may} must`;
  const value =
    found.mean === undefined ? '' : `; their ${wordsOf(objective)} is ${show(found.mean)}`;
  return `${took}, ${may === 'none' ? 'none may' : limit}${value}`;
}

const wordsOf = ({ measure }: { readonly measure: MeasureName }) => measures[measure].words;

/** What it would take to decide the values that are open. */
function openLines({ axis }: Question, { tested }: Answer): string[] {
  return tested.flatMap(({ value, verdict, missing, runs, window }) => {
    if (verdict !== 'undecided' || !missing) return [];
    const all = counted(runs, 'runs');
    const looked = window ? `${all} of ${milliseconds(window.length)}` : all;
    const { requests, duration, because } = missing;
    const takes = [
      ...(requests === undefined ? [] : [`about ${counted(requests, 'requests')} of a VM`]),
      ...(duration === undefined ? [] : [`--max-duration ${wholeTime(duration)}`]),
    ];
    const cure =
      takes.length > 0
        ? `it would take ${takes.join(', ')}`
        : 'it lies at the limit, and more runs would hardly tell';
    return [`  undecided at ${axis.column} = ${value} after ${looked}: ${because}; ${cure}`];
  });
}

/** As the option takes it, rounded up. */
const wholeTime = (ms: number) =>
  ms >= 1000 ? `${Math.ceil(ms / 100) / 10}s` : `${Math.ceil(ms)}ms`;

/** Which windows were longer than those of the scenario, and why. */
function windowLines(tested: readonly Tested[]): string[] {
  const longer = new Map<string, { values: string[]; because: string }>();
  for (const { value, window, longer: before } of tested) {
    const first = before[0];
    if (!window || !first) continue;
    const key = milliseconds(window.length);
    const because = `${milliseconds(first.length)} was too short: ${first.because}`;
    const line = longer.get(key) ?? { values: [], because };
    line.values.push(value);
    longer.set(key, line);
  }
  return [...longer].map(([length, { values, because }]) => {
    return `  windows of ${length} at ${values.join(', ')}; ${because}`;
  });
}

function growthLines({ axis, want, plan }: Question, { broken, value }: Answer): string[] {
  const waiting = broken!.grew.find(({ leaf }) => leaf === READY);
  // The guest's own work is no reason.
  const leaf = broken!.grew.find((growth) => growth.leaf !== READY && !isGuest(growth.leaf));
  if (value === undefined) {
    return [
      ...(leaf
        ? [`  of the ledger, ${inWords(leaf.leaf)} takes most: ${perThousand(leaf.after)}`]
        : []),
      ...(waiting ? [`  waiting for a pCPU takes ${perThousand(waiting.after)}`] : []),
    ];
  }
  const from = axis.values[want === 'largest' ? 0 : axis.values.length - 1]!.label;
  const alone = countsVms(axis) && plan.base.vms.length === 1;
  const than = alone ? counted(Number(from), 'VMs') : `${axis.column} = ${from}`;
  const lines = [
    [leaf, `of the ledger, ${leaf && inWords(leaf.leaf)} grew most`],
    [waiting, 'waiting for a pCPU grew'],
  ] as const;
  return lines.flatMap(([growth, name]) => {
    if (!growth) return [];
    const values = `from ${plain(growth.before)} to ${plain(growth.after)}`;
    return [`  ${name}: ${values} cycles per 1000 instructions, compared with ${than}`];
  });
}

/** The configurations in pairs. */
function pairsText(question: Question, compared: readonly Compared[]): string {
  const { axis, objective } = question;
  const header = [axis.column, 'difference', wordsOf(objective), 'pairs', 'result'];
  const rows = compared.map(({ labels, with: other, value, difference, says }) => {
    const so = says === 'none shown' ? 'no difference shown' : says;
    const what = `${labels.join(', ')} − ${other.join(', ')}`;
    const found = shownDifference(objective.measure, difference.mean, difference.halfWidth);
    return [value, what, found, String(difference.n), so];
  });
  const of = quantileOf(objective) === undefined ? '' : ', of the requests of all VMs together';
  return `Compared in pairs, run by run with the same seeds${of}:
${table([header, ...rows])}`;
}

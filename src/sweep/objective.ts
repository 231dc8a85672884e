import { didYouMean, listed } from '../scenario/findings.ts';
import {
  hostMeasureNames,
  type MeasureName,
  measureNames,
  measures,
  vmMeasureNames,
} from '../stats/measures.ts';
import { quantity } from './expression.ts';
import type { UnitResult, VmResult } from './unit.ts';

/**
 * `p99 latency < 50ms`, `slowdown < 1.25 for every VM`, `host overhead < 10%`: what a run has to
 * achieve.
 */
export interface Objective {
  readonly text: string;
  readonly measure: MeasureName;
  /** True: the value must stay below the limit. */
  readonly below: boolean;
  /** In the unit of the measure. */
  readonly limit: number;
  readonly scope: 'host' | 'every' | 'average';
  /** Only VMs of this group; undefined = all. */
  readonly group: string | undefined;
}

/** The text is not an objective. */
export class ObjectiveError extends Error {
  override readonly name = 'ObjectiveError';
  readonly suggestion: string | undefined;

  constructor(message: string, suggestion?: string) {
    super(message);
    this.suggestion = suggestion;
  }
}

const MAX_TEXT = 200;
const EXAMPLES = 'write for example p99 latency < 50ms, or slowdown < 1.25 for every VM';
/** Other words for what people ask for. */
const SYNONYMS: Readonly<Record<string, MeasureName>> = {
  latency: 'latency_mean_ns',
  'average latency': 'latency_mean_ns',
  'median latency': 'latency_p50_ns',
  'max latency': 'latency_max_ns',
  throughput: 'work_per_second',
};

/** Words in any order, joined by blanks, dashes or underscores, with or without the unit. */
const key = (text: string): string =>
  text
    .toLowerCase()
    .split(/[\s_-]+/)
    .filter((word) => word !== '' && word !== 'ns')
    .toSorted()
    .join(' ');

const measuresByKey: ReadonlyMap<string, MeasureName> = new Map([
  ...Object.entries(SYNONYMS).map(([words, name]) => [key(words), name] as const),
  ...measureNames.flatMap((name) =>
    [measures[name].words, name].map((text) => [key(text), name] as const),
  ),
]);
interface Parts {
  readonly name: string;
  readonly below: boolean;
  readonly value: string;
  readonly scope: 'every' | 'average' | undefined;
  readonly group: string | undefined;
}

/**
 * Takes an objective apart, from its only `<` or `>` to both sides; undefined when it has another
 * form.
 */
function partsOf(text: string): Parts | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const at = text.search(/[<>]/);
  if (at < 0) return undefined;
  const name = text.slice(0, at).trim();
  const words = text
    .slice(text[at + 1] === '=' ? at + 2 : at + 1)
    .trim()
    .split(/\s+/);
  const end = (count: number) => words.slice(-count).join(' ').toLowerCase();
  let scope: Parts['scope'];
  let group: string | undefined;
  let taken = 0;
  if (end(3) === 'for every vm') [scope, taken] = ['every', 3];
  else if (end(2) === 'on average') [scope, taken] = ['average', 2];
  else if (words.length > 2 && words.at(-2)!.toLowerCase() === 'for') {
    [group, taken] = [words.at(-1)!, 2];
  }
  const value = words.slice(0, words.length - taken).join(' ');
  if (name === '' || value === '' || /[<>]/.test(value + (group ?? ''))) return undefined;
  return { name, below: text[at] === '<', value, scope, group };
}

/** `groups`: names of the VM groups. Throws ObjectiveError. */
export function parseObjective(text: string, groups: readonly string[]): Objective {
  const parts = partsOf(text);
  if (!parts) {
    const got = text.length > MAX_TEXT ? `${text.length} characters` : JSON.stringify(text);
    throw new ObjectiveError(`not an objective: ${got}`, EXAMPLES);
  }
  const { name, below, value, scope, group } = parts;
  const measure = measureOf(name);
  if (group !== undefined && !groups.includes(group)) {
    const hint = didYouMean(group, groups) ?? `groups: ${listed(groups)}`;
    throw new ObjectiveError(`there is no VM group "${group}"`, hint);
  }
  const host = measures[measure].scope === 'host';
  return {
    text: text.trim(),
    measure,
    below,
    limit: limitOf(value, measure),
    scope: host ? 'host' : (scope ?? 'every'),
    group,
  };
}

/** What an objective can be about. */
const ALLOWED: readonly MeasureName[] = [...hostMeasureNames, ...vmMeasureNames];
const wordsOf = (name: MeasureName) => measures[name].words;

function measureOf(text: string): MeasureName {
  const known = measuresByKey.get(key(text));
  if (known !== undefined && ALLOWED.includes(known)) return known;
  const there = `there are: ${listed(ALLOWED.map(wordsOf))}`;
  if (known !== undefined) {
    const { words, unit } = measures[known];
    const kind = { count: 'a count', cycles: 'a number of cycles', bytes: 'a number of bytes' };
    const is = kind[unit as keyof typeof kind] ?? 'of a whole VM group';
    const about = 'an objective is about a ratio, a rate or a latency of a VM';
    throw new ObjectiveError(`${about}, and "${words}" is ${is}`, there);
  }
  // People also know the names of columns: `latency p99`.
  const said = text
    .trim()
    .replaceAll(/[\s_-]+/g, ' ')
    .replace(/ ns$/, '');
  const column = (name: MeasureName) => name.replaceAll('_', ' ').replace(/ ns$/, '');
  const near = ALLOWED.find((name) => didYouMean(said, [column(name)]));
  const hint =
    didYouMean(said, [...Object.keys(SYNONYMS), ...ALLOWED.map(wordsOf)]) ??
    (near && `did you mean "${wordsOf(near)}"?`);
  throw new ObjectiveError(`there is no metric "${text}"`, hint ?? there);
}

function limitOf(text: string, measure: MeasureName): number {
  const { unit } = measures[measure];
  const percent = /^([\d.]+)\s*%$/.exec(text);
  const value = percent && unit === 'ratio' ? Number(percent[1]) / 100 : quantity(text);
  const bare = Number.isFinite(Number(text));
  const needsUnit = unit === 'ns';
  if (value === undefined || (bare && needsUnit) || (!bare && !percent && unit === 'ratio')) {
    const example = { ns: '50ms', ratio: '1.25 or 10%' }[unit as string] ?? '100';
    throw new ObjectiveError(
      `"${text}" is no limit for ${measures[measure].words}`,
      `write for example ${example}`,
    );
  }
  // Durations come in picoseconds.
  return unit === 'ns' ? value / 1000 : value;
}

/**
 * What a run achieved, in the worst VM where the objective is for every one; undefined when nothing
 * was measured.
 */
export function achieved(objective: Objective, result: UnitResult): number | undefined {
  const { measure, scope, below } = objective;
  if (scope === 'host') return result.host[measure];
  const values = concerned(objective, result).flatMap((vm) => vmValue(objective, vm) ?? []);
  if (values.length === 0) return undefined;
  if (scope === 'average') return values.reduce((sum, value) => sum + value, 0) / values.length;
  return below ? Math.max(...values) : Math.min(...values);
}

export function concerned({ group }: Objective, { vms }: UnitResult): readonly VmResult[] {
  return group === undefined ? vms : vms.filter((vm) => vm.group === group);
}

/** Infinity for a VM that got nothing done; undefined where there is nothing to measure. */
export function vmValue({ measure }: Objective, { values }: VmResult): number | undefined {
  return values[measure];
}

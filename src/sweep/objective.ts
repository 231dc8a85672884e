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

/** `p99 latency < 50ms`, `slowdown < 1.25 for every VM`, `host overhead < 10%`: what a run has to achieve. */
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

const FORM =
  /^\s*(?<name>[^<>]+?)\s*(?<sign><=?|>=?)\s*(?<value>[^<>]+?)(?:\s+(?:(?<every>for every VM)|(?<average>on average)|for (?<group>[a-z][\w-]*)))?\s*$/i;
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

/** `groups`: names of the VM groups. Throws ObjectiveError. */
export function parseObjective(text: string, groups: readonly string[]): Objective {
  const match = FORM.exec(text)?.groups;
  if (!match) throw new ObjectiveError(`not an objective: ${JSON.stringify(text)}`, EXAMPLES);
  const { name, sign, value, average, group } = match as Record<string, string>;
  const measure = measureOf(name!);
  if (group !== undefined && !groups.includes(group)) {
    const hint = didYouMean(group, groups) ?? `groups: ${listed(groups)}`;
    throw new ObjectiveError(`there is no VM group "${group}"`, hint);
  }
  const host = measures[measure].scope === 'host';
  return {
    text: text.trim(),
    measure,
    below: sign!.startsWith('<'),
    limit: limitOf(value!, measure),
    scope: host ? 'host' : average ? 'average' : 'every',
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
    const message = `an objective is about a ratio, a rate or a latency of a VM, and "${words}" is ${is}`;
    throw new ObjectiveError(message, there);
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

/** What a run achieved, in the worst VM where the objective is for every one; undefined when nothing was measured. */
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

export function vmValue({ measure }: Objective, { values }: VmResult): number | undefined {
  // Requests came and none was served: worse than any latency that could be measured.
  const starved = measures[measure].unit === 'ns' && (values.requests_arrived ?? 0) > 0;
  return values[measure] ?? (starved ? Number.POSITIVE_INFINITY : undefined);
}

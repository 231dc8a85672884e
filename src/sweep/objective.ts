import { didYouMean, listed } from '../scenario/findings.ts';
import {
  hostMeasureNames,
  type MeasureName,
  measureNames,
  measures,
  vmMeasureNames,
} from '../stats/measures.ts';
import { quantity } from './expression.ts';
import { type UnitResult, type VmResult, valueIn } from './unit.ts';

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
/** Names people use -> names in the tables. */
const SYNONYMS: Readonly<Record<string, MeasureName>> = {
  latency: 'latency_mean',
  mean_latency: 'latency_mean',
  median_latency: 'latency_p50',
  p50_latency: 'latency_p50',
  p95_latency: 'latency_p95',
  p99_latency: 'latency_p99',
  max_latency: 'latency_max',
  throughput: 'work_per_second',
};

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

function measureOf(words: string): MeasureName {
  const name = words
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_');
  const known = SYNONYMS[name] ?? name;
  const allowed: readonly string[] = [...hostMeasureNames, ...vmMeasureNames];
  if (allowed.includes(known)) return known as MeasureName;
  if ((measureNames as readonly string[]).includes(known)) {
    const message = `an objective is a ratio, a rate or a latency, and "${known}" is a ${measures[known as MeasureName].unit}`;
    throw new ObjectiveError(message, `there are: ${listed(allowed)}`);
  }
  const hint = didYouMean(name, [...Object.keys(SYNONYMS), ...allowed]);
  throw new ObjectiveError(
    `there is no metric "${words}"`,
    hint ?? `there are: ${listed(allowed)}`,
  );
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
      `"${text}" is no limit for ${measure}`,
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

/** Infinity for a VM that got nothing done; undefined where there is nothing to measure. */
export function vmValue({ measure }: Objective, vm: VmResult): number | undefined {
  return valueIn(vm, measure);
}

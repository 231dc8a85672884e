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

const MAX_TEXT = 200;
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

interface Parts {
  readonly name: string;
  readonly below: boolean;
  readonly value: string;
  readonly scope: 'every' | 'average' | undefined;
  readonly group: string | undefined;
}

/** Takes an objective apart, from its only `<` or `>` to both sides; undefined when it has another form. */
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
export function vmValue({ measure }: Objective, { values }: VmResult): number | undefined {
  return values[measure];
}

import { ConfigError } from '../base/errors.ts';
import type { ScenarioTree } from '../scenario/load.ts';
import { child, type Located, type LocatedMap } from '../scenario/located.ts';
import { type Axis, readSpace } from './axes.ts';
import { type Objective, ObjectiveError, parseObjective } from './objective.ts';
import { type Plan, planOfSpace } from './plan.ts';
import { quantileOf } from './weigh.ts';

/** The `find:` of a scenario: a plan of all points it may try, and what they have to achieve. */
export interface Question {
  readonly plan: Plan;
  readonly objective: Objective;
  readonly want: 'largest' | 'smallest';
  /** Replications of a value before the first decision, and most of them. */
  readonly replications: number;
  readonly maxReplications: number;
  /** Longest warm-up and window together, in picoseconds; undefined: windows stay as they are. */
  readonly ceiling: number | undefined;
  /** The number that is looked for. */
  readonly axis: Axis;
  /**
   * For each combination of the other axes: the points of its values, from where the search starts.
   */
  readonly series: readonly (readonly number[])[];
}

const MAX_VALUES = 4096;

/** Throws ConfigError. */
export function readQuestion(tree: ScenarioTree): Question {
  const { find, vms } = tree.load().scenario;
  const written = child(tree.root, 'find');
  const findings = tree.findings();
  if (!find || written?.form !== 'map') {
    throw new ConfigError([
      findings.diagnostic(
        tree.root.place,
        'there is nothing to find: the scenario has no `find:`',
        'write find: { axis: vms.web.count, to: 32, objective: slowdown < 1.25 }, or give ' +
          'the options --axis, --to and --objective',
      ),
    ]);
  }
  const axis = child(written, 'axis')!;
  const values = valuesBetween(find.from, find.to, find.step);
  if (typeof values === 'string') findings.add(child(written, 'to')!.place, values);
  let objective: Objective | undefined;
  try {
    objective = parseObjective(
      find.objective,
      vms.map(({ name }) => name),
    );
  } catch (error) {
    if (!(error instanceof ObjectiveError)) throw error;
    findings.add(child(written, 'objective')!.place, error.message, error.suggestion);
  }
  findings.throwIfAny();
  const to = child(written, 'to')!.place;
  const list: Located = {
    form: 'list',
    place: to,
    items: (values as (string | number)[]).map((value) => ({ form: 'scalar', place: to, value })),
  };
  const across = child(written, 'across');
  const entries = new Map(across?.form === 'map' ? across.entries : []);
  // Last, so that the points of one combination follow each other.
  entries.delete(find.axis);
  entries.set(find.axis, { key: axis.place, value: list });
  const axes: LocatedMap = { form: 'map', place: written.place, entries };
  const space = readSpace(
    { ...written, entries: new Map([['axes', { key: written.place, value: axes }]]) },
    findings,
  );
  findings.throwIfAny();
  const { replications } = find;
  const maxReplications = Math.max(replications, find.maxReplications);
  const metrics = [objective!.measure];
  const requests = quantileOf(objective!) !== undefined;
  const settings = { replications, maxReplications, metrics, precision: undefined, requests };
  const series = Array.from({ length: space.size / list.items.length }, (_, combination) => {
    const points = list.items.map((_, i) => combination * list.items.length + i);
    return find.want === 'largest' ? points : points.reverse();
  });
  // Whoever asks for a duration does not want another.
  const asked = space.axes.some(({ path }) => path === 'duration' || path === 'warmup');
  return {
    plan: planOfSpace(tree, settings, space),
    objective: objective!,
    want: find.want,
    replications,
    maxReplications,
    ceiling: asked ? undefined : find.maxDuration,
    axis: space.axes.at(-1)!,
    series,
  };
}

type Bound = string | number;

/** `1`, `2`, … or `1ms`, `2ms`, …; a message when that makes no sense. */
export function valuesBetween(from: Bound, to: Bound, step: number): Bound[] | string {
  const [first, last] = [split(from), split(to)];
  if (!first || !last) return `"${first ? to : from}" is not a number, with or without a unit`;
  const unit = first.unit || last.unit;
  if (last.unit !== unit || (first.unit !== unit && first.number !== 0)) {
    return `"from" and "to" must have the same unit, got ${from} and ${to}`;
  }
  const count = Math.floor((last.number - first.number) / step + 1e-9) + 1;
  if (count < 1) return `"to" must not be below "from", got ${from} and ${to}`;
  if (count > MAX_VALUES) return `${count} values are more than ${MAX_VALUES}: use a larger step`;
  return Array.from({ length: count }, (_, i) => {
    const number = Number((first.number + i * step).toPrecision(12));
    return unit === '' ? number : `${number}${unit}`;
  });
}

function split(bound: Bound): { readonly number: number; readonly unit: string } | undefined {
  const match = /^\s*(-?[\d.]+)\s*([^\d\s.]*)\s*$/.exec(String(bound));
  const number = Number(match?.[1]);
  return match && Number.isFinite(number) ? { number, unit: match[2]! } : undefined;
}

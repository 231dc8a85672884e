import { ConfigError, type Diagnostic, type Place } from '../base/errors.ts';
import type { SweepInput } from '../scenario/experiments.ts';
import { didYouMean, type Findings, listed } from '../scenario/findings.ts';
import type { LoadedScenario, ScenarioTree } from '../scenario/load.ts';
import { child, type Located, type LocatedMap } from '../scenario/located.ts';
import type { PlacedValue } from '../scenario/overrides.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { MeasureName } from '../stats/measures.ts';
import {
  type AxisValue,
  combination,
  MAX_COMBINATIONS,
  positions,
  readSpace,
  type Space,
  valuesAt,
  valueText,
  yamlLine,
} from './axes.ts';
import { defaultBaseline } from './compare.ts';
import { compileWhere, ExpressionError } from './expression.ts';
import { pause } from './pause.ts';

/**
 * What a sweep will do: its points, in order, made one at a time so that memory does not grow with
 * them.
 */
export interface Plan {
  /** The scenario without the sweep. */
  readonly base: Scenario;
  readonly space: Space;
  readonly points: number;
  readonly replications: number;
  /** Half-width over mean to reach; undefined = the number of replications is fixed. */
  readonly precision: number | undefined;
  /** Most replications of a point. */
  readonly maxReplications: number;
  readonly metrics: readonly MeasureName[] | undefined;
  /** Whether every VM also runs alone and native. */
  readonly native: boolean;
  /** Whether units keep how long each request took. */
  readonly requests: boolean;
  /**
   * Axes that the baseline fixes, with their labels there; undefined when there is nothing to
   * compare.
   */
  readonly baseline: ReadonlyMap<number, string> | undefined;
  point(index: number): Point;
}

export interface Point {
  /** Number in the plan, from 0. */
  readonly index: number;
  /** One for each axis. */
  readonly values: readonly AxisValue[];
  /**
   * The point it is compared with, which may be itself; undefined when `where` has left that one
   * out.
   */
  readonly baseline: number | undefined;
  /** `more` are values besides. Throws ConfigError at the values that do not fit. */
  load(more?: readonly PlacedValue[]): LoadedScenario;
}

/** Measures that come from a native run of each VM. */
const NATIVE: readonly MeasureName[] = ['slowdown', 'overhead', 'slowdown_worst', 'overhead_worst'];
export const needsNative = (names: readonly MeasureName[]) =>
  names.some((name) => NATIVE.includes(name));

/** Common random numbers: replication `r` draws the same numbers at every point. */
export function replicationSeed(seed: string, replication: number): string {
  return `${seed}/${replication}`;
}

/**
 * Reads the sweep of a scenario. Throws ConfigError with every problem of what can be told without
 * running.
 */
export function makePlan(tree: ScenarioTree): Plan {
  const base = tree.load().scenario;
  const written = child(tree.root, 'sweep');
  if (written?.form !== 'map' || !base.sweep) {
    throw new ConfigError([
      tree
        .findings()
        .diagnostic(
          tree.root.place,
          'there is nothing to sweep: the scenario has no `sweep:`',
          'write sweep: { axes: { vms.web.count: [1, 2, 4] } }, or use --axis vms.web.count=1,2,4',
        ),
    ]);
  }
  const findings = tree.findings();
  const space = readSpace(written, findings);
  const keep = space.size <= MAX_COMBINATIONS ? readWhere(written, space, findings) : () => false;
  const baseline = readBaseline(written, space, findings) ?? defaultBaseline(space);
  checkRuns(written, space.size, base.sweep, findings);
  findings.throwIfAny();
  const kept = keptCombinations(space, keep);
  if (kept.length === 0) {
    findings.add(child(written, 'where')!.place, '`where` leaves no point over');
    findings.throwIfAny();
  }
  return planOf(tree, base, base.sweep, { space, kept, baseline });
}

/** More runs than this are a slip of the pen: each is a file, and each is looked for. */
const MAX_RUNS = 1_000_000;

function checkRuns(
  written: LocatedMap,
  combinations: number,
  { replications }: PlanSettings,
  findings: Findings,
): void {
  const runs = combinations * replications;
  if (runs <= MAX_RUNS) return;
  const { place } = child(written, 'replications') ?? written;
  const each = `${combinations} combinations with ${replications} replications each`;
  findings.add(place, `${each} are ${runs} runs, more than ${MAX_RUNS}`);
}

/** A plan of every combination of a space, without a baseline. */
export function planOfSpace(tree: ScenarioTree, settings: PlanSettings, space: Space): Plan {
  const kept = Int32Array.from({ length: space.size }, (_, index) => index);
  return planOf(tree, tree.load().scenario, settings, { space, kept, baseline: undefined });
}

export interface PlanSettings
  extends Pick<SweepInput, 'replications' | 'precision' | 'maxReplications' | 'metrics'> {
  readonly requests?: boolean;
}

function planOf(
  tree: ScenarioTree,
  base: Scenario,
  sweep: PlanSettings,
  found: {
    readonly space: Space;
    readonly kept: Int32Array;
    readonly baseline: ReadonlyMap<number, string> | undefined;
  },
): Plan {
  const { space, kept, baseline } = found;
  return {
    base,
    space,
    points: kept.length,
    replications: sweep.replications,
    precision: sweep.precision,
    maxReplications:
      sweep.precision === undefined
        ? sweep.replications
        : Math.max(sweep.maxReplications, sweep.replications),
    metrics: sweep.metrics,
    native: needsNative(sweep.metrics ?? []),
    requests: sweep.requests ?? false,
    baseline,
    point(index) {
      const values = valuesAt(space, kept[index]!);
      return {
        index,
        values,
        baseline: baseline && indexOf(kept, baselineOf(space, kept[index]!, baseline)),
        load: (more = []) => loadPoint(tree, values, space, more),
      };
    },
  };
}

function keptCombinations(space: Space, keep: (values: AxisValue[]) => boolean): Int32Array {
  const kept: number[] = [];
  for (let index = 0; index < space.size; index++) {
    if (keep(valuesAt(space, index))) kept.push(index);
  }
  return Int32Array.from(kept);
}

/** Position of `value` in a sorted list. */
function indexOf(sorted: Int32Array, value: number | undefined): number | undefined {
  if (value === undefined) return undefined;
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value ? low : undefined;
}

/** The combination with the baseline's values and otherwise those of `index`. */
function baselineOf(
  space: Space,
  index: number,
  baseline: ReadonlyMap<number, string>,
): number | undefined {
  const at = positions(space, index);
  for (const [g, { axes, length }] of space.groups.entries()) {
    const fixed = axes.filter((axis) => baseline.has(axis));
    if (fixed.length === 0) continue;
    const matches = (i: number) =>
      fixed.every((axis) => space.axes[axis]!.values[i]!.label === baseline.get(axis));
    at[g] = Array.from({ length }, (_, i) => i).findIndex(matches);
    if (at[g] === -1) return undefined;
  }
  return combination(space, at);
}

function readBaseline(
  sweep: LocatedMap,
  space: Space,
  findings: Findings,
): ReadonlyMap<number, string> | undefined {
  const written = child(sweep, 'baseline');
  if (written?.form !== 'map') return undefined;
  const baseline = new Map<number, string>();
  for (const [name, { key, value }] of written.entries) {
    const axis = space.axes.findIndex(({ path, column }) => path === name || column === name);
    const names = space.axes.map(({ path }) => path);
    if (axis < 0) {
      const hint = didYouMean(name, names) ?? `axes: ${listed(names)}`;
      findings.add(key, `the baseline names "${name}", which is no axis`, hint);
      continue;
    }
    const label = value.form === 'scalar' ? String(value.value) : yamlLine(value);
    const labels = space.axes[axis]!.values.map((item) => item.label);
    if (!labels.includes(label)) {
      findings.add(value.place, `"${label}" is no value of "${name}"`, `values: ${listed(labels)}`);
    }
    baseline.set(axis, label);
  }
  return baseline;
}

function readWhere(
  sweep: LocatedMap,
  space: Space,
  findings: Findings,
): (values: readonly AxisValue[]) => boolean {
  const written = child(sweep, 'where');
  const texts: Located[] = written?.form === 'list' ? [...written.items] : written ? [written] : [];
  const names = {
    axes: space.axes.flatMap(({ path, column }) => (column === path ? [path] : [path, column])),
    words: new Set(space.axes.flatMap(({ values }) => values.map(({ label }) => label))),
    axis: (word: string) => {
      const found = space.axes.findIndex(({ path, column }) => path === word || column === word);
      return found < 0 ? undefined : found;
    },
  };
  const tests = texts.flatMap((text) => {
    if (text.form !== 'scalar') return [];
    try {
      return [compileWhere(String(text.value), names)];
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const { file, line, column } = text.place;
      const at: Place = { file, line, column: column + error.offset };
      findings.add(at, `in \`where\`: ${error.message}`, error.suggestion);
      return [];
    }
  });
  return (values) => tests.every((test) => test((axis) => values[axis]!.scalar));
}

function loadPoint(
  tree: ScenarioTree,
  values: readonly AxisValue[],
  space: Space,
  more: readonly PlacedValue[],
): LoadedScenario {
  try {
    return tree.load([...values.map(({ placed }) => placed), ...more]);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const point = describe(values, space);
    throw new ConfigError(
      error.diagnostics.map((d) => ({ ...d, message: `${d.message} (at the point ${point})` })),
    );
  }
}

/** `vms.web.count=4, hypervisor.mmu.kind=nested` */
export function describe(values: readonly AxisValue[], { axes }: Space): string {
  return values.map(({ label }, i) => `${axes[i]!.path}=${label}`).join(', ') || '(the only one)';
}

/** The same as arguments of the command line. */
export function setArguments(values: readonly AxisValue[]): string[] {
  return values.flatMap(({ placed: { path, value } }) => ['--set', `${path}=${valueText(value)}`]);
}

/** Problems shown of a plan with very many. */
const MOST_PROBLEMS = 20;

/**
 * Loads every point once, so that nothing starts when one of them is wrong. Throws ConfigError with
 * the problems of all points, each place once; calls `visit` with what was loaded.
 */
export function checkPoints(plan: Plan, visit: Visit): void {
  for (const _ of checking(plan, visit));
}

/** The same with a pause after each point: there may be thousands. */
export async function checkPointsPausing(plan: Plan, visit: Visit): Promise<void> {
  for (const _ of checking(plan, visit)) await pause();
}

type Visit = (point: Point, loaded: LoadedScenario) => void;

function* checking(plan: Plan, visit: Visit): Generator<void> {
  const problems = new Map<string, Diagnostic>();
  for (let index = 0; index < plan.points && problems.size < MOST_PROBLEMS; index++) {
    const point = plan.point(index);
    try {
      visit(point, point.load());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const diagnostic of error.diagnostics) {
        const { file, line, column } = diagnostic.place;
        const place = `${file}:${line}:${column}`;
        if (!problems.has(place)) problems.set(place, diagnostic);
      }
    }
    yield;
  }
  if (problems.size > 0) throw new ConfigError([...problems.values()]);
}

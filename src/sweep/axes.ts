import { stringify } from 'yaml';
import type { Place } from '../base/errors.ts';
import { isFormula, unseenIn } from '../base/text.ts';
import { didYouMean, type Findings, listed } from '../scenario/findings.ts';
import { child, type Located, type LocatedMap, textOf, toValue } from '../scenario/located.ts';
import type { PlacedValue } from '../scenario/overrides.ts';
import { builtInColumns } from './columns.ts';
import type { Scalar } from './expression.ts';

/**
 * The axes of a sweep, each value with the place where it was written, and the combinations they
 * span.
 */
export interface Axis {
  /** As `--set` takes it. */
  readonly path: string;
  /** Name of its column. */
  readonly column: string;
  readonly place: Place;
  readonly values: readonly AxisValue[];
}

export interface AxisValue {
  /** What tables show. */
  readonly label: string;
  /** What `where` compares: the value when it is one, else the label. */
  readonly scalar: Scalar;
  readonly placed: PlacedValue;
}

/** Axes that advance together; an axis of `axes:` is a group of its own. */
export interface AxisGroup {
  /** Numbers of its axes. */
  readonly axes: readonly number[];
  readonly length: number;
}

export interface Space {
  readonly axes: readonly Axis[];
  readonly groups: readonly AxisGroup[];
  /** Number of combinations. */
  readonly size: number;
}

/** Keys that are about the file, not about what is simulated. */
const FORBIDDEN = ['name', 'description', 'extends', 'sweep', 'find'];
/** More combinations than this are a slip of the pen. */
export const MAX_COMBINATIONS = 100_000;

/** Reads `axes:` and `zip:`; problems go to `findings`. `experiment` has passed the schema. */
export function readSpace(experiment: LocatedMap, findings: Findings): Space {
  const labels = child(experiment, 'labels');
  const axes: Axis[] = [];
  const groups: AxisGroup[] = [];
  const add = (map: LocatedMap): number[] =>
    [...map.entries].map(([path, { key, value }]) => {
      const column = textOf(labels, path) ?? columnOf(path);
      checkPath(path, key, axes, findings);
      return (
        axes.push({ path, column, place: key, values: valuesOf(path, key, value, findings) }) - 1
      );
    });
  const product = child(experiment, 'axes');
  if (product?.form === 'map') {
    for (const number of add(product)) {
      groups.push({ axes: [number], length: axes[number]!.values.length });
    }
  }
  const zip = child(experiment, 'zip');
  for (const map of zip?.form === 'list' ? zip.items : []) {
    if (map.form !== 'map') continue;
    const members = add(map);
    const lengths = new Set(members.map((number) => axes[number]!.values.length));
    if (lengths.size > 1) {
      const counts = members
        .map((n) => `${axes[n]!.path} has ${axes[n]!.values.length}`)
        .join(', ');
      findings.add(map.place, `axes that advance together need as many values each: ${counts}`);
    }
    if (members.length > 0) groups.push({ axes: members, length: Math.min(...lengths) });
  }
  if (labels?.form === 'map') {
    const paths = axes.map(({ path }) => path);
    for (const [path, { key }] of labels.entries) {
      if (paths.includes(path)) continue;
      const hint = didYouMean(path, paths) ?? `axes: ${listed(paths)}`;
      findings.add(key, `there is no axis "${path}" to label`, hint);
    }
  }
  checkColumns(axes, labels, findings);
  const size = groups.reduce((product_, { length }) => product_ * length, 1);
  if (size > MAX_COMBINATIONS) {
    findings.add(experiment.place, `${size} combinations are more than ${MAX_COMBINATIONS}`);
  }
  return { axes, groups, size };
}

function checkPath(path: string, place: Place, others: readonly Axis[], findings: Findings): void {
  const first = path.split('.')[0]!;
  if (FORBIDDEN.includes(first) || first.startsWith('x-')) {
    findings.add(place, `"${first}" cannot be swept`);
  }
  for (const other of others) {
    if (other.path === path) findings.add(place, `"${path}" is an axis already`);
    else if (`${path}.`.startsWith(`${other.path}.`) || `${other.path}.`.startsWith(`${path}.`)) {
      findings.add(place, `"${path}" and "${other.path}" set the same value`);
    }
  }
}

/** Words that R does not take for the name of a column. */
const RESERVED =
  /^(?:if|else|repeat|while|function|for|next|break|in|TRUE|FALSE|NULL|Inf|NaN|NA|NA_.*)$/;

/**
 * Name of the column of an axis without a label: its path, where that is a name no program changes.
 */
function columnOf(path: string): string {
  const name = path.replaceAll(/[^\p{L}\p{N}_.]/gu, '_');
  const plain = /^\p{L}/u.test(name) && !RESERVED.test(name) && !isBuiltIn(name);
  return plain ? name : `swept_${name}`;
}

/** Tables are read by programs to which `Work` and `work` are the same name. */
const isBuiltIn = (name: string) => builtIns.has(name.toLowerCase());
const builtIns: ReadonlySet<string> = new Set(builtInColumns.map((name) => name.toLowerCase()));

/** No table may have two columns of one name. `labels`: as written, for places. */
function checkColumns(
  axes: readonly Axis[],
  labels: Located | undefined,
  findings: Findings,
): void {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  /** A label that is the path of this axis is a fault of the label. */
  const twice = (other: Axis, path: string, column: string) =>
    other.path !== path &&
    same(other.column, column) &&
    !(child(labels, other.path) && same(other.column, path));
  for (const [i, { path, column, place: key }] of axes.entries()) {
    const label = child(labels, path);
    const place = label?.place ?? key;
    const hint = `choose another label for ${path}`;
    const others = axes.filter((other) => other.path !== path);
    if (isBuiltIn(column)) {
      findings.add(place, `"${column}" is a column of the tables already`, hint);
    } else if (RESERVED.test(column)) {
      findings.add(place, `"${column}" is a word of R, which would change it`, hint);
    } else if (label && others.some((other) => same(other.path, column))) {
      findings.add(place, `"${column}" is the path of another axis`, hint);
    } else if (axes.slice(0, i).some((other) => twice(other, path, column))) {
      findings.add(place, `two axes are labelled "${column}"`, hint);
    }
  }
}

function valuesOf(path: string, place: Place, values: Located, findings: Findings): AxisValue[] {
  const entries: readonly (readonly [string | undefined, Located, Place])[] =
    values.form === 'map'
      ? [...values.entries].map(([label, { key, value }]) => [label, value, key] as const)
      : values.form === 'list'
        ? values.items.map((value) => [undefined, value, value.place] as const)
        : [];
  if (entries.length === 0) findings.add(values.place, `the axis "${path}" has no values`);
  const seen = new Set<string>();
  return entries.map(([name, value, at]) => {
    const label = name ?? labelOf(value);
    checkLabel(label, at, findings);
    if (seen.has(label)) findings.add(value.place, `"${label}" appears twice in "${path}"`);
    seen.add(label);
    const scalar = name === undefined && value.form === 'scalar' ? (value.value ?? '') : label;
    return { label, scalar, placed: { path, place, value } };
  });
}

/**
 * Labels of values are shown by tables, terminals and spreadsheets, which must not take them for
 * orders.
 */
function checkLabel(label: string, place: Place, findings: Findings): void {
  const unseen = unseenIn(label);
  const text = label.trimStart();
  if (unseen !== undefined) {
    findings.add(place, `the label of a value holds control characters: ${unseen}`);
  } else if (isFormula(text)) {
    const message = `"${label}" would be a formula to a spreadsheet: it begins with ${text[0]}`;
    findings.add(place, message, 'give the value a label: { label: value }');
  }
}

/** A scalar as it is; anything else as YAML in one line. */
export function labelOf(value: Located): string {
  if (value.form === 'scalar') return String(value.value);
  return yamlLine(value);
}

export function yamlLine(value: Located): string {
  return stringify(toValue(value), { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

/** A value as `--set` takes it. */
export function valueText(value: Located): string {
  if (value.form === 'scalar' && typeof value.value !== 'string') return String(value.value);
  return yamlLine(value);
}

/** Positions on the groups at combination number `index`: the last group advances fastest. */
export function positions({ groups }: Space, index: number): number[] {
  const at = new Array<number>(groups.length);
  let rest = index;
  for (let g = groups.length - 1; g >= 0; g--) {
    const { length } = groups[g]!;
    at[g] = rest % length;
    rest = Math.floor(rest / length);
  }
  return at;
}

/** The inverse of `positions`. */
export function combination({ groups }: Space, at: readonly number[]): number {
  return groups.reduce((index, { length }, g) => index * length + at[g]!, 0);
}

/** The values of all axes, in their order, at combination number `index`. */
export function valuesAt(space: Space, index: number): AxisValue[] {
  const values = new Array<AxisValue>(space.axes.length);
  const at = positions(space, index);
  for (const [g, { axes }] of space.groups.entries()) {
    for (const axis of axes) values[axis] = space.axes[axis]!.values[at[g]!]!;
  }
  return values;
}

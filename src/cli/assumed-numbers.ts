import { stringify } from 'yaml';
import type { Place } from '../base/errors.ts';
import { Findings } from '../scenario/findings.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import type { PlacedValue } from '../scenario/overrides.ts';
import { readYaml } from '../scenario/parse.ts';
import type { End, Varied } from '../sweep/sensitivity.ts';
import { originsOf, type ValueOrigin } from './origins.ts';

/**
 * The numbers of a complete scenario that its presets call assumed, each with both ends of its
 * range. One number of a preset that several VM groups use is one number.
 */
export function assumedNumbers(loaded: LoadedScenario, place: Place): Varied[] {
  const groups = new Map<string, ValueOrigin[]>();
  for (const row of originsOf(loaded)) {
    if (presetOf(row) === undefined) continue;
    const rows = groups.get(row.origin) ?? [];
    // The range of a line with several values is that of its first number:
    // { kind: zipf, exponent: 2 }.
    const other = rows.length > 0 && keyOf(rows[0]!) !== keyOf(row);
    if (!other) groups.set(row.origin, [...rows, row]);
    else if (!ONE.test(String(rows[0]!.value)) && ONE.test(String(row.value))) {
      groups.set(row.origin, [row]);
    }
  }
  return [...groups.values()].map((rows): Varied => {
    const { path, value, assumed } = rows[0]!;
    const range = assumed === true ? '' : assumed!;
    const ends = endsOf(value, range).map((end): End => {
      const settings = rows.map((row) => settingOf(loaded, row.path, end, place));
      return { value: String(end), settings };
    });
    return { path, preset: presetOf(rows[0]!)!, value: String(value), range, ends };
  });
}

const keyOf = ({ path }: ValueOrigin) => path.split('.').at(-1);

/** `processor opteron-1354`, of an assumed value that a preset says; undefined for all others. */
function presetOf({ assumed, origin }: ValueOrigin): string | undefined {
  if (assumed === undefined) return undefined;
  return /^((?:processor|hypervisor|kernel|workload) \S+):\d+$/.exec(origin)?.[1];
}

const AMOUNT = String.raw`(-?\d+(?:\.\d+)?(?:e\d+)?)\s*([A-Za-zµ%]*)`;
const FROM_TO = new RegExp(`^${AMOUNT}\\s*(?:-|\\.\\.)\\s*${AMOUNT}$`);
const ONE = new RegExp(`^${AMOUNT}$`);
/** A range of sizes for a value that is written as a number of bytes. */
const SIZES: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const UNIT = /^([nuµm]?s|[KMGT]?i?B|[kMG]?Hz|%)$/;

/**
 * The values to try besides the one that is there: both ends of `a-b` or `a..b`, the others of
 * `a, b, c`; half and one and a half of a number without a range. Empty when a range is not
 * understood.
 */
export function endsOf(value: unknown, range: string): (string | number | boolean)[] {
  const own = ONE.exec(String(value));
  const unit = own?.[2] ?? '';
  if (range === '') {
    if (!own || Number(own[1]) === 0) return [];
    return [0.5, 1.5].map((factor) => inUnit(Number(own[1]) * factor, unit));
  }
  const ends = FROM_TO.exec(range);
  if (ends) {
    const [low, lowUnit, high, highUnit] = ends.slice(1) as [string, string, string, string];
    // What follows a plain number may be a word: 1-8 workers.
    const units = [lowUnit || highUnit, highUnit || lowUnit].map((word) =>
      UNIT.test(word) ? word : unit,
    );
    return [low, high]
      .map((end, i) => {
        const bytes = unit === '' ? SIZES[units[i]!] : undefined;
        return bytes ? Number(end) * bytes : inUnit(Number(end), units[i]!);
      })
      .filter((end) => String(end) !== String(value));
  }
  const words = range.split(/,\s*/);
  if (words.length < 2 || words.some((word) => !/^[\w.+-]+$/.test(word))) return [];
  return words
    .filter((word) => word !== String(value))
    .map((word) => {
      if (word === 'true' || word === 'false') return word === 'true';
      const amount = ONE.exec(word);
      return amount ? inUnit(Number(amount[1]), amount[2]!) : word;
    });
}

const inUnit = (amount: number, unit: string): string | number =>
  unit === '' ? amount : `${amount}${unit}`;

/** A value for a path. A list can only be replaced as a whole. */
function settingOf(
  { scenario }: LoadedScenario,
  path: string,
  value: unknown,
  place: Place,
): PlacedValue {
  const steps = path.split('.');
  const [input, at] = nearestList(scenario.input, steps);
  const whole = at === undefined ? value : replaced(input, steps.slice(at), value);
  const text = stringify(whole, { collectionStyle: 'flow', lineWidth: 0 });
  const located = readYaml(text, '--sensitivity', new Findings());
  return { path: steps.slice(0, at).join('.'), place, value: located! };
}

/** The list below the VMs that a path goes through, and how many steps lead to it. */
function nearestList(input: unknown, steps: readonly string[]): [unknown, number | undefined] {
  let node = input;
  for (const [i, step] of steps.entries()) {
    if (Array.isArray(node) && i > 1) return [node, i];
    node = inner(node, step);
  }
  return [undefined, undefined];
}

const inner = (node: unknown, step: string): unknown =>
  Array.isArray(node)
    ? (node[Number(step)] ?? node.find((item) => (item as { name?: string })?.name === step))
    : (node as Readonly<Record<string, unknown>> | undefined)?.[step];

/** A copy with another value at the path below it. */
function replaced(node: unknown, steps: readonly string[], value: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (Array.isArray(node)) {
    const item = inner(node, step);
    return node.map((one) => (one === item ? replaced(one, rest, value) : one));
  }
  const map = node as Readonly<Record<string, unknown>>;
  return { ...map, [step]: replaced(map[step], rest, value) };
}

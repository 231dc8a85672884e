import { stringify } from 'yaml';
import type { LoadedScenario } from '../scenario/load.ts';
import type { Path } from '../scenario/located.ts';
import { type PresetFolder, presets } from '../scenario/presets.ts';
import { assumedKeys } from './preset-numbers.ts';

/**
 * Where each value of a complete scenario comes from: a line of a file, a preset, an option, or the
 * default; and which prices of presets are assumed.
 */
export interface ValueOrigin {
  /** As `--set` takes it: VMs by their name. */
  readonly path: string;
  /** A list of plain values is one value. */
  readonly value: unknown;
  /** `my.yaml:12`, `processor opteron-1354:30`, `--set vms.web.count=8`, `default`. */
  readonly origin: string;
  /** The range in which the true value is thought to lie; `true` where none is known. */
  readonly assumed?: string | true;
}

export function originsOf(loaded: LoadedScenario): ValueOrigin[] {
  const reader = new OriginReader(loaded);
  const rows: ValueOrigin[] = [];
  const visit = (value: unknown, path: Path, shown: readonly string[]): void => {
    if (isLeaf(value)) {
      rows.push({ path: shown.join('.'), value, ...reader.at(path) });
      return;
    }
    for (const [step, inner, name] of stepsOf(value as object)) {
      visit(inner, [...path, step], [...shown, name]);
    }
  };
  visit(loaded.scenario.input, [], []);
  return rows;
}

/** The complete scenario in YAML, each value with its origin as a comment: it can be run again. */
export function originsYaml(loaded: LoadedScenario): string {
  const reader = new OriginReader(loaded);
  const lines: { readonly text: string; readonly comment: string }[] = [];
  const write = (key: string, value: unknown, path: Path, indent: string): void => {
    if (isLeaf(value)) {
      const { origin, assumed } = reader.at(path);
      const comment = assumed === undefined ? origin : `${origin}, ${inWords(assumed)}`;
      lines.push({ text: `${indent}${key} ${plainYaml(value)}`, comment });
      return;
    }
    const inner = ' '.repeat(indent.length + (key === '-' ? 0 : 2));
    if (key !== '-') lines.push({ text: `${indent}${key}`, comment: '' });
    // The first key of an item stands behind its dash.
    for (const [i, [step, item]] of stepsOf(value as object).entries()) {
      const before = key === '-' && i === 0 ? `${indent}- ` : key === '-' ? `${indent}  ` : inner;
      const name = typeof step === 'number' ? '-' : `${plainYaml(step)}:`;
      write(name, item, [...path, step], before);
    }
  };
  for (const [step, value] of stepsOf(loaded.scenario.input)) {
    write(`${step}:`, value, [step], '');
  }
  const width = Math.min(MAX_COLUMN, Math.max(...lines.map(({ text }) => text.length)));
  return lines
    .map(({ text, comment }) =>
      comment === '' ? `${text}\n` : `${text.padEnd(width)} # ${comment}\n`,
    )
    .join('');
}

/** Comments begin here at the latest, so that most lines fit in 100 columns. */
const MAX_COLUMN = 44;

const isScalar = (value: unknown) => typeof value !== 'object' || value === null;

/** A value that has one origin: a scalar, a list of them, or something empty. */
const isLeaf = (value: unknown): boolean =>
  isScalar(value) ||
  (Array.isArray(value) ? value.every(isScalar) : Object.keys(value!).length === 0);

/** What is inside, with its step and with its name in paths. */
function stepsOf(value: object): (readonly [string | number, unknown, string])[] {
  if (!Array.isArray(value)) return Object.entries(value).map(([key, inner]) => [key, inner, key]);
  return value.map((item: unknown, i) => {
    const { name } = (item ?? {}) as { readonly name?: unknown };
    return [i, item, typeof name === 'string' ? name : String(i)];
  });
}

/** In one line. */
function plainYaml(value: unknown): string {
  if (typeof value === 'string' && value.includes('\n')) return JSON.stringify(value);
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

const inWords = (assumed: string | true): string => {
  if (assumed === true) return 'assumed';
  return assumed.includes('..') ? `assumed, range ${assumed}` : `assumed (${assumed})`;
};

/** What presets are called in a scenario, by folder, and how deep in it their keys begin. */
const presetKinds: Readonly<Record<PresetFolder, readonly [noun: string, depth: number]>> = {
  processors: ['processor', 2],
  hypervisors: ['hypervisor', 1],
  kernels: ['kernel', 3],
  workloads: ['workload', 3],
};

class OriginReader {
  readonly #loaded: LoadedScenario;
  readonly #assumed = new Map<string, ReadonlyMap<string, string>>();

  constructor(loaded: LoadedScenario) {
    this.#loaded = loaded;
  }

  at(path: Path): Pick<ValueOrigin, 'origin' | 'assumed'> {
    const found = this.#loaded.originOf(path);
    if (!found) return { origin: 'default' };
    const { place, line, preset } = found;
    if (!preset) {
      const isOption = place.file.startsWith('--');
      return { origin: isOption ? `${place.file} ${line}` : `${place.file}:${place.line}` };
    }
    const [, folder, name] = /^configs\/(\w+)\/(.*)\.yaml$/.exec(place.file) as unknown as [
      string,
      PresetFolder,
      string,
    ];
    const [noun, depth] = presetKinds[folder];
    const assumed = this.#assumedIn(folder, name);
    // A comment counts for all that stands on its line: { size: 2MiB, ways: 32 }.
    const keys = path.map((_, i) => path.slice(depth, path.length - i).join('.'));
    const key = keys.find((one) => assumed.has(one));
    return {
      origin: `${noun} ${name}:${place.line}`,
      ...(key === undefined ? {} : { assumed: rangeOf(assumed.get(key)!) || true }),
    };
  }

  #assumedIn(folder: PresetFolder, name: string): ReadonlyMap<string, string> {
    const known = this.#assumed.get(`${folder}/${name}`);
    if (known) return known;
    const assumed = assumedKeys(presets[folder][name]!);
    this.#assumed.set(`${folder}/${name}`, assumed);
    return assumed;
  }
}

/** `500-1200` -> `500..1200` */
const rangeOf = (text: string): string =>
  text.replace(/^([\d.]+(?:e\d+)?(?: ?[A-Za-z]+)?)-(?=[\d.])/, '$1..');

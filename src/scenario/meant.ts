import type { z } from 'zod';
import { idleKeys } from './effects.ts';
import {
  child,
  follow,
  type Located,
  type LocatedMap,
  type Path,
  toValue,
  withEntry,
  without,
} from './located.ts';
import { ABOUT, expandPresets, type PresetFolder, type PresetReader } from './presets.ts';
import type { ParsedScenario } from './schema.ts';

/**
 * Whether the author of a scenario meant a value, which decides what is said of a key without
 * effect. Not meant is what a preset says, what would be so anyway (the complete scenario of a run
 * writes every default out), and what a file says when `--set`, an axis of a sweep or a question
 * takes the effect away for a while.
 */
export interface Authors {
  readonly root: LocatedMap;
  readonly schema: z.ZodType<ParsedScenario>;
  readonly scenario: ParsedScenario;
  readonly reader: PresetReader;
  readonly isPreset: (file: string) => boolean;
  /** What the files say, when `root` has other values too. */
  readonly files: LocatedMap | undefined;
}

export function isMeant(authors: Authors, path: Path): boolean {
  const { root, files } = authors;
  if (!isChosen(authors, path)) return false;
  const { node } = follow(root, path);
  if (!files) return !isVaried(root, path);
  const written = follow(files, path);
  return written.depth < path.length || written.node !== node || idleInFiles(authors, path);
}

/** The value differs from what it would be if nobody had written it. */
export function isChosen(authors: Authors, path: Path): boolean {
  const { node, depth } = follow(authors.root, path);
  return depth === path.length && !authors.isPreset(node.place.file) && !isUsual(authors, path);
}

/**
 * The value is the one that the key has when it is left out, or that the workload preset gives it.
 */
function isUsual({ root, schema, scenario, reader }: Authors, path: Path): boolean {
  const text = JSON.stringify(valueAt(scenario, path));
  const bare = schema.safeParse(toValue(withoutPath(root, path)));
  if (bare.success && JSON.stringify(valueAt(bare.data, path)) === text) return true;
  const [part, own] = presetOf(scenario, path, reader) ?? [];
  const usual = part && schema.safeParse(toValue(withValue(root, part, own!)));
  return usual?.success === true && JSON.stringify(valueAt(usual.data, path)) === text;
}

/** The part of the scenario that holds `path` and has a preset, and what that says of it. */
function presetOf(
  { hypervisor, vms }: ParsedScenario,
  path: Path,
  reader: PresetReader,
): readonly [part: Path, own: LocatedMap] | undefined {
  const vm = path[0] === 'vms' ? vms[Number(path[1])] : undefined;
  const part = vm ? path.slice(0, 3) : path.slice(0, 2);
  const read = (folder: PresetFolder, name: string | undefined) =>
    reader.has(folder, name) ? reader.read(folder, name) : undefined;
  const own =
    part.join('.') === 'hypervisor.footprint'
      ? child(read('hypervisors', hypervisor.profile), 'footprint')
      : { os: read('kernels', vm?.kernel), workload: read('workloads', vm?.preset) }[
          String(part[2])
        ];
  return own?.form === 'map' ? [part, vm ? without(own, ...ABOUT) : own] : undefined;
}

/**
 * Without a value that has no effect. Where every value comes from a preset, that of the preset
 * stands there again.
 */
export function withoutChoice(root: Located, path: Path, { scenario, reader }: Authors): Located {
  const [part, own] = presetOf(scenario, path, reader) ?? [];
  const usual = part && follow(own!, path.slice(part.length));
  const isWhole = part && part.at(-1) !== 'workload' && usual!.depth === path.length - part.length;
  return isWhole ? withValue(root, path, usual!.node) : withoutPath(root, path);
}

/**
 * What the files say at `path`, an idle key, has an effect there; `--set` takes it away, and no
 * experiment that would vary what it depends on is under way.
 */
export function isDeprived(authors: Authors, path: Path): boolean {
  const { root, files } = authors;
  return files !== undefined && !isVaried(root, path) && !isMeant(authors, path);
}

/**
 * The files alone leave the key without effect, and no experiment in them varies what that depends
 * on.
 */
function idleInFiles({ files, schema, reader }: Authors, path: Path): boolean {
  if (!files || isVaried(files, path)) return false;
  const parsed = schema.safeParse(toValue(expandPresets(files, reader)));
  const same = JSON.stringify(path);
  return parsed.success && idleKeys(parsed.data).some((idle) => JSON.stringify(idle.path) === same);
}

/** An axis of the scenario's own experiments changes something that may give the key its effect. */
function isVaried(root: LocatedMap, path: Path): boolean {
  const name = child(follow(root, path.slice(0, 2)).node, 'name');
  const vms = [path[1], name?.form === 'scalar' ? name.value : ''].map(
    (vm) => `vms.${vm}.workload`,
  );
  const related = [
    'duration',
    'host.caches',
    'hypervisor.scheduler',
    'hypervisor.footprint',
    ...(path[0] === 'vms' ? vms : []),
  ];
  return axesOf(root).some((axis) => related.some((key) => `${axis}.`.startsWith(`${key}.`)));
}

function axesOf(root: LocatedMap): string[] {
  const [sweep, find] = [child(root, 'sweep'), child(root, 'find')];
  const zip = child(sweep, 'zip');
  const maps = [
    child(sweep, 'axes'),
    child(find, 'across'),
    ...(zip?.form === 'list' ? zip.items : []),
  ];
  const names = maps.flatMap((map) => (map?.form === 'map' ? [...map.entries.keys()] : []));
  const asked = child(find, 'axis');
  return asked?.form === 'scalar' ? [...names, String(asked.value)] : names;
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((at, step) => (at as Record<string, unknown> | undefined)?.[step], value);
}

/** The same tree without the value at `path`. */
export function withoutPath(node: Located, path: Path): Located {
  const [step, ...rest] = path;
  if (node.form === 'list') {
    const items = node.items.map((item, i) => (i === step ? withoutPath(item, rest) : item));
    return { ...node, items };
  }
  if (node.form !== 'map') return node;
  const entries = new Map(node.entries);
  const entry = entries.get(String(step));
  if (entry && rest.length > 0) {
    entries.set(String(step), { ...entry, value: withoutPath(entry.value, rest) });
  } else entries.delete(String(step));
  return { ...node, entries };
}

/** The same tree with another value at `path`, which is there. */
function withValue(node: Located, path: Path, value: Located): Located {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (node.form === 'list') {
    const items = node.items.map((item, i) => (i === step ? withValue(item, rest, value) : item));
    return { ...node, items };
  }
  const inner = child(node, String(step));
  if (node.form !== 'map' || !inner) return node;
  return withEntry(node, String(step), withValue(inner, rest, value));
}

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
import { ABOUT, expandPresets, type PresetReader } from './presets.ts';
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
  const preset = path[0] === 'vms' ? scenario.vms[Number(path[1])]?.preset : undefined;
  if (!reader.has('workloads', preset)) return false;
  const workload = without(reader.read('workloads', preset)!, ...ABOUT);
  const usual = schema.safeParse(toValue(withWorkload(root, Number(path[1]), workload)));
  return usual.success && JSON.stringify(valueAt(usual.data, path)) === text;
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

function withWorkload(root: LocatedMap, vm: number, workload: LocatedMap): LocatedMap {
  const list = child(root, 'vms');
  if (list?.form !== 'list') return root;
  const items = list.items.map((item, i) =>
    i === vm && item.form === 'map' ? withEntry(item, 'workload', workload) : item,
  );
  return withEntry(root, 'vms', { ...list, items });
}

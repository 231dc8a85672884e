import type { z } from 'zod';
import { type LocatedMap, type Path, toValue, without } from './located.ts';
import { ABOUT, DEFAULT_KERNEL, type PresetFolder, type PresetReader } from './presets.ts';
import type { ParsedScenario } from './schema.ts';

type Issue = z.core.$ZodIssue;
type Schema = z.ZodType<ParsedScenario>;
type Values = Record<string, unknown>;

/** Rounds of repair: what stands in for a value may have a fault of its own. */
const ROUNDS = 4;

/**
 * The scenario with other values in place of its faulty ones, so that the rules on the rest can
 * still be checked. Undefined when nothing helps.
 */
export function repaired(
  schema: Schema,
  root: LocatedMap,
  found: readonly Issue[],
  reader: PresetReader,
): ParsedScenario | undefined {
  const copy = toValue(root) as Values;
  let issues = found;
  for (let round = 0; round < ROUNDS; round++) {
    for (const issue of issues) {
      const path = issue.path as Path;
      if (issue.code !== 'unrecognized_keys') replace(copy, path, reader);
      else for (const key of issue.keys) remove(copy, [...path, key]);
    }
    const parsed = schema.safeParse(copy);
    if (parsed.success) return parsed.data;
    ({ issues } = parsed.error);
  }
  return undefined;
}

/** What a scenario can do without, which goes whole: nothing stands in for a part of it. */
const WHOLE: readonly (string | number)[] = ['sweep', 'find', 'links', 'events'];

/** By another value where one is needed; else the value goes. */
function replace(root: Values, path: Path, reader: PresetReader): void {
  const [first, second, third] = path;
  if (first === 'hosts') replaceHosts(root, path, reader);
  else if (first === 'host' || first === 'hypervisor') {
    replaceIn(root, first, first, path.slice(1), reader);
  } else if (WHOLE.includes(first!)) Reflect.deleteProperty(root, first!);
  else if (first === 'name') root['name'] = 'scenario';
  else if (first !== 'vms') remove(root, path);
  else if (second === undefined) root['vms'] = [standIn(0, reader)];
  else if (third === undefined)
    (root['vms'] as unknown[])[Number(second)] = standIn(second, reader);
  else if (third === 'faultTolerance' || third === 'mmu') remove(root, path.slice(0, 3));
  else if (third === 'kernel' || third === 'os') {
    Object.assign((root['vms'] as Values[])[Number(second)]!, someKernel(reader));
  } else if (third !== 'workload' && third !== 'name') remove(root, path);
  else (root['vms'] as Values[])[Number(second)]![third] = standIn(second, reader)[third];
}

function replaceHosts(root: Values, [, name, ...inside]: Path, reader: PresetReader): void {
  const { hosts } = root;
  if (name !== undefined && isMap(hosts)) replaceIn(hosts, String(name), 'host', inside, reader);
  else {
    const preset = reader.nameOrStandIn('processors', undefined);
    root['hosts'] = { host: structuredClone(whole('host', preset, reader)) };
  }
}

/** Another kernel, whole: its keys belong together. */
function someKernel(reader: PresetReader): Values {
  const kernel = reader.nameOrStandIn('kernels', DEFAULT_KERNEL);
  return { kernel, os: toValue(without(reader.read('kernels', kernel)!, ...ABOUT)) };
}

const standIn = (index: number | string, reader: PresetReader): Values => ({
  name: `vm-${index}`,
  workload: { kind: 'idle' },
  ...someKernel(reader),
});

type Part = 'host' | 'hypervisor';
/** Where the keys of host and hypervisor come from when those of the scenario will not do. */
const sources: Readonly<Record<Part, readonly [PresetFolder, nameKey: string]>> = {
  host: ['processors', 'processor'],
  hypervisor: ['hypervisors', 'profile'],
};

/**
 * Takes the value from a preset: as much of it as the path and both trees have in common. `key`:
 * where the part stands in `root`.
 */
function replaceIn(root: Values, key: string, part: Part, path: Path, reader: PresetReader): void {
  const [folder, nameKey] = sources[part];
  const own = root[key];
  const given = isMap(own) ? own[nameKey] : undefined;
  const name = reader.nameOrStandIn(folder, typeof given === 'string' ? given : undefined);
  const values = isMap(own) ? own : structuredClone(whole(part, name, reader));
  root[key] = values;
  if (path[0] === nameKey) values[nameKey] = name;
  if (path.length === 0 || path[0] === nameKey) return;
  let from: unknown = whole(part, name, reader);
  let to = values;
  for (const [depth, step] of path.entries()) {
    if (!isMap(from) || !Object.hasOwn(from, step)) {
      remove(root, [key, ...path]);
      return;
    }
    from = from[step];
    const next = to[step];
    if (depth === path.length - 1 || !isMap(from) || !isMap(next)) {
      to[step] = structuredClone(from);
      return;
    }
    to = next;
  }
}

const wholes = new WeakMap<PresetReader, Map<string, Values>>();

/** The part as the preset makes it. */
function whole(part: Part, name: string, reader: PresetReader): Values {
  const known = wholes.get(reader) ?? new Map<string, Values>();
  wholes.set(reader, known);
  const found = known.get(`${part} ${name}`);
  if (found) return found;
  const [folder, nameKey] = sources[part];
  const preset = reader.read(folder, name)!;
  const values =
    part === 'host'
      ? { cpu: toValue(without(preset, 'description')) }
      : (toValue(without(preset, ...ABOUT)) as Values);
  const made = { ...values, [nameKey]: name };
  known.set(`${part} ${name}`, made);
  return made;
}

const isMap = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Removes the innermost map key on the path. */
function remove(root: Values, path: Path): void {
  let last = path.length - 1;
  while (last > 0 && typeof path[last] === 'number') last--;
  let node: unknown = root;
  for (const step of path.slice(0, last)) node = (node as Values | undefined)?.[step];
  if (typeof node === 'object' && node !== null) Reflect.deleteProperty(node, path[last]!);
}

import type { Place } from '../base/errors.ts';

/**
 * A configuration value together with where it was written. Files, presets and `--set` are merged
 * in this form, so that a fault in the result still leads back to the line that caused it.
 */
export type Located = LocatedScalar | LocatedList | LocatedMap;

export interface LocatedScalar {
  readonly form: 'scalar';
  readonly place: Place;
  readonly value: string | number | boolean | null;
}
export interface LocatedList {
  readonly form: 'list';
  readonly place: Place;
  readonly items: readonly Located[];
}
export interface LocatedMap {
  readonly form: 'map';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, LocatedEntry>;
  /** Keys that stood here without a `kind` when one was set: they are for the preset's kind. */
  readonly ofPresetKind?: readonly string[] | undefined;
}
export interface LocatedEntry {
  /** Where the key stands. */
  readonly key: Place;
  readonly value: Located;
}

export type Path = readonly (string | number)[];

/** The plain value, the way a YAML library gives it. */
export function toValue(node: Located): unknown {
  if (node.form === 'scalar') return node.value;
  if (node.form === 'list') return node.items.map(toValue);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, toValue(value)]));
}

/** The value of `key`, when `node` is a map that has it. */
export function child(node: Located | undefined, key: string): Located | undefined {
  return node?.form === 'map' ? node.entries.get(key)?.value : undefined;
}

/** The text of `key`, when it is a string. */
export function textOf(node: Located | undefined, key: string): string | undefined {
  const value = child(node, key);
  return value?.form === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/** Follows a path as far as it exists. */
export function follow(
  root: Located,
  path: Path,
): { readonly node: Located; readonly key: Place; readonly depth: number } {
  let node = root;
  let key = root.place;
  for (const [depth, step] of path.entries()) {
    if (node.form === 'map') {
      const entry = node.entries.get(String(step));
      if (!entry) return { node, key, depth };
      node = entry.value;
      key = entry.key;
    } else if (node.form === 'list' && node.items[Number(step)]) {
      node = node.items[Number(step)]!;
      key = node.place;
    } else {
      return { node, key, depth };
    }
  }
  return { node, key, depth: path.length };
}

/** The same map with one key set to `value`, or without it when `value` is undefined. */
export function withEntry(
  map: LocatedMap,
  key: string,
  value: Located | undefined,
  at?: Place,
): LocatedMap {
  const entries = new Map(map.entries);
  if (value === undefined) entries.delete(key);
  else entries.set(key, { key: at ?? entries.get(key)?.key ?? value.place, value });
  return { ...map, entries };
}

/** The same map without some keys. */
export function without(map: LocatedMap, ...keys: readonly string[]): LocatedMap {
  return {
    ...map,
    entries: new Map([...map.entries].filter(([key]) => !keys.includes(key))),
  };
}

/**
 * Lays `over` on `base`. Maps are merged key by key; anything else replaces. A choice (a map with a
 * `kind`) of another kind replaces the base whole, since the parameters of one policy mean nothing
 * to another.
 */
export function merge(base: Located | undefined, over: Located): Located {
  if (base?.form !== 'map' || over.form !== 'map') return over;
  const kind = textOf(over, 'kind');
  if (kind !== undefined && textOf(base, 'kind') !== undefined && kind !== textOf(base, 'kind')) {
    return without(over, ...(over.ofPresetKind ?? []));
  }
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    entries.set(key, { key: entry.key, value: merge(entries.get(key)?.value, entry.value) });
  }
  return { ...over, entries };
}

/** Merges two whole scenarios: like `merge`, but the list of VMs is merged by name. */
export function mergeScenarios(base: Located | undefined, over: Located): Located {
  const merged = merge(base, over);
  const [first, second] = [child(base, 'vms'), child(over, 'vms')];
  if (merged.form !== 'map' || first?.form !== 'list' || second?.form !== 'list') return merged;
  const items = [...first.items];
  for (const item of second.items) {
    const name = textOf(item, 'name');
    const at = name === undefined ? -1 : items.findIndex((vm) => textOf(vm, 'name') === name);
    if (at >= 0 && at < first.items.length) items[at] = merge(items[at], item);
    else items.push(item);
  }
  return withEntry(merged, 'vms', { ...second, items });
}

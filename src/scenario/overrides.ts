import type { Place } from '../base/errors.ts';
import { didYouMean, type Findings, listed } from './findings.ts';
import { type Located, type LocatedMap, textOf, withEntry } from './located.ts';
import { readYaml } from './parse.ts';

/**
 * `--set path=value`: overrides any key of a scenario by the path it has in YAML. List items are
 * named by position, VMs also by their name: `vms.web.count=8`. The value is YAML; `null` takes the
 * key away. Problems point into the option: `--set:2:5` is the fifth character of the second
 * `--set`.
 */

export function applySets(root: Located, sets: readonly string[], findings: Findings): Located {
  const lines = sets.map((set) => set.replaceAll(/[\r\n]/g, ' '));
  findings.addSource('--set', lines.join('\n'));
  return lines.reduce(
    (tree, text, i) => applySet(tree, { option: '--set', text, line: i + 1 }, findings),
    root,
  );
}

/** Steps of a path: more than any key of a scenario has. */
const MAX_STEPS = 32;

/** The text of an option, `path=value`: each use of the option is a line. */
export interface SetText {
  readonly option: string;
  readonly text: string;
  readonly line: number;
}

export interface Step {
  readonly word: string;
  readonly place: Place;
}

export function applySet(
  root: Located,
  { option, text, line }: SetText,
  findings: Findings,
): Located {
  const place = (column: number): Place => ({ file: option, line, column });
  const equals = text.indexOf('=');
  const path = equals < 0 ? text : text.slice(0, equals);
  if (equals <= 0 || text.slice(equals + 1).trim() === '' || path.split('.').includes('')) {
    findings.add(place(1), `expected path=value, got "${text}"`, 'for example vms.web.count=8');
    return root;
  }
  if (path.split('.').length > MAX_STEPS) {
    findings.add(place(1), `no path has more than ${MAX_STEPS} steps`);
    return root;
  }
  // Padded so that the places the parser reports are those in the option.
  const padded = '\n'.repeat(line - 1) + ' '.repeat(equals + 1) + text.slice(equals + 1);
  const value = readYaml(padded, option, findings);
  if (!value) return root;
  return put(root, stepsOf(path, place(1)), value, findings);
}

/** A value for the key at a path such as `vms.web.count`, which stands at `place`. */
export interface PlacedValue {
  readonly path: string;
  readonly place: Place;
  readonly value: Located;
}

/** Sets a value like `--set` does; problems point to where path and value were written. */
export function applyValue(root: Located, placed: PlacedValue, findings: Findings): Located {
  if (placed.path.split('.').length > MAX_STEPS) {
    findings.add(placed.place, `no path has more than ${MAX_STEPS} steps`);
    return root;
  }
  return put(root, stepsOf(placed.path, placed.place), placed.value, findings);
}

function stepsOf(path: string, { file, line, column }: Place): Step[] {
  let at = column;
  return path.split('.').map((word) => {
    const step = { word: word.trim(), place: { file, line, column: at } };
    at += word.length + 1;
    return step;
  });
}

/** The tree with a value at a path. */
export function put(
  node: Located | undefined,
  steps: readonly Step[],
  value: Located,
  findings: Findings,
): Located {
  const [step, ...rest] = steps;
  if (!step) return value;
  if (node?.form === 'list') {
    const at = node.items.findIndex(
      (item, i) => textOf(item, 'name') === step.word || String(i) === step.word,
    );
    if (at < 0) {
      const names = node.items.map((item, i) => textOf(item, 'name') ?? String(i));
      const hint = didYouMean(step.word, names) ?? `there is ${listed(names) || 'nothing'}`;
      findings.add(step.place, `no item "${step.word}" in the list`, hint);
      return node;
    }
    const items = node.items.with(at, put(node.items[at], rest, value, findings));
    return { ...node, items };
  }
  const map: LocatedMap =
    node?.form === 'map' ? node : { form: 'map', place: step.place, entries: new Map() };
  if (rest.length === 0 && value.form === 'scalar' && value.value === null) {
    return without(map, step, findings);
  }
  const next = put(map.entries.get(step.word)?.value, rest, value, findings);
  const otherKind =
    step.word === 'kind' &&
    next.form === 'scalar' &&
    map.entries.has('kind') &&
    next.value !== textOf(map, 'kind');
  // A kind where there was none: other keys are for the kind that a preset says, if that differs.
  const keys = step.word === 'kind' && !map.entries.has('kind') ? [...map.entries.keys()] : [];
  if (keys.length > 0) {
    return { ...withEntry(map, step.word, next, step.place), ofPresetKind: keys };
  }
  // Another kind of policy: the parameters of the former one go with it.
  return withEntry(otherKind ? { ...map, entries: new Map() } : map, step.word, next, step.place);
}

/** The map without a key, which must be there. */
function without(map: LocatedMap, { place, word }: Step, findings: Findings): LocatedMap {
  if (map.entries.has(word)) return withEntry(map, word, undefined);
  const names = [...map.entries.keys()];
  const hint = didYouMean(word, names) ?? `there is ${listed(names) || 'nothing'}`;
  findings.add(place, `null takes a key away, and there is no "${word}"`, hint);
  return map;
}

import type { Place } from '../base/errors.ts';
import { inFlow } from '../base/flow.ts';
import { readAxisOption } from './axis-option.ts';
import { Findings } from './findings.ts';
import { type Located, type LocatedMap, toValue, withEntry } from './located.ts';
import { applySet, put, type Step } from './overrides.ts';
import { readYaml } from './parse.ts';

/**
 * What the command line sets in a scenario. `--set path=value` overrides any key by the path it has
 * in YAML. List items are named by position, VMs also by their name: `vms.web.count=8`. The value
 * is YAML. Other options set one key each, or an axis. Problems point into the option as it was
 * typed: `--set:2:5` is the fifth character of the second `--set`.
 */
export interface Setting {
  /** `--set` or another option; empty: the program itself, which makes no mistakes. */
  readonly option: string;
  /** As it was typed. */
  readonly text: string;
  /**
   * `assignment`: the text is `path=value`. `text`, `yaml`: the value of `key`. `axis`: the text is
   * `path=values`; all axes together are the value of `key`, or of `within` as its only key.
   */
  readonly form: 'assignment' | 'text' | 'yaml' | 'axis';
  readonly key?: string;
  readonly within?: string;
}

/** A text alone is a `--set`. */
export type AnySetting = string | Setting;

const settingOf = (setting: AnySetting): Setting =>
  typeof setting === 'string' ? { option: '--set', text: setting, form: 'assignment' } : setting;

/** A setting and where its text stands: each use of an option is a line. */
interface Placed extends Setting {
  readonly line: number;
}

export function applySettings(
  root: Located,
  settings: readonly AnySetting[],
  findings: Findings,
): Located {
  const lines = new Map<string, string[]>();
  const all = settings.map(settingOf).map((setting): Placed => {
    const text = setting.text.replaceAll(/[\r\n]/g, ' ');
    const uses = lines.get(setting.option) ?? [];
    lines.set(setting.option, uses);
    return { ...setting, text, line: uses.push(text) };
  });
  for (const [option, uses] of lines) findings.addSource(option, uses.join('\n'));
  return all.reduce((tree, setting) => {
    if (setting.form === 'assignment') return applySet(tree, setting, findings);
    if (setting.form !== 'axis') return applyKey(tree, setting, findings);
    const axes = all.filter(({ form, key }) => form === 'axis' && key === setting.key);
    return axes[0] === setting ? applyAxes(tree, axes, findings) : tree;
  }, root);
}

/** The same as texts for `--set`. */
export function asSets(settings: readonly AnySetting[]): string[] {
  const all = settings.map(settingOf);
  return all.flatMap((setting) => {
    const { form, key, text } = setting;
    if (form === 'assignment') return [text];
    if (form === 'text') return [`${key}=${JSON.stringify(text)}`];
    if (form === 'yaml') return [`${key}=${text}`];
    const axes = all.filter((other) => other.form === 'axis' && other.key === key);
    if (axes[0] !== setting) return [];
    const placed = axes.map((axis, i) => ({ ...axis, line: i + 1 }));
    const value = toValue(axesValue(placed, new Findings()));
    return [`${key}=${inFlow(value)}`];
  });
}

const startOf = ({ option, line }: Placed): Place => ({ file: option, line, column: 1 });

function applyKey(root: Located, setting: Placed, findings: Findings): Located {
  const { key = '', text, form, option, line } = setting;
  const place = startOf(setting);
  const value: Located | undefined =
    form === 'text' || text.trim() === ''
      ? { form: 'scalar', place, value: text }
      : readYaml('\n'.repeat(line - 1) + text, option, findings);
  if (!value) return root;
  return put(root, stepsAt(key, place), value, findings);
}

function applyAxes(root: Located, axes: readonly Placed[], findings: Findings): Located {
  const [first] = axes as [Placed];
  return put(root, stepsAt(first.key!, startOf(first)), axesValue(axes, findings), findings);
}

function axesValue(axes: readonly Placed[], findings: Findings): LocatedMap {
  const [first] = axes as [Placed];
  const place = startOf(first);
  let map: LocatedMap = { form: 'map', place, entries: new Map() };
  for (const { option, line, text } of axes) {
    const axis = readAxisOption(text, { file: option, line, column: 1 }, findings);
    if (!axis) continue;
    if (map.entries.has(axis.path)) findings.add(axis.place, `"${axis.path}" is an axis already`);
    else map = withEntry(map, axis.path, axis.values, axis.place);
  }
  if (first.within === undefined) return map;
  return withEntry({ form: 'map', place, entries: new Map() }, first.within, map, place);
}

/** A path that nobody typed. */
const stepsAt = (path: string, place: Place): Step[] =>
  path.split('.').map((word) => ({ word, place }));

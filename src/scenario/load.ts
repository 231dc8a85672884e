import { ConfigError, type Diagnostic, MemoryError, type Place } from '../base/errors.ts';
import type { Idle } from './effects.ts';
import { type ExplainYaml, Findings } from './findings.ts';
import { SINGLE } from './hosts.ts';
import {
  child,
  follow,
  type Located,
  type LocatedMap,
  mergeScenarios,
  type Path,
  without,
} from './located.ts';
import { applySets, applyValue, type PlacedValue } from './overrides.ts';
import { parseYaml } from './parse.ts';
import { expandPresets, PresetReader, type PresetTexts, presets } from './presets.ts';
import { placeOf, resolveScenario, type Scenario } from './resolve.ts';

/**
 * YAML text -> checked, complete scenario, without touching a disk. In order: the file and what it
 * extends, `--set`, presets, schema, rules. Every problem of all of them is reported at once, in
 * one ConfigError.
 */
export interface LoadOptions {
  /** What to call the text in messages (`scenario`); paths in it are relative to this one. */
  readonly file?: string | undefined;
  /** Text of another file, for `extends`. Throws when it cannot be read. */
  readonly readFile?: ((path: string) => string) | undefined;
  /** `path=value`, applied in order. */
  readonly set?: readonly string[] | undefined;
  /** Sets values in what the files say, instead of `set`: see settings.ts. */
  readonly change?: ((root: Located, findings: Findings) => Located) | undefined;
  /**
   * An option, with an example, that may be given instead of a key, by path: the options of a
   * command are named where some of them are missing.
   */
  readonly instead?: Readonly<Record<string, string>> | undefined;
  /** Puts what the YAML parser says into words: see yaml-faults.ts. */
  readonly explainYaml?: ExplainYaml | undefined;
  /** Instead of those that ship. */
  readonly presets?: PresetTexts | undefined;
}

/** Where a value of the complete scenario comes from. */
export interface Origin {
  readonly place: Place;
  /** The line that stands there; of an option, its text. */
  readonly line: string;
  /** It stands in a preset, `configs/<folder>/<name>.yaml`. */
  readonly preset: boolean;
}

/** A scenario that still knows where its values were written. */
export interface LoadedScenario {
  readonly scenario: Scenario;
  /** Keys of the files that `--set` has deprived of their effect, and why: to be told. */
  readonly deprived: readonly Idle[];
  /** A problem found later (a file that cannot be read), at the place of the value at `path`. */
  diagnose(path: Path, message: string, suggestion?: string): Diagnostic;
  /** Where exactly the value at `path` was written; undefined: it is a default. */
  originOf(path: Path): Origin | undefined;
  /** The file in which the value at `path` was written. */
  fileOf(path: Path): string;
}

/**
 * What a run threw, with its place when the scenario is to blame: a VM or the host ran out of
 * memory.
 */
export function placed(error: unknown, { scenario, diagnose }: LoadedScenario): unknown {
  if (!(error instanceof MemoryError)) return error;
  const { vm, host = '', message } = error;
  const group = scenario.vms.findIndex(({ name }) => vm?.replace(/-\d+$/, '') === name);
  const place = host === SINGLE || host === '' ? ['host'] : ['hosts', host];
  const path = group < 0 ? [...place, 'memory'] : ['vms', group, 'memory'];
  const advice =
    group < 0
      ? `more ${place.join('.')}.memory, or fewer VMs`
      : 'more memory, or a workload that needs less';
  return new ConfigError([diagnose(path, message, advice)]);
}

/** Throws ConfigError. */
export function loadScenario(text: string, options: LoadOptions): Scenario {
  return loadWithPlaces(text, options).scenario;
}

/** Throws ConfigError. */
export function loadWithPlaces(text: string, options: LoadOptions): LoadedScenario {
  return new ScenarioTree(text, options).load();
}

/**
 * A scenario that was read but not checked yet: the points of a sweep are made from one of these.
 */
export class ScenarioTree {
  /** As written, with what it extends and `--set` applied. */
  readonly root: LocatedMap;
  readonly #findings: Findings;
  readonly #texts: PresetTexts;
  readonly #reader: PresetReader;
  readonly #isPreset: (file: string) => boolean;
  readonly #instead: Readonly<Record<string, string>>;
  /** As written, without `--set`. */
  readonly #files: LocatedMap;

  /** Throws ConfigError when the text is not a map in YAML. */
  constructor(text: string, options: LoadOptions) {
    const { file: called = 'scenario' } = options;
    const findings = new Findings(undefined, options.explainYaml);
    this.#findings = findings;
    this.#texts = options.presets ?? presets;
    this.#reader = new PresetReader(this.#texts, findings);
    this.#instead = options.instead ?? {};
    this.#isPreset = (file) =>
      /^configs\/(processors|hypervisors|kernels|workloads)\//.test(file) && file !== called;
    const written = new FileReader(options.readFile, findings).read(called, text);
    const change =
      options.change ?? ((tree: Located) => applySets(tree, options.set ?? [], findings));
    const root = written && change(written, findings);
    if (root?.form !== 'map') {
      if (root) findings.add(root.place, 'a scenario is a map: lines of the form `key: value`');
      findings.throwIfAny();
      throw new Error('unreadable scenario without a finding');
    }
    this.root = withoutAnchors(root);
    this.#files = root === written ? this.root : withoutAnchors(written as LocatedMap);
  }

  /** The complete scenario with some values replaced. Throws ConfigError with every problem. */
  load(values: readonly PlacedValue[] = []): LoadedScenario {
    // Problems of reading are part of every load; those of one set of values are not.
    const findings = values.length === 0 ? this.#findings : new Findings(this.#findings);
    const root = values.reduce<Located>(
      (tree, value) => applyValue(tree, value, findings),
      this.root,
    ) as LocatedMap;
    const expanded = expandPresets(root, this.#reader);
    const resolved = resolveScenario(expanded, this.#texts, findings, {
      reader: this.#reader,
      isPreset: this.#isPreset,
      instead: this.#instead,
      files: root === this.#files ? undefined : this.#files,
    });
    findings.throwIfAny();
    this.#findings.throwIfAny();
    return {
      scenario: resolved!.scenario,
      deprived: resolved!.deprived,
      diagnose: (path, message, suggestion) =>
        findings.diagnostic(placeOf(expanded, path, this.#isPreset), message, suggestion),
      originOf: (path) => {
        const { node, depth } = follow(resolved!.written, path);
        if (depth < path.length) return undefined;
        const { place, excerpt = '' } = findings.diagnostic(node.place, '');
        return { place, line: excerpt, preset: this.#isPreset(place.file) };
      },
      fileOf: (path) => placeOf(expanded, path, this.#isPreset).file,
    };
  }

  /** An empty list of problems that shows lines of the texts read so far. */
  findings(): Findings {
    return new Findings(this.#findings);
  }
}

/** `x-...` keys hold anchors and mean nothing themselves. */
function withoutAnchors(root: LocatedMap): LocatedMap {
  return without(root, ...[...root.entries.keys()].filter((key) => key.startsWith('x-')));
}

/** Reads a file and, depth first, those it extends. */
class FileReader {
  readonly #readFile: ((path: string) => string) | undefined;
  readonly #findings: Findings;
  readonly #done = new Map<string, Located | undefined>();
  readonly #open: string[] = [];

  constructor(readFile: ((path: string) => string) | undefined, findings: Findings) {
    this.#readFile = readFile;
    this.#findings = findings;
  }

  read(file: string, text: string): Located | undefined {
    const located = parseYaml(text, file, this.#findings);
    if (located?.form !== 'map' || !located.entries.has('extends')) return located;
    this.#open.push(file);
    const names = child(located, 'extends')!;
    let base: Located | undefined;
    for (const name of names.form === 'list' ? names.items : [names]) {
      const extended = this.#extended(file, name);
      if (extended) base = base ? mergeScenarios(base, extended) : extended;
    }
    this.#open.pop();
    return mergeScenarios(base, without(located, 'extends'));
  }

  #extended(from: string, name: Located): Located | undefined {
    const complain = (message: string, suggestion?: string) => {
      this.#findings.add(name.place, message, suggestion);
      return undefined;
    };
    if (name.form !== 'scalar' || typeof name.value !== 'string') {
      return complain('`extends` takes the path of a file, or a list of paths');
    }
    const path = joinPath(from, name.value);
    if (this.#open.includes(path)) return complain(`"${name.value}" extends itself`);
    if (this.#open.length > 16) return complain('files extend each other more than 16 deep');
    if (this.#done.has(path)) return this.#done.get(path);
    if (!this.#readFile) return complain('`extends` cannot be used here: no way to read files');
    let text: string;
    try {
      text = this.#readFile(path);
    } catch (error) {
      return complain(`cannot read "${path}": ${(error as Error).message}`);
    }
    const located = this.read(path, text);
    this.#done.set(path, located);
    return located;
  }
}

/** `path` as written in the file `from`. */
export function joinPath(from: string, path: string): string {
  if (path.startsWith('/')) return path;
  const parts: string[] = [];
  for (const part of `${from.slice(0, from.lastIndexOf('/') + 1)}${path}`.split('/')) {
    if (part === '.' || (part === '' && parts.length > 0)) continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..' && parts.at(-1) !== '')
      parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

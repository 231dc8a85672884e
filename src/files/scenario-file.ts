import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { didYouMean } from '../scenario/findings.ts';
import { type LoadedScenario, type LoadOptions, ScenarioTree } from '../scenario/load.ts';
import { MAX_TEXT } from '../scenario/parse.ts';
import { type AnySetting, applySettings } from '../scenario/settings.ts';
import { yamlFault } from '../scenario/yaml-faults.ts';
import { faultIn, reasonOf } from './faults.ts';
import { readRegularText } from './read-file.ts';
import { checkTraces } from './trace-files.ts';

export interface OpenOptions {
  /** What the command line sets, `path=value` for example, applied in order. */
  readonly set?: readonly AnySetting[] | undefined;
  /** Instead of the seed in the file. */
  readonly seed?: string | undefined;
  /** Options that may be given instead of a key: see `LoadOptions`. */
  readonly instead?: LoadOptions['instead'];
}

/**
 * Reads a scenario, the files it extends and the beginnings of the traces it names. Throws
 * ConfigError with every problem found.
 */
export async function openScenario(
  path: string,
  options: OpenOptions = {},
): Promise<LoadedScenario> {
  const loaded = openTree(path, options).tree.load();
  await checkTraces(loaded);
  return loaded;
}

/** A scenario that was read but not checked yet, with the texts it is made of, by file. */
export interface OpenedTree {
  readonly tree: ScenarioTree;
  readonly texts: ReadonlyMap<string, string>;
}

/** Throws ConfigError when a file cannot be read or is not YAML. */
export function openTree(path: string, options: OpenOptions = {}): OpenedTree {
  const texts = new Map<string, string>();
  const read = (file: string): string => {
    const text = readRegularText(file, MAX_TEXT, 'a scenario');
    texts.set(file, text);
    return text;
  };
  let text: string;
  try {
    text = read(path);
  } catch (error) {
    throw faultIn(path, `cannot read the scenario: ${reasonOf(error)}`, nearbyFile(path));
  }
  const readFile = (file: string) => {
    try {
      return read(file);
    } catch (error) {
      throw new Error(reasonOf(error));
    }
  };
  const { instead } = options;
  const settings = settingsOf(options);
  const change: LoadOptions['change'] = (root, findings) => applySettings(root, settings, findings);
  const tree = new ScenarioTree(text, {
    file: path,
    change,
    readFile,
    instead,
    explainYaml: yamlFault,
  });
  return { tree, texts };
}

/** Everything that is set on the command line. */
export function settingsOf({ set = [], seed }: OpenOptions): AnySetting[] {
  if (seed === undefined) return [...set];
  return [...set, { option: '--seed', text: seed, form: 'text', key: 'seed' }];
}

function nearbyFile(path: string): string | undefined {
  try {
    const files = readdirSync(dirname(path)).filter((name) => /\.ya?ml$/.test(name));
    if (files.includes(basename(path))) return undefined;
    const near = didYouMean(basename(path), files);
    if (near) return near;
    return files.length > 0
      ? `scenarios in that directory: ${files.slice(0, 20).join(', ')}`
      : undefined;
  } catch {
    return undefined;
  }
}

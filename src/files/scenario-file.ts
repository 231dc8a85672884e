import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { didYouMean } from '../scenario/findings.ts';
import { type LoadedScenario, loadWithPlaces } from '../scenario/load.ts';
import { MAX_TEXT } from '../scenario/parse.ts';
import { faultOf, reasonOf } from './faults.ts';
import { checkTraces } from './trace-files.ts';

export interface OpenOptions {
  /** `path=value`, applied in order. */
  readonly set?: readonly string[] | undefined;
  /** Instead of the seed in the file. */
  readonly seed?: string | undefined;
}

/**
 * Reads a scenario, the files it extends and the beginnings of the traces it names. Throws ConfigError with every
 * problem found.
 */
export async function openScenario(
  path: string,
  options: OpenOptions = {},
): Promise<LoadedScenario> {
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    throw faultOf(path, `cannot read the scenario: ${reasonOf(error)}`, nearbyFile(path));
  }
  const set = [...(options.set ?? [])];
  if (options.seed !== undefined) set.push(`seed=${JSON.stringify(options.seed)}`);
  const loaded = loadWithPlaces(text, {
    file: path,
    set,
    readFile: (file) => {
      try {
        return readText(file);
      } catch (error) {
        throw new Error(reasonOf(error));
      }
    },
  });
  await checkTraces(loaded);
  return loaded;
}

/** The text of a small file; the size is looked at before the first byte is read. */
function readText(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new Error('it is a directory');
    if (stat.size > MAX_TEXT) {
      const mib = (stat.size / 2 ** 20).toFixed(0);
      throw new Error(`it has ${mib} MiB, a scenario at most 1 MiB`);
    }
    // Pipes have no size: read one byte more than is allowed and let the parser count.
    const bytes = Buffer.alloc(MAX_TEXT + 1);
    let length = 0;
    for (;;) {
      const read = readSync(fd, bytes, length, bytes.length - length, null);
      length += read;
      if (read === 0 || length === bytes.length) break;
    }
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

function nearbyFile(path: string): string | undefined {
  try {
    const files = readdirSync(dirname(path)).filter((name) => /\.ya?ml$/.test(name));
    const near = didYouMean(basename(path), files);
    if (near) return near;
    return files.length > 0
      ? `scenarios in that directory: ${files.slice(0, 20).join(', ')}`
      : undefined;
  } catch {
    return undefined;
  }
}

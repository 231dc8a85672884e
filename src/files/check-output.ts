import { closeSync, lstatSync, openSync, type Stats, statSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { makeDirectory } from './directories.ts';
import { faultIn, reasonOf } from './faults.ts';
import { discard, temporaryDirectory } from './temporary.ts';

/** What will be written to a directory, by name. */
export interface Expected {
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
}

/** Why results cannot be written. */
class Refusal extends Error {}

/**
 * Throws ConfigError when results could not be written to `directory`; leaves nothing there. Asked
 * before a run, so that the answer does not come after it: everything is tried, not looked up.
 * `option`: where the user named the directory.
 */
export function checkOutput(
  directory: string,
  option = '--out',
  { files = [], folders = [] }: Expected = {},
): void {
  const path = resolve(directory);
  try {
    const { existing, missing } = split(path);
    if (!statSync(existing).isDirectory()) {
      throw new Refusal(`${existing} is a file, not a directory`);
    }
    tryToWrite(existing, missing);
    if (missing.length > 0) return;
    for (const name of files) checkFile(path, name);
    for (const name of folders) checkFolder(path, name);
  } catch (error) {
    const why = error instanceof Refusal ? error.message : reasonOf(error);
    throw faultIn(
      option,
      `cannot write results to ${directory}: ${why}`,
      'name another with --out',
    );
  }
}

/** The longest part of a path that is there, and the names that have yet to be made below it. */
function split(path: string): { readonly existing: string; readonly missing: string[] } {
  const missing: string[] = [];
  let existing = path;
  while (stat(existing) === undefined && dirname(existing) !== existing) {
    const link = lstatSync(existing, { throwIfNoEntry: false });
    if (link) throw new Refusal(`${existing} is a link to something that is not there`);
    missing.unshift(basename(existing));
    existing = dirname(existing);
  }
  return { existing, missing };
}

/** Undefined when there is nothing; throws what else the system says. */
function stat(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A part of the path is a file: the walk upwards finds it.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Makes the missing directories and a file in them, all inside a directory that goes again. */
function tryToWrite(existing: string, missing: readonly string[]): void {
  let trial: string | undefined;
  try {
    trial = temporaryDirectory(existing);
    const inside = join(trial, ...missing);
    makeDirectory(inside);
    const fd = openSync(join(inside, 'trial'), 'wx');
    try {
      writeSync(fd, 'worldswitch\n');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // procfs and its like let root write and yet have no place for a directory.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Refusal(`${existing} takes no new directories`);
    }
    throw error;
  } finally {
    discard(trial);
  }
}

/** A rename must be able to put a file in the place of what is there. */
function checkFile(directory: string, name: string): void {
  const there = lstatSync(join(directory, name), { throwIfNoEntry: false });
  if (!there) return;
  if (there.isDirectory()) throw new Refusal(`${name} in it is a directory`);
  // Also behind a link: /dev/stdout is one.
  if (stat(join(directory, name))?.isFile() === false) {
    throw new Refusal(`${name} in it is not a regular file`);
  }
  const { mode, uid, dev } = statSync(directory);
  if (there.dev !== dev) throw new Refusal(`${name} in it is a mount point`);
  const own = process.getuid?.() ?? 0;
  // In a directory like /tmp only the owner of a file may replace it.
  if ((mode & 0o1000) !== 0 && own !== 0 && own !== uid && own !== there.uid) {
    throw new Refusal(`${name} in it belongs to another user`);
  }
}

function checkFolder(directory: string, name: string): void {
  const { existing, missing } = split(join(directory, name));
  if (missing.length > 0) return;
  if (!statSync(existing).isDirectory()) {
    throw new Refusal(`${name} in it is a file, not a directory`);
  }
  tryToWrite(existing, []);
}

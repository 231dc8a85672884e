import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { makeDirectory } from './directories.ts';
import { faultOf, reasonOf } from './faults.ts';

/**
 * Results on disk. Whatever ends a process (Ctrl-C, kill, a full disk), no file under its final name is ever
 * half-written: everything is written elsewhere first, brought to the disk, and renamed.
 */

/** Texts by file name. A text may come in pieces. */
export type OutputFiles = ReadonlyMap<string, string | Uint8Array | Iterable<string>>;

/**
 * Throws ConfigError when results could not be written to `directory`; leaves nothing there. Asked before a run, so that the
 * answer does not come after it. `option`: where the user named the directory.
 */
export function checkOutput(directory: string, option = '--out'): void {
  let existing = resolve(directory);
  while (!exists(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const complain = (why: string): never => {
    throw faultOf(
      option,
      `cannot write results to ${directory}: ${why}`,
      'name another with --out',
    );
  };
  try {
    if (!statSync(existing).isDirectory()) complain(`${existing} is a file, not a directory`);
    accessSync(existing, constants.W_OK | constants.X_OK);
    if (!takesDirectories(existing)) complain(`${existing} takes no new directories`);
  } catch (error) {
    if ((error as Error).name === 'ConfigError') throw error;
    complain(reasonOf(error));
  }
}

/** False for procfs and its like, which let root write and yet have no place for a directory. */
function takesDirectories(directory: string): boolean {
  try {
    rmdirSync(mkdtempSync(join(directory, '.worldswitch-')));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** Unlike `existsSync`, true for a dangling link or a path that cannot be looked at. */
function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'ENOENT' && code !== 'ENOTDIR';
  }
}

/** Writes all files or, on an error, none. Files of other names that are there already stay. */
export function writeOutput(directory: string, files: OutputFiles): void {
  const final = resolve(directory);
  const temporary = join(dirname(final), `.${basename(final)}.tmp-${process.pid}`);
  try {
    makeDirectory(temporary);
    for (const [name, content] of files) writeDurably(join(temporary, name), content);
    if (existsSync(final)) {
      for (const name of files.keys()) renameSync(join(temporary, name), join(final, name));
    } else {
      renameSync(temporary, final);
    }
    syncDirectory(final);
  } catch (error) {
    throw new Error(`cannot write results to ${directory}: ${reasonOf(error)}`, { cause: error });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Writes one file: its old content or its new one is there at any moment, never a part. */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array | Iterable<string>,
): void {
  const temporary = join(dirname(path), `.${basename(path)}.tmp-${process.pid}`);
  try {
    writeDurably(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(`cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function writeDurably(path: string, content: string | Uint8Array | Iterable<string>): void {
  const fd = openSync(path, 'w');
  try {
    const pieces =
      typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
    for (const piece of pieces) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch {
    // Some file systems cannot sync a directory; the files themselves are on the disk.
  } finally {
    closeSync(fd);
  }
}

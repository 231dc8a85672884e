import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeDirectory } from './directories.ts';
import { reasonOf } from './faults.ts';
import { discard, temporaryDirectory, temporaryName } from './temporary.ts';

/**
 * Results on disk. Whatever ends a process (Ctrl-C, kill, a full disk), no file under its final
 * name is ever half-written: everything is written under another name first, brought to the disk,
 * and renamed.
 */

type Content = string | Uint8Array | Iterable<string>;

/** Texts by file name. A text may come in pieces. */
export type OutputFiles = ReadonlyMap<string, Content>;

/** Writes all files or, on an error, none. Files of other names that are there already stay. */
export function writeOutput(directory: string, files: OutputFiles): void {
  const final = resolve(directory);
  let temporary: string | undefined;
  try {
    // Beside what is yet to be made, inside what is there: it may be a file system of its own.
    const there = existsSync(final);
    const parent = there ? final : dirname(final);
    makeDirectory(parent);
    temporary = temporaryDirectory(parent);
    const staged = join(temporary, 'results');
    mkdirSync(staged);
    for (const [name, content] of files) writeDurably(join(staged, name), content);
    if (there || !takesName(staged, final)) replaceFiles(staged, final, [...files.keys()]);
    syncDirectory(final);
  } catch (error) {
    throw new Error(`cannot write results to ${directory}: ${reasonOf(error)}`, { cause: error });
  } finally {
    discard(temporary);
  }
}

/** False when another process has made a directory of that name meanwhile. */
function takesName(staged: string, final: string): boolean {
  try {
    renameSync(staged, final);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOTEMPTY') throw error;
    return false;
  }
}

function replaceFiles(from: string, to: string, names: readonly string[]): void {
  for (const name of names) {
    if (!lstatSync(join(to, name), { throwIfNoEntry: false })?.isDirectory()) continue;
    throw Object.assign(new Error(`${name} is a directory`), { code: 'EISDIR' });
  }
  for (const name of names) renameSync(join(from, name), join(to, name));
}

/** Writes one file: its old content or its new one is there at any moment, never a part. */
export function writeFileAtomic(path: string, content: Content, durable = true): void {
  const temporary = temporaryName(dirname(path));
  try {
    writeDurably(temporary, content, durable);
    renameSync(temporary, path);
  } catch (error) {
    discard(temporary);
    throw cannotWrite(path, error);
  }
}

/**
 * The same for a text that takes long to make; `pause` is called between its pieces and may throw.
 */
export async function writePiecesAtomic(
  path: string,
  pieces: Iterable<string>,
  pause: () => Promise<void>,
): Promise<void> {
  const temporary = temporaryName(dirname(path));
  try {
    const fd = openSync(temporary, 'wx');
    try {
      for (const piece of pieces) {
        writeAll(fd, Buffer.from(piece));
        await pause();
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    discard(temporary);
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : cannotWrite(path, error);
  }
}

const cannotWrite = (path: string, error: unknown) =>
  new Error(`cannot write ${path}: ${reasonOf(error)}`, { cause: error });

/** `wx`: a file of that name, or a link, is not there and is not followed. */
function writeDurably(path: string, content: Content, durable = true): void {
  const fd = openSync(path, 'wx');
  try {
    const pieces =
      typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
    for (const piece of pieces) {
      writeAll(fd, typeof piece === 'string' ? Buffer.from(piece) : piece);
    }
    if (durable) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
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

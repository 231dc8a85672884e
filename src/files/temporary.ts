import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where files are written before they get their names: always in the directory they end up in, so
 * that a rename is all that is left to do, and under names that nobody can guess and prepare a link
 * for.
 */
const PREFIX = '.worldswitch-';

/** A name for one file; open it with `wx`, which follows no link. */
export function temporaryName(directory: string): string {
  return join(directory, `${PREFIX}${randomBytes(9).toString('base64url')}`);
}

/** Makes a directory that only its maker may look into; throws what `mkdtemp` throws. */
export function temporaryDirectory(directory: string): string {
  return mkdtempSync(join(directory, PREFIX));
}

/**
 * Removes what is temporary; what cannot be removed is left, since there is something worse to
 * report.
 */
export function discard(path: string | undefined): void {
  if (path === undefined) return;
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The error that led here is the one to tell.
  }
}

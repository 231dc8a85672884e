import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a directory and those above it that are missing; throws what `mkdir` throws. With
 * `recursive`, `mkdir` tries again for ever where a file system takes no new directories and says
 * that their parent is missing, as procfs does.
 */
export function makeDirectory(path: string): void {
  const missing: string[] = [];
  let at = resolve(path);
  for (; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  for (const directory of missing) {
    try {
      mkdirSync(directory);
    } catch (error) {
      // Another process may have been first; a link to nothing is in the way.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !existsSync(directory)) throw error;
    }
  }
}

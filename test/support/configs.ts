import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './program.ts';

/** `set` for a short run of a scenario that ships: what happens later does not belong to it. */
export function shortened(file: string, set: readonly string[]): string[] {
  const text = readFileSync(join(root, 'configs', file), 'utf8');
  return /^events:/m.test(text) ? [...set, 'events=[]'] : [...set];
}

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../files/directories.ts';
import { reasonOf } from '../files/faults.ts';
import type { UnitResult } from './unit.ts';

/** What is stored of a unit, in `units/<name>/result.json`. The time it took is in no table. */
interface Stored {
  readonly wallSeconds: number;
  readonly result: UnitResult;
}

/** Finished units on disk, by name. Several processes may use one store at a time. */
export class UnitStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = join(directory, 'units');
  }

  /** Undefined when the unit is not there; a file cut short by a power failure is as good as none. */
  read(name: string): Stored | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#directory, name, 'result.json'), 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** The file appears whole or not at all, also when the process is killed or the disk is full. */
  write(name: string, stored: Stored): void {
    const directory = join(this.#directory, name);
    const temporary = join(directory, `.result.json.tmp-${process.pid}`);
    try {
      makeDirectory(directory);
      writeFileSync(temporary, JSON.stringify(stored));
      renameSync(temporary, join(directory, 'result.json'));
    } catch (error) {
      rmSync(temporary, { force: true });
      throw new Error(`cannot store a unit in ${directory}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

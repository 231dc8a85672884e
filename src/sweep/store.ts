import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { makeDirectory } from '../files/directories.ts';
import { reasonOf } from '../files/faults.ts';
import { writeFileAtomic } from '../files/output.ts';
import { readRegularText } from '../files/read-file.ts';
import { findingKinds } from '../stats/findings.ts';
import type { UnitResult } from './unit.ts';

/** What is stored of a unit, in `units/<name>/result.json`. The time it took is in no table. */
interface Stored {
  readonly wallSeconds: number;
  readonly result: UnitResult;
}

/** JSON has no words for these, and a ratio may be one of them. */
const notFinite = ['Infinity', '-Infinity', 'NaN'] as const;
const number = z.union([z.number(), z.enum(notFinite).transform(Number)]);
const values = z.record(z.string(), number);
/** In ns. */
const times = z.array(z.int().min(0));

const unitResult: z.ZodType<UnitResult> = z.looseObject({
  mhz: z.number().positive(),
  windowCycles: z.number().min(0),
  host: values,
  groups: z.array(
    z.looseObject({
      group: z.string(),
      vms: z.int().min(1),
      workload: z.string(),
      unit: z.string(),
      values,
      ledger: z.record(z.string(), z.number()),
    }),
  ),
  vms: z.array(
    z.looseObject({
      vm: z.string(),
      group: z.string(),
      values,
      requests: z.object({ served: times, unfinished: times }).exactOptional(),
    }),
  ),
  findings: z.array(
    z.looseObject({
      kind: z.enum(findingKinds),
      vms: z.array(z.string()),
      message: z.string(),
      needed: z.number().positive().exactOptional(),
    }),
  ),
});

const storedUnit = z.strictObject({
  unit: z.string(),
  sha256: z.string(),
  wallSeconds: z.number().min(0),
  result: unitResult,
});

/** Finished units on disk, by name. Several processes may use one store at a time. */
export class UnitStore {
  readonly #directory: string;
  readonly #doubted = new Set<string>();

  constructor(directory: string) {
    this.#directory = join(directory, 'units');
  }

  /** Units whose file was there and not believed: cut short, changed, or that of another unit. */
  get doubted(): number {
    return this.#doubted.size;
  }

  /**
   * Undefined when the unit is not there, or when its file is not what `write` has written for it.
   */
  read(name: string): Stored | undefined {
    let text: string;
    try {
      text = readRegularText(join(this.#directory, name, 'result.json'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#doubted.add(name);
      return undefined;
    }
    const stored = believed(name, text);
    if (!stored) this.#doubted.add(name);
    return stored;
  }

  /** The file appears whole or not at all, also when the process is killed or the disk is full. */
  write(name: string, { wallSeconds, result }: Stored): void {
    const directory = join(this.#directory, name);
    const content = textOf(result);
    const sha256 = digest(name, wallSeconds, content);
    const head = JSON.stringify({ unit: name, sha256, wallSeconds });
    try {
      makeDirectory(directory);
      // Without waiting for the disk: a unit that a power failure has cut short is run again.
      const text = `${head.slice(0, -1)},"result":${content}}`;
      writeFileAtomic(join(directory, 'result.json'), text, false);
    } catch (error) {
      const { cause } = error as Error;
      const why = reasonOf(cause ?? error);
      throw new Error(`cannot store a unit in ${directory}: ${why}`, { cause: cause ?? error });
    }
  }
}

function believed(name: string, text: string): Stored | undefined {
  let raw: { readonly result?: unknown };
  try {
    raw = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = storedUnit.safeParse(raw);
  if (!success || data.unit !== name) return undefined;
  const { sha256, wallSeconds, result } = data;
  return sha256 === digest(name, wallSeconds, textOf(raw.result))
    ? { wallSeconds, result }
    : undefined;
}

const textOf = (result: unknown): string =>
  JSON.stringify(result, (_, value) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );

const digest = (name: string, wallSeconds: number, content: string): string =>
  createHash('sha256').update(`${name}\n${wallSeconds}\n${content}`).digest('hex');

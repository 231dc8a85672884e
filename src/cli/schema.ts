import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { schemaFile } from '../files/package-files.ts';

/** Prints the JSON Schema of scenarios, as it ships with the package. */
export async function schema(): Promise<void> {
  await pipeline(createReadStream(schemaFile()), process.stdout, { end: false });
}

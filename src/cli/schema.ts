import { readFileSync } from 'node:fs';
import { schemaFile } from '../files/package-files.ts';
import { print } from './terminal.ts';

/** Prints the JSON Schema of scenarios, as it ships with the package. */
export async function schema(): Promise<void> {
  print(readFileSync(schemaFile(), 'utf8'));
}

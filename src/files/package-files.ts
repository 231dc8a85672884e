import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Files of the installed package. */

export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The JSON Schema of scenarios. */
export function schemaFile(): string {
  return fileURLToPath(new URL('../../configs/scenario.schema.json', import.meta.url));
}

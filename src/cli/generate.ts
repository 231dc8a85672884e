#!/usr/bin/env node
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run generate`: writes what is derived from other files of the repository and committed beside them.
 * The presets become a module, so that the library needs no disk; the schema becomes a file for editors.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));

function texts(folder: string): Record<string, string> {
  const dir = join(root, 'configs', folder);
  const names = readdirSync(dir).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(
    names
      .toSorted()
      .map((name) => [basename(name, '.yaml'), readFileSync(join(dir, name), 'utf8')]),
  );
}

const presets = {
  processors: texts('processors'),
  hypervisors: texts('hypervisors'),
  workloads: texts('workloads'),
};
writeFileSync(
  join(root, 'src/scenario/presets.generated.ts'),
  `// Made by \`npm run generate\` from configs/processors, hypervisors and workloads. Do not edit.\nexport const embeddedPresets = ${JSON.stringify(presets, null, 2)};\n`,
);

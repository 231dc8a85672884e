import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { migrationPolicies } from '../cluster/migration/index.ts';
import { editorSchemaText } from '../scenario/editor-schema.ts';
import type { PresetTexts } from '../scenario/presets.ts';
import { policyTables } from './policy-numbers.ts';
import { numberTables } from './preset-numbers.ts';

/**
 * What is derived from other files of the repository and committed beside them. The presets become a
 * module, so that the library needs no disk, and another without comments, which pages get in its place
 * (esbuild.config.mjs); their numbers become tables; the schema becomes a file for editors.
 */
export interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Everything above this line of docs/model-numbers.md is written by hand. */
const MARK =
  '<!-- Below: made by `npm run generate` from the comments in configs and the descriptions of policies. -->\n';

/** The files as they should be. `root` is the directory of the repository. */
export function generatedFiles(root: string): GeneratedFile[] {
  const presets = {
    processors: texts(root, 'processors'),
    hypervisors: texts(root, 'hypervisors'),
    kernels: texts(root, 'kernels'),
    workloads: texts(root, 'workloads'),
  };
  const numbers = readFileSync(join(root, 'docs/model-numbers.md'), 'utf8');
  const byHand = numbers.slice(0, numbers.indexOf(MARK));
  return [
    { path: 'src/scenario/presets.generated.ts', text: presetModule(presets) },
    {
      path: 'src/scenario/presets-plain.generated.ts',
      text: presetModule({
        processors: withoutComments(presets.processors),
        hypervisors: withoutComments(presets.hypervisors),
        kernels: withoutComments(presets.kernels),
        workloads: withoutComments(presets.workloads),
      }),
    },
    { path: 'configs/scenario.schema.json', text: editorSchemaText(presets) },
    {
      path: 'docs/model-numbers.md',
      text: [
        byHand + MARK,
        '## Processors\n',
        numberTables(presets.processors),
        '## Hypervisors\n',
        numberTables(presets.hypervisors),
        '## Guest kernels\n',
        numberTables(presets.kernels),
        '## Live migration\n',
        policyTables(migrationPolicies.definitions),
        '## Fault tolerance\n',
        policyTables(protections.definitions.filter(({ create }) => create)),
      ].join('\n'),
    },
  ];
}

const presetModule = (presets: PresetTexts): string =>
  `// Made by \`npm run generate\` from configs/processors, hypervisors, kernels and workloads. Do not edit.\nexport const embeddedPresets = ${JSON.stringify(presets, null, 2)};\n`;

/** Every line stays, so that messages name the same places. No preset has ` #` in a string. */
const withoutComments = (folder: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(folder).map(([name, text]) => [name, text.replace(/(^|[ \t]+)#.*$/gm, '')]),
  );

function texts(root: string, folder: string): Record<string, string> {
  const dir = join(root, 'configs', folder);
  const names = readdirSync(dir).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(
    names
      .toSorted()
      .map((name) => [basename(name, '.yaml'), readFileSync(join(dir, name), 'utf8')]),
  );
}

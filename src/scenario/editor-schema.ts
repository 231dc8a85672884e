import * as z from 'zod';
import {
  anyKind,
  keysOf,
  kindsOf,
  type Lore,
  rootSpot,
  type Spot,
  under,
  withoutKind,
} from './editor-keys.ts';
import { type Filled, needsOf } from './editor-needs.ts';
import { printed, shared } from './editor-print.ts';
import { readValue } from './editor-values.ts';
import { Findings } from './findings.ts';
import { type JsonSchema, when } from './json-schema.ts';
import { child, textOf } from './located.ts';
import { type PresetFolder, PresetReader, type PresetTexts, presets } from './presets.ts';
import { scenarioSchema } from './schema.ts';
import type { Schema } from './schema-walk.ts';

/** It names the schema; there is nothing to fetch from there. */
const ID = 'urn:worldswitch:scenario';

/**
 * JSON Schema (draft-07) for editors: completion, hover texts and marks under mistakes while a
 * scenario is written. It is made from the schema that checks scenarios, and allows what the
 * loader fills in before that check: workload presets, keys that a hypervisor profile or processor
 * preset supplies, `extends`, and `x-…` keys for anchors. Besides the keywords of the standard it
 * has those of yaml-language-server for messages, hover texts and completion.
 *
 * `texts` are the presets that may be used.
 */
export function editorSchema(texts: PresetTexts = presets): JsonSchema {
  const scenario = scenarioSchema(texts);
  const reader = new PresetReader(texts, new Findings());
  const spot = rootSpot(loreOf(scenario, texts, reader));
  const filled: Filled = {
    whole: { hypervisor: ['profile'], 'host.cpu': [], 'vms[].os': [] },
    preset: (name) => (reader.has('workloads', name) ? reader.read('workloads', name) : undefined),
  };
  const keys = keysOf({ extends: extended, ...scenario.shape }, spot);
  const hypervisor = {
    ...keys.properties!['hypervisor'],
    ...kindsOfProfiles(scenario, texts, reader, spot),
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: ID,
    title: 'worldswitch scenario',
    description: readValue(scenario).notes.description!,
    type: 'object',
    ...withAnchors(keys),
    properties: { ...keys.properties, hypervisor },
    // A file that extends another may leave out whatever that one says.
    ...when({ required: ['extends'] }, undefined, needsOf(scenario, spot, filled)),
  };
}

/** The text of the schema file. */
export const editorSchemaText = (texts: PresetTexts = presets): string =>
  `${printed(shared(editorSchema(texts)))}\n`;

const extended = z
  .union([z.string(), z.array(z.string())])
  .meta({ takes: 'the path of a file, or a list of paths' })
  .optional()
  .describe('file or files whose keys this one adds to or replaces; VMs are matched by name');

function withAnchors({ patternProperties, ...schema }: JsonSchema): JsonSchema {
  const anchors = { title: 'x-…', description: 'holds YAML anchors; means nothing itself' };
  return { ...schema, patternProperties: { '^x-': anchors, ...(patternProperties as object) } };
}

type Scenario = ReturnType<typeof scenarioSchema>;

function loreOf(scenario: Scenario, texts: PresetTexts, reader: PresetReader): Lore {
  const about = (folder: PresetFolder) =>
    Object.fromEntries(
      Object.keys(texts[folder]).map((name) => [
        name,
        textOf(reader.read(folder, name), 'description') ?? firstComment(texts[folder][name]!),
      ]),
    );
  const workloads = about('workloads');
  const kinds = Object.keys(workloads).map((name) => [
    name,
    textOf(reader.read('workloads', name), 'kind')!,
  ]);
  const profile = { name: 'the hypervisor profile', isComplete: true };
  const policies = Object.keys(scenario.shape.hypervisor.shape).filter((key) => key !== 'profile');
  return {
    meanings: {
      'host.processor': about('processors'),
      'hypervisor.profile': about('hypervisors'),
      'vms[].kernel': about('kernels'),
      'vms[].preset': workloads,
      'vms[].workload.kind': workloads,
    },
    presets: { 'vms[].workload': Object.fromEntries(kinds) },
    sources: {
      'host.cpu': { name: 'the processor preset', isComplete: true },
      'vms[].os': { name: 'the kernel preset', isComplete: true },
      ...Object.fromEntries(policies.map((key) => [`hypervisor.${key}`, profile])),
    },
    kinds: policies.map((key) => `hypervisor.${key}`),
    presetSource: { name: 'the workload preset', isComplete: false },
  };
}

/** The first sentence of the comment at the top of a preset. */
function firstComment(text: string): string {
  const [block = ''] = /^(#.*\n)+/m.exec(text) ?? [];
  const comment = block.replaceAll(/^#\s*/gm, '').replaceAll('\n', ' ');
  return /^.*?(?=[.:] |$)/.exec(comment)![0].trim().replace(/\.$/, '');
}

/**
 * A choice of the hypervisor without a `kind` is of the kind that the profile chooses, and takes
 * the keys of that kind. The profile may stand in a file that this one extends.
 */
function kindsOfProfiles(
  scenario: Scenario,
  texts: PresetTexts,
  reader: PresetReader,
  spot: Spot,
): JsonSchema {
  const policies = Object.entries(scenario.shape.hypervisor.shape as Record<string, Schema>);
  const rulesFor = (chosenBy: (policy: string) => string | undefined): JsonSchema => {
    const choices = policies.filter(([, schema]) => isChoice(schema));
    const rules = choices.map(([policy, schema]) => {
      const place = under(under(spot, 'hypervisor'), policy);
      const kinds = kindsOf(readValue(schema), place);
      const chosen = kinds.find(({ kind }) => kind === chosenBy(policy));
      return [policy, hidden(withoutKind(chosen ? chosen.body : anyKind(kinds, place)))] as const;
    });
    return { properties: Object.fromEntries(rules) };
  };
  const byProfile = Object.keys(texts.hypervisors).map((name) => {
    const preset = reader.read('hypervisors', name);
    const rules = rulesFor((policy) => textOf(child(preset, policy), 'kind'));
    return when({ required: ['profile'], properties: { profile: { const: name } } }, rules);
  });
  return {
    allOf: [
      ...byProfile,
      when(
        { required: ['profile'] },
        undefined,
        rulesFor(() => undefined),
      ),
    ],
  };
}

const isChoice = (schema: Schema) => readValue(schema).def.discriminator !== undefined;

/** What completion does not offer: it is only a rule for what is written. */
const hidden = (schema: JsonSchema): JsonSchema => ({ ...schema, doNotSuggest: true });

import * as z from 'zod';
import { Findings } from './findings.ts';
import { textOf } from './located.ts';
import { PresetReader, type PresetTexts, presets } from './presets.ts';
import { scenarioSchema } from './schema.ts';

/**
 * JSON Schema (draft-07) for editors: completion, hover texts and marks under mistakes while a
 * scenario is written. It is generated from the schema that checks scenarios, and allows what the
 * loader fills in before that check: workload presets, keys that a hypervisor profile or processor
 * preset supplies, `extends`, and `x-…` keys for anchors.
 */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly description?: string;
  readonly const?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
}

/** The schema for files that may use the presets `texts`. */
export function editorSchema(texts: PresetTexts = presets): JsonSchema {
  const complete = z.toJSONSchema(scenarioSchema(texts), {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => dropSafeIntegerBounds(jsonSchema),
  }) as JsonSchema;
  const optionalCpu = at(complete, ['host'], ({ required, ...host }) => ({
    ...host,
    required: required!.filter((key) => key !== 'cpu'),
  }));
  const filledCpu = at(optionalCpu, ['host', 'cpu'], relax);
  const profiled = at(filledCpu, ['hypervisor'], (hypervisor) => ({
    ...relax(hypervisor),
    required: ['profile'],
  }));
  const written = at(profiled, ['vms', '[]', 'workload'], (kinds) => withPresets(kinds, texts));
  const { $schema, ...relaxed } = relax(written);
  return {
    $schema,
    title: 'worldswitch scenario',
    ...relaxed,
    properties: {
      extends: {
        description:
          'file or files whose keys this one adds to or replaces; VMs are matched by name',
        anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
      },
      ...relaxed.properties,
    },
    patternProperties: { '^x-': { description: 'holds YAML anchors; means nothing itself' } },
    // A file that extends another may leave out whatever that one says.
    if: { required: ['extends'] },
    else: requirements(written),
  };
}

/** The text of the schema file. */
export const editorSchemaText = (texts: PresetTexts = presets): string =>
  `${JSON.stringify(editorSchema(texts), null, 2)}\n`;

/** The schema with the one at `path` replaced; `[]` stands for the items of a list. */
function at(
  schema: JsonSchema,
  path: readonly string[],
  change: (schema: JsonSchema) => JsonSchema,
): JsonSchema {
  const [step, ...rest] = path;
  if (step === undefined) return change(schema);
  if (step === '[]') return { ...schema, items: at(schema.items!, rest, change) };
  const inner = at(schema.properties![step]!, rest, change);
  return { ...schema, properties: { ...schema.properties, [step]: inner } };
}

/**
 * The same schema, nothing of which has to be there. Without `kind` a choice fits several of its
 * members.
 */
function relax(schema: JsonSchema): JsonSchema {
  const { required: _, oneOf, ...rest } = schema;
  return {
    ...rest,
    ...(rest.properties && { properties: mapValues(rest.properties, relax) }),
    ...(rest.items && { items: relax(rest.items) }),
    ...(oneOf && { anyOf: oneOf.map(relax) }),
  };
}

/** Only what a schema says about keys that have to be there. */
function requirements(schema: JsonSchema): JsonSchema {
  const { required, properties, items, oneOf } = schema;
  const inner = properties && mapValues(properties, requirements);
  const needed = inner && Object.entries(inner).filter(([, says]) => Object.keys(says).length > 0);
  const list = items && requirements(items);
  return {
    ...(required && required.length > 0 && { required }),
    ...(needed && needed.length > 0 && { properties: Object.fromEntries(needed) }),
    ...(list && Object.keys(list).length > 0 && { items: list }),
    ...(oneOf && { required: ['kind'], allOf: oneOf.flatMap(requirementsOfKind) }),
  };
}

function requirementsOfKind(member: JsonSchema): JsonSchema[] {
  const { required, ...inner } = requirements(member);
  const others = required!.filter((key) => key !== 'kind');
  if (others.length === 0 && Object.keys(inner).length === 0) return [];
  const { description: _, ...kind } = member.properties!['kind']!;
  const needed = { ...(others.length > 0 && { required: others }), ...inner };
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  return [{ if: { required: ['kind'], properties: { kind } }, then: needed }];
}

/**
 * Adds the names of workload presets: with each, the parameters of the kind it is made of may be
 * replaced.
 */
function withPresets(workload: JsonSchema, texts: PresetTexts): JsonSchema {
  const reader = new PresetReader(texts, new Findings());
  const names = Object.keys(texts.workloads);
  const members = workload.oneOf!.flatMap((member) => {
    const { kind } = member.properties!;
    const made = names.filter(
      (name) => textOf(reader.read('workloads', name), 'kind') === kind!.const,
    );
    if (made.length === 0) return [member];
    const { properties, ...rest } = relax(member);
    const preset = { type: 'string', enum: made, description: 'workload preset' };
    return [member, { ...rest, properties: { ...properties, kind: preset }, required: ['kind'] }];
  });
  return { ...workload, oneOf: members };
}

/** Every integer carries the bounds of exact doubles, which say nothing to people. */
function dropSafeIntegerBounds(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

const mapValues = <T, U>(of: Readonly<Record<string, T>>, change: (value: T) => U) =>
  Object.fromEntries(Object.entries(of).map(([key, value]) => [key, change(value)]));

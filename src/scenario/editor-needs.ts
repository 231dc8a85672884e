import { isKind, memberOf, type Spot, under } from './editor-keys.ts';
import { formOf, readValue, wordForm } from './editor-values.ts';
import { misspellings } from './editor-words.ts';
import { type JsonSchema, when } from './json-schema.ts';
import { child, type Located, textOf } from './located.ts';
import type { Schema } from './schema-walk.ts';

/**
 * Which keys have to be there, as schemas that say nothing else: a file that extends another may
 * leave them to that one.
 */

/** What presets fill in below a place. */
export interface Filled {
  /** By title: all that stands there and below, but for these keys. */
  readonly whole: Readonly<Record<string, readonly string[]>>;
  /** The contents of a preset of a choice. */
  readonly preset: (name: string) => Located | undefined;
}

export function needsOf(
  schema: Schema,
  spot: Spot,
  filled: Filled,
  preset?: Located | undefined,
): JsonSchema {
  const { def } = readValue(schema);
  if (def.shape) return needsOfMap(def.shape, spot, filled, preset);
  if (def.discriminator !== undefined) return needsOfChoice(def.options!, spot, filled, preset);
  if (def.type !== 'array') return {};
  const items = needsOf(def.element!, { ...spot, title: `${spot.title}[]` }, filled);
  return isSilent(items) ? {} : { items };
}

const isSilent = (schema: JsonSchema) => Object.keys(schema).length === 0;

function needsOfMap(
  shape: Readonly<Record<string, Schema>>,
  spot: Spot,
  filled: Filled,
  preset: Located | undefined,
): JsonSchema {
  const left = filled.whole[spot.title];
  const keys = Object.keys(shape).filter((key) => !left || left.includes(key));
  const missing = keys.filter((key) => {
    const isFilled = filled.whole[under(spot, key).title]?.length === 0;
    return !isFilled && !readValue(shape[key]!).isOptional && child(preset, key) === undefined;
  });
  const inner = keys.flatMap((key) => {
    const needs = needsOf(shape[key]!, under(spot, key), filled, child(preset, key));
    return isSilent(needs) ? [] : [[key, { ...needs, doNotSuggest: true }] as const];
  });
  return {
    ...(missing.length > 0 && { allOf: missing.map((key) => needed(key, shape, spot)) }),
    ...(inner.length > 0 && { properties: Object.fromEntries(inner) }),
  };
}

/** A key that is there, but misspelt, is not missing besides. */
function needed(key: string, shape: Readonly<Record<string, Schema>>, spot: Spot): JsonSchema {
  const where = spot.title === '' ? 'the scenario' : spot.title;
  const value = readValue(shape[key]!);
  const others = Object.keys(shape).filter((name) => name !== key);
  const takes = formOf(value)?.takes ?? value.notes.description ?? '';
  return unlessMisspelt(key, others, {
    required: [key],
    errorMessage: `missing key "${key}" in ${where}: ${takes}`,
  });
}

function unlessMisspelt(key: string, others: readonly string[], need: JsonSchema): JsonSchema {
  const pattern = `^(${misspellings(key)})$`;
  const alike = others.filter((name) => new RegExp(pattern).test(name));
  const isAlike = { pattern, ...(alike.length > 0 && { not: { enum: alike } }) };
  return when({ propertyNames: { not: isAlike } }, need);
}

function needsOfChoice(
  options: readonly Schema[],
  spot: Spot,
  filled: Filled,
  preset: Located | undefined,
): JsonSchema {
  const presets = spot.lore.presets[spot.title] ?? {};
  const members = options.map(memberOf);
  const words = [...Object.keys(presets), ...members.map(({ kind }) => kind)];
  const given = textOf(preset, 'kind');
  const kinds = new Map<string, string[]>();
  for (const word of words) {
    const { kind, shape } = members.find(({ kind }) => kind === (presets[word] ?? word))!;
    const { kind: _, ...others } = shape;
    const own = given === word ? preset : undefined;
    const contents = kind === word ? own : filled.preset(word);
    const needs = needsOfMap(others, spot, filled, contents);
    if (isSilent(needs)) continue;
    const text = JSON.stringify(needs);
    kinds.set(text, [...(kinds.get(text) ?? []), word]);
  }
  const rules = [...kinds].map(([text, names]) =>
    when(isKind(names), JSON.parse(text) as JsonSchema),
  );
  const errorMessage = `missing key "kind" in ${spot.title}: ${wordForm(words).takes}`;
  const others = members.flatMap(({ shape }) => Object.keys(shape)).filter((key) => key !== 'kind');
  const kind = unlessMisspelt('kind', others, { required: ['kind'], errorMessage });
  const all = [...(given !== undefined ? [] : [kind]), ...rules];
  return all.length > 0 ? { allOf: all } : {};
}

import { hoverText, type Source } from './editor-texts.ts';
import { type Form, formOf, readValue, type Value, wordForm } from './editor-values.ts';
import { misspellings, refuseWord } from './editor-words.ts';
import { type JsonSchema, when } from './json-schema.ts';
import { definition, type Schema } from './schema-walk.ts';

/**
 * Keys and values as an editor checks and explains them. A value has one check with one message,
 * which names what is allowed. No list of alternatives is tried, each of which would complain in
 * words of its own: what is allowed is an `if`, and the message its `else`.
 */

/** What the schema of a scenario does not know. */
export interface Lore {
  /** By title: what the words of a place mean. */
  readonly meanings: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By title: presets that can stand for the kind of a choice, and which kind they are of. */
  readonly presets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By title: where values that are left out come from, there and below. */
  readonly sources: Readonly<Record<string, Source>>;
  readonly presetSource: Source;
  /** Titles of choices whose kind may come from elsewhere. */
  readonly kinds: readonly string[];
}

/** Where a value stands. */
export interface Spot {
  /** The path: `host.cpu.clock`, `vms[].name`. */
  readonly title: string;
  /** What messages call it. */
  readonly key: string;
  readonly source?: Source | undefined;
  /** One of many: an item of a list, or an entry of a map of any keys. */
  readonly isEntry?: boolean;
  readonly lore: Lore;
}

export const rootSpot = (lore: Lore): Spot => ({ title: '', key: 'a scenario', lore });

export function under(spot: Spot, key: string): Spot {
  const title = spot.title === '' ? key : `${spot.title}.${key}`;
  const source = spot.lore.sources[title] ?? spot.source;
  return { ...spot, title, key, source, isEntry: false };
}

/** A list that is given replaces the one of a preset whole. */
export const itemOf = (spot: Spot): Spot => ({
  ...spot,
  title: `${spot.title}[]`,
  key: `${spot.key}, each item`,
  source: undefined,
  isEntry: true,
});

export function editorValue(schema: Schema, spot: Spot): JsonSchema {
  const value = readValue(schema);
  const form = formOf(value);
  const { def } = value;
  const about = aboutOf(value, form, spot);
  if (def.shape) return { ...about, type: 'object', ...keysOf(def.shape, spot) };
  if (def.discriminator !== undefined) return { ...about, ...choiceOf(value, spot) };
  if (!form) throw new Error(`no editor schema for ${spot.title}: ${def.type}`);
  if (def.type === 'array') return { ...about, ...listOf(value, form, spot) };
  if (def.type === 'record') {
    const { title, ...entry } = editorValue(def.valueType!, {
      ...spot,
      key: `${spot.key}, each`,
      isEntry: true,
    });
    return { ...about, ...typed(form, spot), additionalProperties: entry };
  }
  return { ...about, ...leafOf(form, spot) };
}

function aboutOf(value: Value, form: Form | undefined, spot: Spot): JsonSchema {
  const { description } = value.notes;
  return {
    title: spot.title,
    ...(description !== undefined && { description }),
    markdownDescription: hoverText(value, form, spot),
    ...(value.fallback !== undefined && { default: value.fallback }),
  };
}

const message = ({ takes }: Form, { key }: Spot) => `${key}: ${takes}`;

function typed(form: Form, spot: Spot): JsonSchema {
  const { types } = form;
  if (types.length === 0) return {};
  return { type: types.length === 1 ? types[0] : types, errorMessage: message(form, spot) };
}

/** A value without keys. */
function leafOf(form: Form, spot: Spot): JsonSchema {
  const { types, raw, words, spelt } = form;
  const meanings = spot.lore.meanings[spot.title] ?? {};
  const text = message(form, spot);
  const refusal = refused(text);
  const rest = form.takes.length > LONG_LIST ? '' : ` ${capital(form.takes)}`;
  const guess = (word: string) => `${spot.key}: did you mean "${word}"?${rest}`;
  const near = refuseWord(spelt, guess, refusal);
  const isText = { type: 'string' };
  const otherwise = types.length > 1 && spelt.length > 0 ? when(isText, near, refusal) : near;
  const isPlain = Object.keys(raw).every((keyword) => keyword === 'type');
  return {
    ...typed(form, spot),
    ...(words.length > 0 && { defaultSnippets: words.map((word) => offer(word, meanings)) }),
    ...(!isPlain && {
      ...when(
        explained(raw, meanings),
        undefined,
        when({ type: types.length === 1 ? types[0] : types }, otherwise),
      ),
    }),
  };
}

/** Characters of a list of words above which a guess does without it. */
const LONG_LIST = 300;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Fits nothing, once the type has been checked: only `null` would. */
const refused = (text: string): JsonSchema => ({ type: 'null', errorMessage: text });

/** For completion. */
const offer = (word: string, meanings: Readonly<Record<string, string>>) => ({
  label: word,
  ...(meanings[word] && { description: meanings[word], markdownDescription: meanings[word] }),
  body: word,
});

/** For the list of words below a hover text. */
function explained(raw: JsonSchema, meanings: Readonly<Record<string, string>>): JsonSchema {
  const words = raw['enum'] as readonly string[] | undefined;
  if (!words || Object.keys(meanings).length === 0) return raw;
  return { ...raw, markdownEnumDescriptions: words.map((word) => meanings[word] ?? '') };
}

function listOf({ def }: Value, form: Form, spot: Spot): JsonSchema {
  const { minItems, maxItems } = form.raw as { minItems?: number; maxItems?: number };
  const most = maxItems === undefined ? ' or more' : ` to ${maxItems}`;
  const lengths = {
    ...(minItems !== undefined && { minItems }),
    ...(maxItems !== undefined && { maxItems }),
  };
  const item = editorValue(def.element!, itemOf(spot));
  return {
    ...typed(form, spot),
    items: item,
    ...(Object.keys(lengths).length > 0 && {
      ...when(
        lengths,
        undefined,
        when({ type: 'array' }, refused(`${spot.key}: a list of ${minItems ?? 0}${most} items`)),
      ),
    }),
  };
}

/** The keys of a map, and what is said of others. */
export function keysOf(
  shape: Readonly<Record<string, Schema>>,
  spot: Spot,
  given: Readonly<Record<string, true>> = {},
): JsonSchema {
  const properties: Record<string, JsonSchema | true> = {
    ...given,
    ...Object.fromEntries(
      Object.entries(shape)
        .filter(([key]) => !Object.hasOwn(given, key))
        .map(([key, schema]) => [key, editorValue(schema, under(spot, key))]),
    ),
  };
  return onlyKeys(properties, spot);
}

function onlyKeys(properties: Readonly<Record<string, JsonSchema | true>>, spot: Spot): JsonSchema {
  const names = Object.keys(properties);
  const called = spot.title === '' ? 'a scenario' : spot.title;
  const near = (name: string) => `unknown key in ${called}: did you mean "${name}"?`;
  return {
    errorMessage: `${called} takes a map of these keys: ${names.join(', ')}`,
    properties: properties as Record<string, JsonSchema>,
    // A misspelt key has a message of its own, at the key. One that a merge key (`<<`) brings in
    // is left to the program: the server does not look at the names of those.
    patternProperties: { [`^(${names.map(misspellings).join('|')})$`]: true },
    additionalProperties: false,
    propertyNames: when({ enum: names }, undefined, refuseWord(names, near, undefined)),
  };
}

/** A map whose other keys depend on its `kind`. */
function choiceOf(value: Value, spot: Spot): JsonSchema {
  const { title, lore } = spot;
  const kinds = kindsOf(value, spot);
  const words = kindWords(kinds, spot);
  const kindSpot = under(spot, 'kind');
  const summaries = Object.fromEntries(kinds.map(({ kind, summary }) => [kind, summary]));
  const meanings = { ...summaries, ...lore.meanings[kindSpot.title] };
  const kindLore = { ...lore, meanings: { ...lore.meanings, [kindSpot.title]: meanings } };
  const form = wordForm(words);
  return {
    type: 'object',
    errorMessage: `${spot.key}: a map with a kind, which is ${form.takes}`,
    properties: {
      kind: {
        ...aboutOf(readValue(kinds[0]!.shape['kind']!), form, kindSpot),
        ...leafOf(form, { ...kindSpot, lore: kindLore }),
      },
    },
    // Of a kind that is not known, the keys of all are explained.
    allOf: [
      ...kinds.map(({ names, body }) => when(isKind(names), body)),
      ...(lore.kinds.includes(title) ? [] : [when(isKind(words), undefined, anyKind(kinds, spot))]),
    ],
  };
}

/** The kinds of a choice, with the presets made of each and the keys it takes. */
export function kindsOf({ def }: Value, spot: Spot) {
  const presets = spot.lore.presets[spot.title] ?? {};
  return def.options!.map(memberOf).map((member) => {
    const made = Object.keys(presets).filter((name) => presets[name] === member.kind);
    const source = made.length > 0 ? spot.lore.presetSource : spot.source;
    const body = keysOf(member.shape, { ...spot, source }, { kind: true });
    return { ...member, names: [member.kind, ...made], body };
  });
}

const kindWords = (kinds: ReturnType<typeof kindsOf>, { title, lore }: Spot) => [
  ...Object.keys(lore.presets[title] ?? {}),
  ...kinds.map(({ kind }) => kind),
];

/** What a map without `kind` has to fit, when its kind comes from elsewhere. */
export const withoutKind = (body: JsonSchema) => when({ required: ['kind'] }, undefined, body);

/** The keys of all kinds, with `kind` first: it is what should be written next. */
export function anyKind(kinds: ReturnType<typeof kindsOf>, spot: Spot): JsonSchema {
  const kind = readValue(kinds[0]!.shape['kind']!);
  const place = under(spot, 'kind');
  const form = wordForm(kindWords(kinds, spot));
  const next = { ...aboutOf(kind, form, place), ...typed(form, place) };
  return onlyKeys({ kind: next, ...allKeys(kinds.map(({ body }) => body)) }, spot);
}

/** A kind of a choice: its name, its keys, and one line about it. */
export function memberOf(option: Schema) {
  const { notes, def } = readValue(option);
  const shape = def.shape!;
  const kind = String(definition(readValue(shape['kind']!).core).values![0]);
  return { kind, shape, summary: notes.description ?? '' };
}

/** Fits a map of one of these kinds. */
export const isKind = (names: readonly string[]): JsonSchema => ({
  required: ['kind'],
  properties: { kind: { type: 'string', pattern: `^(${names.map(literally).join('|')})$` } },
});

const literally = (text: string) => text.replaceAll('.', '\\.');

/** The keys of all kinds; one that differs between them is not checked. */
function allKeys(bodies: readonly JsonSchema[]): Record<string, JsonSchema> {
  const keys: Record<string, JsonSchema> = {};
  for (const [key, schema] of bodies.flatMap((body) => Object.entries(body.properties!))) {
    if (key === 'kind') continue;
    const known = keys[key];
    if (!known) keys[key] = schema;
    else if (JSON.stringify(known) !== JSON.stringify(schema)) {
      const { title, description = '', markdownDescription, type, errorMessage } = known;
      const isOneType = JSON.stringify(type) === JSON.stringify(schema['type']);
      const about = { title, description, markdownDescription };
      keys[key] = isOneType ? { ...about, type, errorMessage } : about;
    }
  }
  return keys;
}

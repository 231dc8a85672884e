import * as z from 'zod';
import { type Dimension, dimensionOf, quantityPattern, showQuantity } from '../base/units.ts';
import { listed } from './findings.ts';
import type { JsonSchema } from './json-schema.ts';
import { type Definition, definition, type Schema } from './schema-walk.ts';

/** What an editor has to know of a value, read off the schema that checks it. */

/** What a schema says about itself besides what it checks. */
interface Notes {
  readonly description?: string;
  /** Unit of a number that is written without one. */
  readonly unit?: string;
  /** What the value is when it is left out, where no default says so. */
  readonly usual?: string;
  /** What may be written, where the checks themselves cannot be read. */
  readonly takes?: string;
  /** What fits, likewise. */
  readonly fits?: JsonSchema;
  /** The limits of a quantity, likewise. */
  readonly range?: string;
  /** The only values of a quantity, in base units. */
  readonly only?: readonly number[];
}

/** A schema without what only wraps it. */
export interface Value {
  readonly schema: Schema;
  readonly core: Schema;
  readonly def: Definition;
  readonly notes: Notes;
  readonly isOptional: boolean;
  /** As it is written in YAML; undefined when there is none. */
  readonly fallback: unknown;
  readonly dimension: Dimension | undefined;
}

export function readValue(schema: Schema): Value {
  const def = definition(schema);
  const own = (z.globalRegistry.get(schema) ?? {}) as Notes;
  const inner = def.innerType ?? def.in;
  if (!inner) {
    const dimension = dimensionOf(schema);
    return {
      schema,
      core: schema,
      def,
      notes: own,
      isOptional: false,
      fallback: undefined,
      dimension,
    };
  }
  const value = readValue(inner);
  const { dimension } = value;
  const { defaultValue: given } = def;
  const fallback =
    def.type === 'default' && dimension && typeof given === 'number'
      ? showQuantity(dimension, given)
      : given;
  const limits = def.out && dimension ? limitsOf(def.out, dimension) : {};
  return {
    ...value,
    schema,
    notes: { ...value.notes, ...limits, ...own },
    isOptional: value.isOptional || def.type === 'optional' || fallback !== undefined,
    fallback: fallback ?? value.fallback,
  };
}

/** What comes after the conversion of a quantity. */
function limitsOf(out: Schema, dimension: Dimension): Notes {
  const { type, values } = definition(out);
  if (type === 'literal') return { only: values as readonly number[] };
  if (type !== 'number') return {};
  const json = z.toJSONSchema(out as z.ZodType) as JsonSchema & Limits;
  const { minimum, maximum, exclusiveMinimum } = json;
  const shown = (limit: number) => showQuantity(dimension, limit);
  if (exclusiveMinimum !== undefined) return { range: `more than ${shown(exclusiveMinimum)}` };
  if (minimum === undefined) return {};
  if (maximum === undefined) return { range: `of at least ${shown(minimum)}` };
  return { range: `from ${shown(minimum)} to ${shown(maximum)}` };
}

interface Limits {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly multipleOf?: number;
}

/** What may be written in one place. */
export interface Form {
  /** Types of JSON. */
  readonly types: readonly string[];
  /** Fits what is allowed, and says nothing to people. */
  readonly raw: JsonSchema;
  /** For people: `a size with a unit, for example 512MiB`. */
  readonly takes: string;
  /** The words among what is allowed. */
  readonly words: readonly string[];
  /** Those that may be misspelt; sizes that look alike are no slips of the pen. */
  readonly spelt: readonly string[];
}

/** Undefined for maps with known keys, and for choices by `kind`. */
export function formOf(value: Value): Form | undefined {
  const form = bareForm(value);
  const { takes, fits } = value.notes;
  return form && { ...form, takes: takes ?? form.takes, raw: fits ?? form.raw };
}

function bareForm(value: Value): Form | undefined {
  const { core, def, dimension } = value;
  if (dimension) return quantityForm(value, dimension);
  switch (def.type) {
    case 'enum':
      return wordForm(Object.values(def.entries!));
    case 'literal':
      return literalForm(def.values!);
    case 'boolean':
      return { types: ['boolean'], raw: { type: 'boolean' }, takes: 'true or false', ...NONE };
    case 'string': {
      const raw = rawOf(core);
      return { types: ['string'], raw, takes: textTakes(raw), ...NONE };
    }
    case 'number': {
      const checks = rawOf(core);
      const isOpen = checks['maximum'] === undefined;
      const raw = isOpen ? { ...checks, maximum: Number.MAX_VALUE } : checks;
      return { types: [String(raw['type'])], raw, takes: numberTakes(checks), ...NONE };
    }
    case 'array': {
      const item = formOf(readValue(def.element!));
      const { minItems, maxItems } = rawOf(core);
      const raw = {
        type: 'array',
        ...limited({ minItems, maxItems }),
        ...(item && { items: item.raw }),
      };
      const each = item ? `, each item ${item.takes}` : ' of maps';
      const takes = `a list${item?.takes === ANY ? '' : each}`;
      return { types: ['array'], raw, takes, ...NONE };
    }
    case 'record': {
      const entry = formOf(readValue(def.valueType!));
      const raw = { type: 'object', ...(entry && { additionalProperties: entry.raw }) };
      const takes = entry && entry.takes !== ANY ? `a map, each value ${entry.takes}` : 'a map';
      return { types: ['object'], raw, takes, ...NONE };
    }
    case 'union':
      return def.discriminator === undefined ? unionForm(def) : undefined;
    case 'unknown':
      return { types: [], raw: {}, takes: ANY, ...NONE };
    default:
      return undefined;
  }
}

const ANY = 'anything';
const NONE = { words: [], spelt: [] };

const limited = (limits: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));

/** The beginning of a quantity of nothing: `0ms`, `0.00 ms`. */
const NOTHING = '\\s*[+-]?[0.]+([eE][+-]?\\d+)?\\s*[^\\s\\d.eE]';

function quantityForm({ schema, notes }: Value, dimension: Dimension): Form {
  const { noun, example, units } = dimension;
  const { only, range } = notes;
  const words = only?.map((value) => showQuantity(dimension, value)) ?? [];
  const limits = range === undefined ? '' : `, ${range}`;
  const all = Object.keys(units).join(', ');
  // Whether nothing needs a unit: the checks that follow the conversion know.
  const zero = range === undefined && (schema as z.ZodType).safeParse(0).success;
  const pattern = quantityPattern(dimension, only);
  const text = { type: 'string', pattern: zero ? pattern : `^(?!${NOTHING})${pattern.slice(1)}` };
  return {
    types: ['string', 'number'],
    raw: zero ? { oneOf: [text, { const: 0 }] } : text,
    takes: only
      ? oneOf(words)
      : `a ${noun} with a unit${limits}, for example ${example} (units: ${all})`,
    words,
    spelt: [],
  };
}

export function wordForm(values: readonly unknown[]): Form {
  const words = values.map(String);
  return { types: ['string'], raw: { enum: words }, takes: oneOf(words), words, spelt: words };
}

/** Some words, or some numbers. */
function literalForm(values: readonly unknown[]): Form {
  if (values.some((value) => typeof value !== 'number')) return wordForm(values);
  return { types: ['number'], raw: { enum: values }, takes: oneOf(values.map(String)), ...NONE };
}

const oneOf = (words: readonly string[]) =>
  words.length === 1 ? `"${words[0]}"` : `one of ${listed(words)}`;

function unionForm({ options }: Definition): Form | undefined {
  const forms = options!.map((option) => formOf(readValue(option)));
  if (forms.some((form) => form === undefined)) return undefined;
  // Two that take the same would both fit.
  const known = [
    ...new Map((forms as Form[]).map((form) => [JSON.stringify(form.raw), form])).values(),
  ];
  if (known.length === 1) return known[0];
  return {
    types: [...new Set(known.flatMap(({ types }) => types))],
    raw: { oneOf: known.map(({ raw }) => raw) },
    takes: known.map(({ takes }) => takes).join(', or '),
    words: known.flatMap(({ words }) => words),
    spelt: known.flatMap(({ spelt }) => spelt),
  };
}

/** The checks of a text or number, without what it says about itself. */
function rawOf(core: Schema): JsonSchema {
  const keys = ['type', 'pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'multipleOf'];
  const bounds = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
  const json = z.toJSONSchema(core as z.ZodType, { io: 'input', target: 'draft-7' });
  const kept = Object.entries(json).filter(([key]) => keys.includes(key) || bounds.includes(key));
  return Object.fromEntries(kept);
}

function textTakes({ minLength, maxLength }: JsonSchema): string {
  const least = minLength === 1 ? ' that is not empty' : '';
  return `text${least}${maxLength === undefined ? '' : ` of at most ${maxLength} characters`}`;
}

function numberTakes(raw: JsonSchema & Limits): string {
  const { type, exclusiveMinimum, multipleOf } = raw;
  const noun = type === 'integer' ? 'a whole number' : 'a number';
  // Every integer has the bounds of exact doubles, which say nothing to people.
  const least = raw.minimum === Number.MIN_SAFE_INTEGER ? undefined : raw.minimum;
  const most = raw.maximum === Number.MAX_SAFE_INTEGER ? undefined : raw.maximum;
  const steps = multipleOf === undefined ? '' : `, a multiple of ${multipleOf}`;
  if (exclusiveMinimum !== undefined) return `${noun} above ${exclusiveMinimum}${steps}`;
  if (least === undefined) return noun + (most === undefined ? '' : ` of at most ${most}`) + steps;
  if (most === undefined) return `${noun} of at least ${least}${steps}`;
  return `${noun} from ${least} to ${most}${steps}`;
}

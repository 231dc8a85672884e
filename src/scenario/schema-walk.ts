import type { z } from 'zod';

/**
 * Questions about a schema itself: which keys are allowed at a place, what the defaults are. The
 * answers come from the same declarations that check the values, so they cannot drift apart.
 */
export type Schema = z.core.$ZodType;

/** The part of zod's definitions that is looked at. */
export interface Definition {
  readonly type: string;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly out?: Schema;
  readonly element?: Schema;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly options?: readonly Schema[];
  readonly discriminator?: string;
  readonly values?: readonly unknown[];
  readonly defaultValue?: unknown;
  readonly valueType?: Schema;
  readonly entries?: Readonly<Record<string, string>>;
}
export const definition = (schema: Schema): Definition => schema._zod.def as unknown as Definition;

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Strips what only wraps: defaults, optional, conversions. */
function peel(schema: Schema): Schema {
  const { innerType, in: input } = definition(schema);
  const inner = innerType ?? input;
  return inner ? peel(inner) : schema;
}

/** For a union told apart by a key (`kind`): the member that `value` belongs to. */
function memberFor(schema: Schema, value: unknown): Schema | undefined {
  const { options, discriminator } = definition(schema);
  if (!options) return schema;
  if (discriminator === undefined || !isMap(value)) return undefined;
  const kind = value[discriminator];
  return options.map(peel).find((option) => {
    const literal = definition(option).shape?.[discriminator];
    return literal !== undefined && definition(literal).values?.includes(kind);
  });
}

/** Keys allowed in the map at `path` of `value`; empty when there is no map there. */
export function allowedKeys(
  schema: Schema,
  value: unknown,
  path: readonly PropertyKey[],
): string[] {
  const member = memberFor(peel(schema), value);
  if (!member) return [];
  const { shape, element, valueType } = definition(member);
  const [step, ...rest] = path;
  if (step === undefined) return Object.keys(shape ?? {});
  const next = element ?? valueType ?? shape?.[String(step)];
  const inside = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return next ? allowedKeys(next, inside, rest) : [];
}

/** The schema of the value at `path` without what only wraps it; undefined when there is none. */
export function schemaAt(
  schema: Schema,
  value: unknown,
  path: readonly PropertyKey[],
): Schema | undefined {
  const [step, ...rest] = path;
  const peeled = peel(schema);
  if (step === undefined) return peeled;
  const member = memberFor(peeled, value);
  if (!member) return undefined;
  const { shape, element, valueType } = definition(member);
  const next = element ?? valueType ?? shape?.[String(step)];
  const inside = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return next && schemaAt(next, inside, rest);
}

/** The members of a union without what only wraps them; of any other schema, itself. */
export function membersOf(schema: Schema): Schema[] {
  const { options, discriminator } = definition(schema);
  return options && discriminator === undefined ? options.map(peel) : [schema];
}

/** The words that a schema of fixed words allows. */
export function wordsOf(schema: Schema): readonly unknown[] {
  const { entries, values } = definition(schema);
  return values ?? Object.values(entries ?? {});
}

/** The words that tell the members of a union apart (`kind`); none for any other schema. */
export function kindsOf(schema: Schema): readonly unknown[] {
  const { discriminator, options = [] } = definition(schema);
  if (discriminator === undefined) return [];
  return options.flatMap((option) => wordsOf(definition(peel(option)).shape![discriminator]!));
}

/**
 * A valid input with every default written out, in the order of the schema and in the units of the
 * input.
 */
export function withDefaults(schema: Schema, value: unknown): unknown {
  const { type, innerType, in: input, defaultValue } = definition(schema);
  const inner = innerType ?? input;
  if (inner) {
    const given = value === undefined && type === 'prefault' ? defaultValue : value;
    return withDefaults(inner, given);
  }
  const member = memberFor(schema, value);
  if (!member || value === undefined) return value;
  const { shape, element, valueType } = definition(member);
  if (element && Array.isArray(value)) return value.map((item) => withDefaults(element, item));
  if (valueType && isMap(value)) {
    const entries = Object.entries(value).map(([key, one]) => [key, withDefaults(valueType, one)]);
    return Object.fromEntries(entries);
  }
  if (!shape || !isMap(value)) return value;
  const entries = Object.keys(shape).map((key) => [key, withDefaults(shape[key]!, value[key])]);
  return Object.fromEntries(entries.filter(([, filled]) => filled !== undefined));
}

/**
 * Paths of the values that a schema knows, as `--set` takes them, at most `depth` steps deep; of a
 * choice between kinds, the keys of all of them. The items of a list of maps go by position: `0`.
 */
export function pathsIn(schema: Schema, depth: number): string[] {
  const inside = keysIn(schema);
  if (depth === 0 || inside.length === 0) return [''];
  const paths = inside.flatMap(([key, member]) =>
    pathsIn(member, depth - 1).map((path) => (path === '' ? key : `${key}.${path}`)),
  );
  return [...new Set(paths)];
}

function keysIn(schema: Schema): readonly (readonly [string, Schema])[] {
  const peeled = peel(schema);
  const { shape, element, options } = definition(peeled);
  if (shape) return Object.entries(shape);
  if (element) return keysIn(element).length > 0 ? [['0', element]] : [];
  return (options ?? []).flatMap((option) => keysIn(option));
}

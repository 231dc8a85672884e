import type { JsonSchema } from './json-schema.ts';

/** The schema for editors as a file: what occurs twice is written once, and lines stay readable. */

/** Shorter schemas are repeated. */
const SHARED = 400;

/** The same schema, in which what several keys have in common is a definition. */
export function shared(schema: JsonSchema): JsonSchema {
  const counts = new Map<string, number>();
  for (const { properties } of mapsIn(schema)) {
    for (const inner of Object.values(properties!)) {
      const text = JSON.stringify(inner);
      if (text.length > SHARED) counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  const names = new Map<string, string>();
  const definitions: Record<string, unknown> = {};
  const share = (value: unknown, isKey: boolean): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => share(item, false));
    const text = JSON.stringify(value);
    if (!isKey || (counts.get(text) ?? 0) < 2) return inside(value as JsonSchema);
    if (!names.has(text)) {
      const name = nameOf(value as JsonSchema, definitions);
      names.set(text, name);
      definitions[name] = {};
      definitions[name] = inside(value as JsonSchema);
    }
    return { $ref: `#/definitions/${names.get(text)}` };
  };
  const inside = (value: JsonSchema): JsonSchema =>
    Object.fromEntries(
      Object.entries(value).map(([keyword, inner]) => [
        keyword,
        keyword === 'properties'
          ? Object.fromEntries(
              Object.entries(inner as object).map(([key, of]) => [key, share(of, true)]),
            )
          : share(inner, false),
      ]),
    );
  const whole = inside(schema);
  return { ...whole, definitions };
}

function* mapsIn(value: unknown): Generator<JsonSchema> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value) && typeof (value as JsonSchema).properties === 'object') {
    yield value as JsonSchema;
  }
  for (const inner of Object.values(value)) yield* mapsIn(inner);
}

function nameOf({ title }: JsonSchema, taken: Readonly<Record<string, unknown>>): string {
  const plain = String(title ?? 'rule').replaceAll('[]', '');
  for (let i = 1; ; i++) {
    const name = i === 1 ? plain : `${plain}-${i}`;
    if (!Object.hasOwn(taken, name)) return name;
  }
}

/** Characters of a line that may hold a whole schema. */
const WIDTH = 100;

/** JSON with one line for each keyword or key; conditions that hold no keys are one line. */
export function printed(value: unknown, indent = '', keyword = ''): string {
  const compact = JSON.stringify(value);
  const isCondition = /^(if|then|else|propertyNames|patternProperties)$/.test(keyword);
  if (compact.length < WIDTH || (isCondition && !compact.includes('"properties"'))) return compact;
  if (typeof value !== 'object' || value === null) return compact;
  const deeper = `${indent} `;
  const lines = Array.isArray(value)
    ? value.map((item) => deeper + printed(item, deeper))
    : Object.entries(value).map(
        ([key, inner]) => `${deeper}${JSON.stringify(key)}: ${printed(inner, deeper, key)}`,
      );
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

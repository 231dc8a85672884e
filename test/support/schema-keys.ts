import type { z } from 'zod';

/** Every key that a schema allows, one by one: `vms[].workload(trace).file`. */

interface Definition {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
  readonly discriminator?: string;
  readonly values?: readonly unknown[];
}
const definition = (schema: z.core.$ZodType) => schema._zod.def as unknown as Definition;

/** The keys below `schema`; those of a choice are listed for each of its kinds, which its name has in brackets. */
export function keysOf(schema: z.core.$ZodType, path = ''): string[] {
  const { innerType, in: input, element, shape, options, discriminator } = definition(schema);
  const inner = innerType ?? input;
  if (inner) return keysOf(inner, path);
  if (shape) {
    const below = path === '' ? '' : `${path}.`;
    return Object.entries(shape).flatMap(([key, value]) => keysOf(value, `${below}${key}`));
  }
  if (element) {
    const items = keysOf(element, `${path}[]`);
    return items.length === 1 && items[0] === `${path}[]` ? [path] : items;
  }
  if (discriminator === undefined) return [path];
  const kinds = options!.flatMap((option) => {
    const literal = definition(option).shape![discriminator]!;
    const kind = String(definition(literal).values![0]);
    return keysOf(option, `${path}(${kind})`).filter((key) => !key.endsWith(`).${discriminator}`));
  });
  return [`${path}.${discriminator}`, ...kinds];
}

import type * as z from 'zod';
import { dimensionOf, showQuantity } from '../base/units.ts';
import { definition, schemaAt } from '../scenario/schema-walk.ts';

/** A registered policy, as far as its numbers go. */
interface Described {
  readonly name: string;
  readonly params: z.ZodObject;
}

/** How a description ends that says where its number is from. */
const ORIGIN = /[;,] (published|derived|assumed)(?: \(([^)]*)\))?(?:: (.+))?$/;

/**
 * Tables, in Markdown, of the parameters whose descriptions end in status, range and source of
 * their
 * number. Parameters in groups of their own come under the name of the group.
 */
export function policyTables(policies: readonly Described[]): string {
  return policies
    .map(({ name, params }) =>
      [
        `### ${name}`,
        '',
        '| key | default | status | range | source |',
        '|---|---|---|---|---|',
        ...rowsOf(params, params.parse({}), []),
        '',
      ].join('\n'),
    )
    .join('\n');
}

function rowsOf(
  { shape }: z.ZodObject,
  values: Record<string, unknown>,
  path: readonly string[],
): string[] {
  return Object.entries(shape).flatMap(([key, schema]) => {
    const value = values[key];
    const inner = schemaAt(schema as z.ZodType, value, []) as z.ZodObject;
    if (definition(inner).type === 'object' && definition(inner).shape) {
      return rowsOf(inner, value as Record<string, unknown>, [...path, key]);
    }
    const match = ORIGIN.exec((schema as z.ZodType).description ?? '');
    if (!match) return [];
    const [, status, range = '', source = ''] = match;
    const dimension = dimensionOf(inner);
    const shown = dimension ? showQuantity(dimension, Number(value)) : String(value);
    return `| ${[...path, key].join('.')} | ${shown} | ${status} | ${range} | ${source} |`;
  });
}

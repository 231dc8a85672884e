import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { costsSchema } from '../../src/hypervisor/costs.ts';
import { processorSchema } from '../../src/machine/processor.ts';
import { Cause, ExitReason } from '../../src/stats/leaves.ts';

/** What can be set has an effect, and what can be counted happens: somebody reads every name. */
const root = join(import.meta.dirname, '../../src');
const DECLARATIONS = ['machine/processor.ts', 'hypervisor/costs.ts', 'stats/leaves.ts'];
const code = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.generated.ts'))
  .filter((name) => !DECLARATIONS.includes(name))
  .map((name) => readFileSync(join(root, name), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''))
  .join('\n');

/** Names of all keys of objects in a JSON Schema. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, inner]) =>
    key === 'properties'
      ? Object.entries(inner as object).flatMap(([name, value]) => [name, ...keysOf(value)])
      : keysOf(inner),
  );
}
/** They say what a preset is called elsewhere. */
const LABELS = ['codename', 'family'];

/** Keys read as `x.key`, or taken out of an object by name: `{ key }`, `{ a, key }`, `'key'`. */
const isRead = (key: string) => new RegExp(`(\\.|[{,]\\s*|['"])${key}\\b`).test(code);

describe.each([
  ['processors', processorSchema],
  ['hypervisor profiles', costsSchema],
])('the keys of %s', (_, schema) => {
  it('are all read by something', () => {
    const keys = keysOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
    expect(keys.length).toBeGreaterThan(25);
    expect(keys.filter((key) => !isRead(key) && !LABELS.includes(key))).toEqual([]);
  });
});

describe.each([
  ['ExitReason', ExitReason],
  ['Cause', Cause],
])('the names of %s', (name, values) => {
  it('are all used by something', () => {
    expect(Object.keys(values).filter((key) => !code.includes(`${name}.${key}`))).toEqual([]);
  });
});

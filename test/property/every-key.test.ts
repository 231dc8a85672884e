import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { eventKinds } from '../../src/cluster/events/index.ts';
import { protections } from '../../src/cluster/fault-tolerance/index.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { runScenario } from '../../src/scenario/run.ts';
import { scenarioSchema } from '../../src/scenario/schema.ts';
import { BASES, type Entry, EVERY_KEY, EXCEPTIONS, EXPERIMENTS } from '../support/every-key.ts';
import { keysOf } from '../support/schema-keys.ts';
import { openShippedTrace } from '../support/traces.ts';

/** Every key of a scenario matters: there is a scenario in which another value gives other numbers. */

/** Kinds that can be written down and are refused, since they cannot be simulated yet. */
const refused = [
  ...protections.definitions.map((kind) => ({ ...kind, at: 'vms[].faultTolerance' })),
  ...eventKinds.definitions.map((kind) => ({ ...kind, at: 'events[]' })),
].flatMap(({ at, create, name }) => (create ? [] : [`${at}(${name})`]));

const keys = keysOf(scenarioSchema()).filter(
  (key) => !EXPERIMENTS.test(key) && !refused.some((start) => key.startsWith(start)),
);
const numbers = new Map<string, Promise<string>>();

/** All numbers of the results, without a name. */
function numbersOf(base: string, sets: readonly string[]): Promise<string> {
  const id = [base, ...sets].join('\n');
  const known = numbers.get(id);
  if (known) return known;
  const made = measure(base, sets);
  numbers.set(id, made);
  return made;
}

async function measure(base: string, sets: readonly string[]): Promise<string> {
  const scenario = loadScenario(stringify(BASES[base]), { file: `${base}.yaml`, set: sets });
  const result = await runScenario(scenario, { openTrace: openShippedTrace });
  return JSON.stringify([
    result.windowCycles,
    result.metrics.map(({ value }) => value),
    result.ledger.map(({ cycles }) => cycles),
    result.exits.map((row) => [row.count, row.transitionCycles, row.handlerCycles]),
    result.evictions?.map(({ count }) => count),
    result.latencies.map((row) => Object.values(row).filter((cell) => typeof cell === 'number')),
    result.timeseries.map(({ cycle, value }) => [cycle, value]),
    result.faultTolerance?.map((row) => Object.values(row)),
    result.migrations?.map((row) => Object.values(row).filter((cell) => typeof cell === 'number')),
  ]);
}

describe('the table of keys', () => {
  test('has every key of the schema, or says why it changes nothing', () => {
    const missing = keys.filter((key) => !EVERY_KEY.has(key) && !(key in EXCEPTIONS));
    expect(missing, 'keys without an entry in test/support/every-key.ts').toEqual([]);
  });

  test('has no key twice, and none that is gone', () => {
    const known = [...EVERY_KEY.keys(), ...Object.keys(EXCEPTIONS)];
    expect(known.filter((key, i) => !keys.includes(key) || known.indexOf(key) !== i)).toEqual([]);
  });
});

/** A quick run takes every fourth key, `npm run validate` all of them. */
const full = process.env['VALIDATE'] === 'full';
const chosen = [...EVERY_KEY].filter((_, i) => full || i % 4 === 0);
const entries = chosen.map(([key, { entry, path }]): [string, string, Entry] => [key, path, entry]);
test.each(entries)('%s', async (_, path, [base, value, ...also]) => {
  const before = await numbersOf(base, also);
  const kind = value.startsWith('{') && path.endsWith('.kind') ? path.slice(0, -5) : path;
  const after = await numbersOf(base, [...also, `${kind}=${value}`]);
  expect(after === before, `${kind}=${value} changes no number of ${base}`).toBe(false);
});

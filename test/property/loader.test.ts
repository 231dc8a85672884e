import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { smallYaml } from '../support/program.ts';
import fc from '../support/property.ts';
import { runs } from '../support/scenarios.ts';

/** Loads the text; what is wrong with it must be said as ConfigError, with places inside the text. */
function load(text: string, set: readonly string[] = []): void {
  try {
    loadScenario(text, { file: 's.yaml', set });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.diagnostics.length).toBeGreaterThan(0);
    for (const { place, message } of error.diagnostics) {
      expect(place.line).toBeGreaterThanOrEqual(1);
      expect(place.column).toBeGreaterThanOrEqual(1);
      if (place.file === 's.yaml')
        expect(place.line).toBeLessThanOrEqual(text.split(/\r\n|\r|\n/).length);
      expect(message).not.toMatch(/undefined|\[object|Invalid input/);
    }
  }
}

const valid = smallYaml({ output: '{ timeseries: 1ms }', seed: '7' });
const words = [
  'name',
  'vms',
  'host',
  'kind',
  'extends',
  '<<',
  'x-a',
  '&a',
  '*a',
  '{',
  '}',
  '[',
  ']',
  ':',
  '-',
  '\n',
  ' ',
  '  ',
  '\t',
  '1',
  '-1',
  '0',
  '1e999',
  '.nan',
  '.inf',
  'null',
  'true',
  '~',
  '"',
  "'",
  '|',
  '>',
  '#',
  '!!int',
  '!!binary',
  '---',
  '...',
  '30ms',
  '5MiB',
  'web-server',
  'opteron-1354',
  'constructor',
  '__proto__',
  'toString',
  '\u2028',
  '\u0000',
  '😀',
];

/** SEED=n in the environment tries other texts. */
const seed = Number(process.env['SEED'] ?? 1);
/** Each case of these lists loads a whole scenario. */
const numRuns = runs(50);

describe(`any text is a scenario or a mistake with a place (seed ${seed})`, () => {
  it('random text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => load(text)),
      { seed, numRuns },
    );
  });

  it('random sequences of the words of YAML and of scenarios', () => {
    const text = fc
      .array(fc.constantFrom(...words), { maxLength: 60 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (made) => load(made)),
      { seed, numRuns: runs(150) },
    );
  });

  it('a right scenario with some of its text replaced', () => {
    const edit = fc.record({
      at: fc.nat(valid.length),
      drop: fc.nat(12),
      put: fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 6 })),
    });
    const text = fc
      .array(edit, { minLength: 1, maxLength: 4 })
      .map((edits) =>
        edits.reduce(
          (made, { at, drop, put }) => made.slice(0, at) + put + made.slice(at + drop),
          valid,
        ),
      );
    fc.assert(
      fc.property(text, (made) => load(made)),
      { seed, numRuns },
    );
  });

  it('a right scenario with any override', () => {
    const path = fc.array(
      fc.constantFrom(
        'vms',
        'web',
        '0',
        'host',
        'cpu',
        'tlb',
        'workload',
        'kind',
        'count',
        'seed',
        '__proto__',
      ),
      { minLength: 1, maxLength: 4 },
    );
    const value = fc.oneof(
      fc.constantFrom(...words),
      fc.jsonValue().map((json) => JSON.stringify(json)),
    );
    const set = fc.tuple(path, value).map(([steps, text]) => `${steps.join('.')}=${text}`);
    fc.assert(
      fc.property(fc.array(set, { maxLength: 3 }), (sets) => load(valid, sets)),
      { seed, numRuns },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { ConfigError, type Diagnostic } from '../../src/base/errors.ts';
import { ScenarioTree } from '../../src/scenario/load.ts';
import type { Located } from '../../src/scenario/located.ts';
import { scenarioSchema } from '../../src/scenario/schema.ts';
import { allowedKeys } from '../../src/scenario/schema-walk.ts';
import { aScenario, type Overrides } from '../support/scenarios.ts';

/** What a scenario is told when a value is of the wrong kind, for every key that there is. */

const place = { file: 'test.yaml', line: 1, column: 1 };

function located(value: unknown): Located {
  if (Array.isArray(value)) return { form: 'list', place, items: value.map(located) };
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, inner]) => [key, { key: place, value: located(inner) }] as const,
    );
    return { form: 'map', place, entries: new Map(entries) };
  }
  return { form: 'scalar', place, value: value as string | number | boolean | null };
}

function told(tree: ScenarioTree, path: string, value: unknown): readonly Diagnostic[] {
  try {
    tree.load([{ path, place, value: located(value) }]);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.diagnostics;
  }
}

const message = (overrides: Overrides, path: string, value: unknown): string => {
  const tree = new ScenarioTree(aScenario(overrides), { file: 'test.yaml' });
  return told(tree, path, value)
    .map((d) => (d.suggestion ? `${d.message} — ${d.suggestion}` : d.message))
    .join('\n');
};

const region = (pattern: object) => ({
  name: 'r',
  kind: 'anon',
  size: '64KiB',
  share: 1,
  pattern,
});
const vm = (workload: object) => ({ vms: [{ name: 'vm', memory: '64MiB', pin: [0], workload }] });

/** Between them: every kind of every policy, workload and pattern, and every optional part. */
const bases: readonly Overrides[] = [
  {
    hypervisor: { mmu: { kind: 'shadow' }, tags: { kind: 'none' }, scheduler: { kind: 'credit' } },
    host: { lookahead: '1us' },
    sweep: { axes: { 'vms.vm.count': [1] }, baseline: { 'vms.vm.count': 1 } },
    find: { axis: 'vms.vm.count', to: 2, objective: 'slowdown < 2' },
    ...vm({
      kind: 'synthetic',
      regions: [
        { ...region({ kind: 'zipf' }), name: 'a' },
        { ...region({ kind: 'strided', stride: 2 }), name: 'b' },
        { ...region({ kind: 'working-set', pages: 2, visits: 9 }), name: 'c' },
      ],
      jobs: { instructions: 1000 },
    }),
  },
  {
    hypervisor: { mmu: { kind: 'nested' }, scheduler: { kind: 'round-robin' } },
    ...vm({
      kind: 'synthetic',
      regions: [{ ...region({ kind: 'uniform' }), name: 'a' }],
      requests: { arrivals: { kind: 'open', rate: '100/s' }, instructions: 1000 },
    }),
  },
  vm({
    kind: 'synthetic',
    regions: [{ ...region({ kind: 'uniform' }), name: 'a' }],
    requests: { arrivals: { kind: 'closed', clients: 2, think: '1ms' }, instructions: 1000 },
  }),
  vm({ kind: 'trace', file: 'x.pt' }),
  ...['idle', 'mmap-loop', 'fork-loop', 'context-switch-ring', 'tlb-thrash'].map((kind) =>
    vm({ kind }),
  ),
];

/** Paths of all keys that a scenario may have at the maps it has, as `--set` takes them. */
function* paths(value: unknown, at: readonly (string | number)[] = []): Generator<string> {
  if (at.length > 0) yield at.join('.');
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* paths(item, [...at, i]);
  } else if (typeof value === 'object' && value !== null) {
    const keys = new Set([...Object.keys(value), ...allowedKeys(schema, root, at)]);
    for (const key of keys) {
      if (key.includes('.')) continue;
      yield* paths((value as Record<string, unknown>)[key], [...at, key]);
    }
  }
}

const schema = scenarioSchema();
let root: unknown;

const wrong = [{}, { a: { b: 1 } }, [[{}]], 'zzz', true, null, -0.5, 1e300];
/** Words of the library, and what becomes of values that nobody has looked at. */
const RAW = /Invalid |received|Unrecognized|Too (small|big)|undefined|NaN|\[object|something else/;

describe('a value of the wrong kind, at every key', () => {
  // A quick run tries a key once, whatever scenarios have it.
  const full = process.env['VALIDATE'] === 'full';
  const tried = new Set<string>();

  it.each(bases.map((base, i) => [i, base] as const))('of scenario %i', (_, base) => {
    const tree = new ScenarioTree(aScenario(base), { file: 'test.yaml' });
    root = tree.load().scenario.input;
    const all = [...paths(root)];
    expect(all.length).toBeGreaterThan(150);
    let complaints = 0;
    const chosen = all.filter((path) => full || !tried.has(path));
    for (const path of chosen) {
      tried.add(path);
      for (const value of wrong) {
        for (const { message } of told(tree, path, value)) {
          complaints++;
          if (RAW.test(message)) expect(message, `${path}=${JSON.stringify(value)}`).toBe('');
        }
      }
    }
    expect(complaints).toBeGreaterThanOrEqual(4 * chosen.length);
  });
});

describe('durations, sizes and rates', () => {
  it.each([{}, [], [1], { ms: 3 }, true, null])('that are %j', (value) => {
    expect(message({}, 'duration', value)).toMatch(
      /^not a duration: got (a map|a list|true|nothing), write for example 30ms, or work$/,
    );
    expect(message({}, 'warmup', value)).toMatch(
      /^not a duration: got .*, write for example 30ms$/,
    );
    expect(message({}, 'host.memory', value)).toMatch(/^not a size: got .* for example 512MiB$/);
  });

  it.each([
    ['host.memory', '2G', '2GiB (or 2GB)'],
    ['host.memory', '2048M', '2048MiB (or 2048MB)'],
    ['host.memory', '2Gi', '2GiB'],
    ['host.memory', '2gib', '2GiB'],
    ['host.memory', '2gb', '2GB'],
    ['vms.vm.memory', '65536 KIB', '65536KiB'],
    ['duration', '4msec', '4ms'],
    ['duration', '4 seconds', '4s'],
    ['warmup', '1MS', '1ms'],
    ['host.cpu.clock', '2.2ghz', '2.2GHz'],
    ['host.cpu.clock', '2200M', '2200MHz'],
  ])('%s=%s: did you mean %s?', (path, value, meant) => {
    expect(message({}, path, value)).toContain(`did you mean ${meant}?`);
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('of 2 %s', (unit) => {
    for (const path of ['duration', 'host.memory', 'host.cpu.clock']) {
      expect(message({}, path, `2${unit}`)).toContain(`unknown unit "${unit}"`);
    }
    expect(message({}, 'checks.translations', unit)).toMatch(/must be true or false, got "\w+"$/);
  });

  it('have limits and choices in the units people write', () => {
    const tlb = vm({ kind: 'tlb-thrash', pages: 4 });
    expect(message(tlb, 'vms.vm.workload.pageSize', '1MiB')).not.toContain('did you mean');
    expect(message(tlb, 'vms.vm.workload.pageSize', '1MiB')).toMatch(
      /allowed: 4KiB, 2MiB(, 1GiB)?$/,
    );
    const regions = [{ name: 'a', kind: 'anon', size: '64KiB', share: 1 }];
    const synthetic = vm({ kind: 'synthetic', regions });
    expect(message(synthetic, 'vms.vm.workload.regions.0.size', '1TiB')).toContain(
      'must be at most 256GiB, got "1TiB"',
    );
    expect(message({}, 'hypervisor.mmu', { kind: 'nested', pageSize: '3MiB' })).toContain(
      'the page size must be 4KiB, 2MiB or 1GiB',
    );
  });

  it('are not searched for ways to read a very long text', () => {
    const start = performance.now();
    for (const text of [
      `${'1'.repeat(9000)} x y`,
      `${' '.repeat(9000)}1`,
      `${'1.'.repeat(4000)}%`,
    ]) {
      expect(message({}, 'duration', text)).toMatch(/not a duration/);
      expect(message({ sweep: { axes: {} } }, 'sweep.precision', text)).toMatch(/not a share/);
    }
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('a seed', () => {
  it.each(['=1+1', "=cmd|' /C calc'!A0", '+SUM(A1)', '-x', '@a'])(
    '%s would be a formula',
    (seed) => {
      expect(message({}, 'seed', seed)).toMatch(/^a seed that is no number cannot begin with/);
    },
  );
  it.each(['a=b', '-1', '+2', 'x-1', -1])('%s would not', (seed) => {
    expect(message({}, 'seed', seed)).toBe('');
  });
});

describe('what other programs call it', () => {
  it.each([
    ['rvi', 'nested'],
    ['npt', 'nested'],
    ['EPT', 'nested'],
    ['hap', 'nested'],
    ['bare-metal', 'native'],
  ])('mmu.kind=%s: did you mean %s?', (word, meant) => {
    expect(message({}, 'hypervisor.mmu.kind', word)).toMatch(
      new RegExp(`"${word}" is not allowed for "kind" — did you mean "${meant}"\\? allowed: `),
    );
  });

  it.each([
    ['0-1', '[0, 1]'],
    ['0,2', '[0, 2]'],
    ['0-1,3', '[0, 1, 3]'],
    [2, '[2]'],
  ])('pin=%s: did you mean %s?', (value, meant) => {
    expect(message({}, 'vms.vm.pin', value)).toMatch(
      new RegExp(`must be a list.*did you mean ${meant.replace(/[[\]]/g, '\\$&')}\\?`),
    );
  });

  it.each([
    ['yes', 'true'],
    ['off', 'false'],
  ])('checks.translations=%s', (value, meant) => {
    expect(message({}, 'checks.translations', value)).toContain(`did you mean ${meant}?`);
  });
});

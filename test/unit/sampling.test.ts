import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { samplingText } from '../../src/report/sampled.ts';
import { loadScenario } from '../../src/scenario/load.ts';
import { scenarioYaml } from '../../src/scenario/resolve.ts';
import { aScenario, load, type Overrides } from '../support/scenarios.ts';

/** What a scenario says of long runs, and what it is refused. */

const SERVER = { name: 'vm', memory: '128MiB', workload: { kind: 'web-server' } };
const BASE: Overrides = {
  duration: '1s',
  sampling: { kind: 'learned' },
  vms: [SERVER],
  checks: { translations: false },
};

/** The problems of a scenario: where, and what. */
function problems(overrides: Overrides): string[] {
  try {
    loadScenario(aScenario({ ...BASE, ...overrides }), { file: 'test.yaml' });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.diagnostics.map(
      ({ place, message, excerpt }) =>
        `${excerpt!.trim().slice(0, 30)} @${place.column}: ${message}`,
    );
  }
}

describe('sampling', () => {
  it('is off when nobody asks for it, and not in the complete scenario', () => {
    const scenario = load({ ...BASE, sampling: undefined });
    expect(scenario.sampling).toBeUndefined();
    expect(scenarioYaml(scenario)).not.toContain('sampling');
    expect(load({ ...BASE, sampling: { kind: 'off' } }).sampling).toBeUndefined();
  });

  it('has windows of 10 ms after 5 ms, and a target of 1 %', () => {
    const { sampling } = load(BASE);
    expect(sampling).toEqual({ warm: 11_000_000, detail: 22_000_000, target: 0.01 });
  });

  it('refuses values that mean nothing', () => {
    expect(problems({ sampling: { kind: 'learned', target: 0 } })).toHaveLength(1);
    expect(problems({ sampling: { kind: 'learned', target: 2 } })).toHaveLength(1);
    expect(problems({ sampling: { kind: 'learned', warm: '0ms' } })).toHaveLength(1);
    expect(problems({ sampling: { kind: 'off', warm: '5ms' } })).toHaveLength(1);
    expect(problems({ sampling: { kind: 'smarts' } })).toHaveLength(1);
  });

  it('refuses windows that do not fit into the run', () => {
    expect(problems({ duration: '44ms' })).toEqual([
      'kind: learned @3: four windows of 10ms after 5ms do not fit into 44ms',
    ]);
    expect(problems({ duration: '60ms' })).toEqual([]);
    expect(problems({ duration: '44ms', sampling: { kind: 'learned', detail: '2ms' } })).toEqual(
      [],
    );
  });

  it.each([
    ['page-fault-loop', { kind: 'page-fault-loop' }, 'written one by one'],
    ['fork-loop', { kind: 'fork-loop' }, 'written one by one'],
    ['trace', { kind: 'trace', file: 'a.pt.gz' }, 'the order of its visits'],
    [
      'a working set that grows into new memory',
      {
        kind: 'synthetic',
        regions: [
          {
            ...{ name: 'a', kind: 'anon', size: '1MiB', share: 1, populated: false },
            pattern: { kind: 'working-set', pages: 9, visits: 99 },
          },
        ],
      },
      'cannot be told',
    ],
  ])('refuses %s', (_, workload, why) => {
    const found = problems({ vms: [{ ...SERVER, workload }] });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('vm cannot be sampled');
    expect(found[0]).toContain(why);
    // Nobody runs it.
    expect(problems({ vms: [SERVER, { ...SERVER, name: 'no', count: 0, workload }] })).toEqual([]);
  });

  it('refuses checks and counts that need every visit', () => {
    expect(problems({ checks: { translations: true } })[0]).toContain(
      'translations cannot be checked where the run is sampled',
    );
    expect(problems({ output: { evictions: true } })[0]).toContain(
      'evictions cannot be counted where the run is sampled',
    );
  });

  it('is told in words', () => {
    const outcome = { windows: 9, target: 0.01, detail: 0.123 };
    expect(
      samplingText({ ...outcome, groups: [{ group: 'web', instructions: 1e8, halfWidth: 0.004 }] }),
    ).toBe(
      '12.3 % of the time in detail, in 9 windows; the rest at the costs learned there: ' +
        'web ±0.4 % (95 % intervals)',
    );
    expect(
      samplingText({ ...outcome, groups: [{ group: 'web', instructions: 1e8, halfWidth: 0.04 }] }),
    ).toContain('web ±4.0 % (95 % intervals, more than the target of 1.0 %)');
    expect(
      samplingText({
        ...outcome,
        groups: [{ group: 'web', instructions: 1e5, halfWidth: undefined }],
      }),
    ).toBe(
      '12.3 % of the time in detail, in 9 windows; the rest at the costs learned there; ' +
        'web did too little in them to tell',
    );
  });
});

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from '../../src/base/errors.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import { loadScenario, loadWithPlaces, ScenarioTree } from '../../src/scenario/load.ts';
import { applySets } from '../../src/scenario/overrides.ts';
import { presets } from '../../src/scenario/presets.ts';
import { scenarioYaml } from '../../src/scenario/resolve.ts';

/** Parameters of VMs that one scheduler understands: `vms[].scheduler`. */

const TEXT = (scheduler: string, web: string, more = '') => `name: keys
host: { processor: opteron-1354, pcpus: 2 }
hypervisor:
  profile: kvm-2.6.33
  scheduler: ${scheduler}
vms:
  - name: web
    count: 2
    memory: 32MiB
    ${web}
    workload: { kind: idle }
${more}`;

const load = (scheduler: string, web: string, set: readonly string[] = [], more = '') =>
  loadScenario(TEXT(scheduler, web, more), { file: 'keys.yaml', set });

/** What is said of the scenario, each with line and column. */
function said(...of: Parameters<typeof load>): string[] {
  try {
    load(...of);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.diagnostics.map(
      ({ place: { line, column }, message, suggestion }) =>
        `${line}:${column} ${message}${suggestion ? ` (${suggestion})` : ''}`,
    );
  }
  return [];
}

const paramsOf = (...of: Parameters<typeof load>) => load(...of).vms[0]!.scheduler;

describe('parameters of a VM', () => {
  test('have the defaults of the chosen scheduler, in its units', () => {
    expect(paramsOf('{ kind: bvt }', 'scheduler: { warp: 3ms }')).toEqual({
      warp: 3e9,
      warpLimit: 2e12,
      unwarp: 1e12,
    });
    expect(paramsOf('{ kind: rtds }', 'scheduler: { budget: 500us }')).toEqual({
      period: 10e9,
      budget: 5e8,
      extratime: true,
    });
    expect(paramsOf('{ kind: sedf }', '')).toEqual({ period: 100e9, slice: 0, extratime: true });
    expect(paramsOf('{ kind: credit }', '')).toBeUndefined();
  });

  test('stand in the complete scenario, which gives the same when it is loaded again', () => {
    const scenario = load('{ kind: esx }', 'scheduler: { reservation: 30 }');
    const yaml = scenarioYaml(scenario);
    expect(parse(yaml).vms[0].scheduler).toEqual({ reservation: 30 });
    expect(loadScenario(yaml, { file: 'again.yaml' }).vms).toEqual(scenario.vms);
    expect(parse(scenarioYaml(load('{ kind: credit }', ''))).vms[0]).not.toHaveProperty(
      'scheduler',
    );
  });

  test.each([
    ['credit', 'warp: 1ms', '10:24 "warp" has no effect here: it is for bvt, and credit knows no'],
    [
      'rtds',
      'slice: 1ms',
      '10:25 "slice" has no effect here: it is for sedf, and rtds knows period',
    ],
    [
      'esx',
      'period: 1ms',
      '10:26 "period" has no effect here: it is for sedf, rtds, and esx knows',
    ],
    [
      'cfs',
      'wrap: 1ms',
      '10:18 unknown key "wrap" in vms.web.scheduler (the chosen scheduler knows',
    ],
    ['bvt', 'wrap: 1ms', '10:18 unknown key "wrap" in vms.web.scheduler (did you mean "warp"?)'],
    [
      'sedf',
      'zzz: 1',
      '10:18 unknown key "zzz" in vms.web.scheduler (allowed: period, slice, extra',
    ],
    ['rtds', 'budget: 30ms', '10:26 the budget is longer than the period'],
    ['rtds', 'budget: 1us', '10:26 Xen accepts budgets from 10us'],
    ['sedf', 'period: 5ms', '10:26 "period" has no effect here: slice is 0'],
    ['sedf', 'slice: 200ms', '10:25 the slice is longer than the period'],
    ['bvt', 'unwarp: 1ms', '10:26 "unwarp" has no effect here: warp is 0'],
    ['esx', 'reservation: 120', '10:31 that is more than its vCPU can use (at most 100)'],
    ['esx', 'reservation: -1', '10:31 "vms.web.scheduler.reservation" must be at least 0, got -1'],
    ['credit', 'budget: soon', '10:26 not a duration'],
  ])('of %s: { %s } are refused with their place', (kind, param, message) => {
    const found = said(`{ kind: ${kind} }`, `scheduler: { ${param} }`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });

  test('that ESX could not keep for all VMs are refused', () => {
    const more =
      '  - { name: b, memory: 32MiB, scheduler: { reservation: 70 }, workload: { kind: idle } }';
    const found = said('{ kind: esx }', 'scheduler: { reservation: 80 }', [], more);
    expect(found).toEqual([expect.stringContaining('reserve 230 per cent, the host has 200')]);
    expect(said('{ kind: esx }', 'scheduler: { reservation: 60 }', [], more)).toEqual([]);
  });
});

describe('what a scheduler does not have', () => {
  test.each([
    ['round-robin', 'weight: 512', 'knows no weights'],
    ['round-robin', 'cap: 50', 'knows no caps'],
    ['cfs', 'cap: 50', 'Linux 2.6.33 has no caps: they came with 3.2'],
    ['cfs, version: 2.6.31', 'cap: 50', 'Linux 2.6.31 has no caps'],
    ['credit2, version: xen-4.1', 'cap: 50', 'since Xen 4.10 only'],
    ['bvt', 'cap: 50', 'knows no caps'],
    ['sedf', 'cap: 50', 'a slice with extratime: false is one'],
    ['sedf', 'weight: 512, scheduler: { slice: 2ms }', 'either a slice or a weight'],
    ['rtds', 'weight: 512', 'knows no weights'],
    ['rtds', 'cap: 50', 'budget over period is one'],
  ])('%s refuses %s and says why', (kind, keys, reason) => {
    const lines = keys.split(/, (?=scheduler)/).join('\n    ');
    const found = said(`{ kind: ${kind} }`, lines);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^10:(10|13) /);
    expect(found[0]).toContain(reason);
  });

  test.each([
    ['credit', 'cap: 50'],
    ['credit2', 'cap: 50'],
    ['cfs, version: 3.2.0', 'cap: 50'],
    ['esx', 'cap: 50'],
    ['bvt', 'weight: 512'],
    ['sedf', 'weight: 512'],
    ['cfs', 'weight: 512'],
  ])('%s takes %s', (kind, keys) => {
    expect(said(`{ kind: ${kind} }`, keys)).toEqual([]);
  });
});

describe('another kind of scheduler', () => {
  const kinds = schedulers.definitions.map(({ name }) => name);

  test.each(Object.keys(presets.hypervisors))('can be set under the profile %s', (profile) => {
    for (const kind of kinds) {
      const text = TEXT('{}', '').replace('kvm-2.6.33', profile);
      const file = 'keys.yaml';
      const set = [`hypervisor.scheduler.kind=${kind}`];
      const scenario = loadScenario(text.replace('  scheduler: {}\n', ''), { file, set });
      const bare = schedulers.schema.parse({ kind });
      const own = kind === parse(presets.hypervisors[profile]!).scheduler.kind;
      if (!own) expect(scenario.hypervisor.scheduler).toEqual(bare);
    }
  });

  test('leaves behind the parameters that were meant for that of the profile', () => {
    const set = ['hypervisor.scheduler.kind=credit', 'hypervisor.scheduler.timeslice=20ms'];
    const { scheduler } = load('{ hz: 1000 }', '', set).hypervisor;
    expect(scheduler).toMatchObject({ kind: 'credit', timeslice: 20e9, accounting: 'timestamp' });
    expect(scheduler).not.toHaveProperty('hz');
  });

  test('keeps them when it is the same kind after all', () => {
    const set = ['hypervisor.scheduler.kind=cfs'];
    const { scheduler } = load('{ hz: 1000 }', '', set).hypervisor;
    expect(scheduler).toEqual({ kind: 'cfs', version: '2.6.33', hz: 1000 });
  });

  test('leaves behind parameters of VMs that only the former one knows', () => {
    const set = ['hypervisor.scheduler.kind=credit'];
    expect(paramsOf('{ kind: bvt }', 'scheduler: { warp: 3ms }', set)).toEqual({ warp: 3e9 });
    const scenario = load('{ kind: bvt }', 'scheduler: { warp: 3ms }', set);
    expect(parse(scenarioYaml(scenario)).vms[0]).not.toHaveProperty('scheduler.warp');
  });

  test('leaves no map behind of which nothing is left', () => {
    const resolved = (set: string, keys: string) =>
      parse(scenarioYaml(load('{ kind: bvt }', keys, [`hypervisor.scheduler.kind=${set}`]))).vms[0];
    expect(resolved('credit', 'scheduler: { warp: 3ms }')).not.toHaveProperty('scheduler');
    const two = 'scheduler: { warp: 3ms, warpLimit: 1s }';
    expect(resolved('cfs', two)).not.toHaveProperty('scheduler');
    expect(resolved('esx', two).scheduler).toEqual({ reservation: 0 });
    expect(resolved('sedf', two).scheduler).toHaveProperty('period');
    // The same where a workload loses what it said.
    const io =
      'workload: { kind: synthetic, regions: [{ name: a, kind: anon, size: 64KiB, share: 1 }], per1M: { mmap: { calls: 1, pages: 3 } } }';
    const text = TEXT('{ kind: cfs }', '').replace('workload: { kind: idle }', io);
    const set = ['vms.web.workload.per1M.mmap={ pages: 3 }'];
    expect(() => loadScenario(text, { file: 'x.yaml', set })).toThrow('"pages" has no effect');
  });

  test.each<[string, string, string, string[]]>([
    ['cap: 50', 'credit', 'cfs', ['10:10 cap: Linux 2.6.33 has no caps: they came with 3.2']],
    [
      'cap: 50',
      'esx',
      'bvt',
      ['10:10 cap: bvt knows no caps: who is awake shares all of the pCPU'],
    ],
    [
      'weight: 512',
      'cfs',
      'rtds',
      [expect.stringContaining('10:13 weight: rtds knows no weights')],
    ],
    [
      'scheduler: { warp: 1ms }',
      'bvt',
      'cfs',
      [expect.stringContaining('10:24 warp: it is for bvt')],
    ],
    ['cap: 50', 'credit', 'esx', []],
    ['weight: 256', 'credit', 'rtds', []],
  ])('is told what the file says in vain: %s under %s, then %s', (keys, of, set, told) => {
    const tree = new ScenarioTree(TEXT(`{ kind: ${of} }`, keys), {
      file: 'keys.yaml',
      change: (root, findings) => applySets(root, [`hypervisor.scheduler.kind=${set}`], findings),
    });
    const { deprived, diagnose } = tree.load();
    const lines = deprived.map(({ path, reason }) => {
      const { line, column } = diagnose(path, '').place;
      return `${line}:${column} ${path.at(-1)}: ${reason}`;
    });
    expect(lines).toEqual(told);
  });

  test('tells nothing where a sweep varies what the keys depend on', () => {
    const sweep = 'sweep: { axes: { hypervisor.scheduler.kind: [bvt, credit] } }';
    const text = TEXT('{ kind: bvt }', 'scheduler: { warp: 3ms }', sweep);
    const set = ['hypervisor.scheduler.kind=credit'];
    expect(loadWithPlaces(text, { file: 'keys.yaml', set }).deprived).toEqual([]);
  });

  test('of a sweep may find the parameters of each side by side', () => {
    const sweep = 'sweep: { axes: { hypervisor.scheduler.kind: [bvt, sedf, rtds, credit] } }';
    const keys = 'scheduler: { warp: 1ms, slice: 2ms, period: 10ms, budget: 1ms }';
    expect(said('{ kind: credit }', keys, [], sweep)).toEqual([]);
  });

  test('does not hide a mistake in the file', () => {
    const found = said('{ kind: credit }', 'scheduler: { warp: 3ms }', ['vms.web.weight=100']);
    expect(found).toEqual([expect.stringContaining('"warp" has no effect here')]);
  });
});

import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { loadScenario, ScenarioTree } from '../../src/scenario/load.ts';

const base = `name: s
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: web, memory: 128MiB, workload: { kind: web-server } }
`;
const load = (experiment: string) => loadScenario(base + experiment, { file: 's.yaml' });
function problems(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
}

describe('the sweep: part of a scenario', () => {
  it('gets its defaults, and percentages become shares', () => {
    const { sweep } = load('sweep:\n  axes: { vms.web.count: [1, 2] }\n  precision: 2%\n');
    expect(sweep).toMatchObject({
      axes: { 'vms.web.count': [1, 2] },
      replications: 5,
      precision: 0.02,
      maxReplications: 50,
    });
  });

  it('is absent when nothing was written', () => {
    expect(load('')).toMatchObject({ sweep: undefined, find: undefined });
  });

  it.each([
    ['replicationz: 3', '7:3: error: unknown key "replicationz"', 'did you mean "replications"?'],
    ['replications: 0', '7:17: error:', 'at least 1'],
    ['precision: 5', '7:14: error:', 'write for example 2%'],
    ['metrics: [slowdwn]', '7:13: error: "slowdwn"', 'did you mean "slowdown"?'],
    ['labels: { vms.web.count: a b }', '7:28: error:', 'a label is one word'],
    ['zip: 3', '7:8: error:', 'must be a list'],
  ])('refuses %s with its place', (line, place, hint) => {
    const text = problems(() => load(`sweep:\n  ${line}\n`));
    expect(text).toContain(`s.yaml:${place}`);
    expect(text).toContain(hint);
  });

  it('is not allowed to be anything but a map', () => {
    expect(problems(() => load('sweep: fast\n'))).toContain('s.yaml:6:8: error:');
  });
});

describe('the find: part of a scenario', () => {
  it.each([
    ['find: {}', 'missing key "axis"'],
    ['find: { axis: vms.web.count, to: 8 }', 'missing key "objective"'],
    ['find: { axis: vms.web.count, objective: slowdown < 2 }', 'missing key "to"'],
  ])('needs an axis, an end and an objective: %s', (line, message) => {
    expect(problems(() => load(`${line}\n`))).toContain(`s.yaml:6:1: error: ${message}`);
  });
});

describe('a scenario with replaced values', () => {
  const tree = new ScenarioTree(base, { file: 's.yaml' });
  const place = { file: 's.yaml', line: 5, column: 3 };
  const value = (path: string, to: string | number) => ({
    path,
    place,
    value: { form: 'scalar', place: { ...place, column: 30 }, value: to } as const,
  });

  it('equals the one where they were set on the command line', () => {
    const { scenario } = tree.load([value('vms.web.count', 3), value('host.sockets', 2)]);
    const set = ['vms.web.count=3', 'host.sockets=2'];
    expect(scenario).toEqual(loadScenario(base, { file: 's.yaml', set }));
  });

  it('leaves the tree as it was', () => {
    tree.load([value('vms.web.count', 3)]);
    expect(tree.load().scenario.vms[0]!.count).toBe(1);
  });

  it('shows a wrong value where it was written, and a wrong path inside its key', () => {
    expect(problems(() => tree.load([value('vms.web.count', 999)]))).toContain(
      's.yaml:5:30: error',
    );
    const text = problems(() => tree.load([value('vms.wbe.count', 9)]));
    expect(text).toContain('s.yaml:5:7: error: no item "wbe" in the list — did you mean "web"?');
  });

  it('does not carry the problems of one load into the next', () => {
    problems(() => tree.load([value('vms.web.count', 999)]));
    expect(problems(() => tree.load([value('vms.web.count', 2)]))).toBe('none');
  });
});

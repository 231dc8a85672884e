import { describe, expect, it } from 'vitest';
import type { ConfigError } from '../../src/base/errors.ts';
import { ScenarioTree } from '../../src/scenario/load.ts';
import { type AnySetting, applySettings, asSets } from '../../src/scenario/settings.ts';
import { yamlFault } from '../../src/scenario/yaml-faults.ts';
import { makePlan } from '../../src/sweep/plan.ts';
import { smallYaml } from '../support/program.ts';

/** The values of `--axis` and `--across`, and what is said of faulty ones. */

const axis = (text: string): AnySetting => ({
  ...{ option: '--axis', text, form: 'axis' },
  ...{ key: 'sweep', within: 'axes' },
});
const tree = (...set: readonly AnySetting[]) =>
  new ScenarioTree(smallYaml(), {
    file: 's.yaml',
    explainYaml: yamlFault,
    change: (root, findings) => applySettings(root, set, findings),
  });
const labels = (...texts: readonly string[]) =>
  makePlan(tree(...texts.map(axis))).space.axes.map(({ values }) =>
    values.map(({ label }) => label),
  );

function fault(...set: readonly AnySetting[]): string {
  try {
    const plan = makePlan(tree(...set));
    for (let i = 0; i < plan.points; i++) plan.point(i).load();
  } catch (error) {
    return (error as ConfigError).message;
  }
  throw new Error('there is no fault');
}

describe('an axis as it is typed', () => {
  it('suggests a key of the file, which it may replace', () => {
    expect(fault(axis('vms.web.cuont=1,2'))).toContain('did you mean "count"?');
    expect(fault(axis('host.pcpsu=1,2'))).toContain('did you mean "pcpus"?');
  });

  it.each([
    ['vms.web.count=1,2,4', ['1', '2', '4']],
    ['vms.web.count=1..4', ['1', '2', '3', '4']],
    ['vms.web.count=1..3,8,16', ['1', '2', '3', '8', '16']],
    ['vms.web.count = 0, 2..3 ', ['0', '2', '3']],
    ['vms.web.count=4', ['4']],
    ['hypervisor.mmu.kind=nested,shadow', ['nested', 'shadow']],
    ['duration=10ms,30ms', ['10ms', '30ms']],
    ['vms.web.memory=256MiB,0.5GiB', ['256MiB', '0.5GiB']],
    ['vms.web.count=[1, 2]', ['1', '2']],
    ['vms.web.count={few: 1, many: 3}', ['few', 'many']],
    [
      'hypervisor.mmu={kind: shadow},{kind: nested, pageSize: 2MiB}',
      ['{ kind: shadow }', '{ kind: nested, pageSize: 2MiB }'],
    ],
    ['hypervisor.mmu=[{kind: shadow}, {kind: nested}]', ['{ kind: shadow }', '{ kind: nested }']],
    ['vms.web.pin=[0],[0, 0]', ['[ 0 ]', '[ 0, 0 ]']],
    ['seed="a,b",c', ['a,b', 'c']],
    ["seed='1..3',x", ['1..3', 'x']],
  ])('%s', (text, values) => {
    expect(labels(text)).toEqual([values]);
  });

  it('stands beside others, and beside --set', () => {
    expect(labels('vms.web.count=1,2', 'hypervisor.mmu.kind=nested,shadow')).toHaveLength(2);
    const plan = makePlan(tree(axis('vms.web.count=1..3'), 'sweep.replications=2', 'duration=9ms'));
    expect([plan.points, plan.replications, plan.base.input['duration']]).toEqual([3, 2, '9ms']);
  });

  it('is kept as what --set takes', () => {
    const settings = [axis('vms.web.count=1..3'), axis('seed=x,2'), 'duration=9ms'];
    expect(asSets(settings)).toEqual([
      'sweep={ axes: { vms.web.count: [ 1, 2, 3 ], seed: [ x, 2 ] } }',
      'duration=9ms',
    ]);
    const [first, second] = [settings, asSets(settings)].map((set) => makePlan(tree(...set)));
    expect(first!.points).toBe(6);
    expect(second!.space.axes.map(({ values }) => values.map(({ label }) => label))).toEqual(
      first!.space.axes.map(({ values }) => values.map(({ label }) => label)),
    );
  });
});

describe('a fault of an option names it and quotes it', () => {
  it.each([
    [
      'vms.web.count',
      '1:1',
      'expected path=values, got "vms.web.count" — for example vms.web.count=1,2,4',
    ],
    ['vms.web.count=', '1:1', 'expected path=values, got "vms.web.count="'],
    ['=1,2', '1:1', 'expected path=values, got "=1,2"'],
    ['vms.web.count=1,,2', '1:17', 'a value is missing between the commas'],
    ['vms.web.count=1,2,', '1:19', 'a value is missing between the commas'],
    ['vms.web.count=8..1', '1:15', 'the range "8..1" ends before it begins — did you mean 1..8?'],
    [
      'vms.web.count=2,1ms..5ms',
      '1:17',
      '"1ms..5ms" is not a range: it takes whole numbers, such as 1..8',
    ],
    ['vms.web.count=1..', '1:15', '"1.." is not a range'],
    ['vms.web.count=0.5..2', '1:15', '"0.5..2" is not a range'],
    ['vms.web.count=1..99999', '1:15', '"1..99999" has more than 10000 values'],
    [
      'vms.web.count=[1..4, 8]',
      '1:16',
      'a range such as 1..4 does not stand in a list — leave out the brackets: vms.web.count=1..4,8',
    ],
    ['vms.web.count=1,x', '1:17', '"vms.web.count" must be a number, got "x"'],
    ['vms.web.count=600..601', '1:15', '"vms.web.count" must be at most 512, got 600'],
    ['vms.web.count=1,2,1', '1:19', '"1" appears twice in "vms.web.count"'],
    [
      'vms.wbe.count=1,2',
      '1:5',
      'no item "wbe" in the list (at the point vms.wbe.count=1) — did you mean "web"?',
    ],
    ['hypervisor.mmu={kind: shadow},{kind: nested', '1:31', 'this { has no }'],
    ['name=a,b', '1:1', '"name" cannot be swept'],
  ])('%s', (text, at, message) => {
    const said = fault(axis(text));
    expect(said).toContain(`--axis:${at}: error: ${message}`);
    expect(said).toContain(`\n    ${text}`);
    expect(said).not.toMatch(/axes:|--set/);
  });

  it('counts the uses of each option by itself', () => {
    const said = fault(
      'duration=9ms',
      axis('vms.web.count=1'),
      axis('vms.web.count=2'),
      'vms.0.count=x',
      {
        ...{ option: '--seed', text: '=1', form: 'text', key: 'seed' },
      },
    );
    expect(said.match(/^--\w+:\d:\d+/gm)).toEqual(['--set:2:13', '--axis:2:1', '--seed:1:1']);
  });
});

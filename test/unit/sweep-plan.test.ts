import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { ScenarioTree } from '../../src/scenario/load.ts';
import { checkPoints, makePlan, replicationSeed, setArguments } from '../../src/sweep/plan.ts';

const base = `name: s
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: web, memory: 64MiB, workload: { kind: idle } }
sweep:
`;
const plan = (sweep: string) => makePlan(new ScenarioTree(base + sweep, { file: 's.yaml' }));
const labels = (sweep: string) => {
  const made = plan(sweep);
  return Array.from({ length: made.points }, (_, i) =>
    made
      .point(i)
      .values.map(({ label }) => label)
      .join(' '),
  );
};
function problems(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
}

describe('the points of a sweep', () => {
  it('are all combinations, the last axis advancing fastest', () => {
    expect(
      labels('  axes: { hypervisor.mmu.kind: [shadow, nested], vms.web.count: [1, 2, 4] }\n'),
    ).toEqual(['shadow 1', 'shadow 2', 'shadow 4', 'nested 1', 'nested 2', 'nested 4']);
  });

  it('take a map away where an axis says null', () => {
    const made = (axes: string) => plan(`  axes: ${axes}\n`).point(0).load().scenario;
    const { kind } = made('{ hypervisor.mmu: [null, { kind: shadow }] }').hypervisor.mmu;
    expect(kind).toBe('nested');
    expect(problems(() => made('{ vms.web.workload: [null, { kind: idle }] }'))).toMatch(
      /error: missing key "workload" in vms.web/,
    );
    // What is no map has a value, and so has what is not there.
    expect(problems(() => made('{ vms.web.memory: [null, 1GiB] }'))).toMatch(/got nothing/);
    expect(problems(() => made('{ vms.web.requests: [null, 1] }'))).toMatch(
      /unknown key "requests"/,
    );
  });

  it('advance together where they are zipped', () => {
    expect(
      labels(`  axes: { vms.web.count: [1, 2] }
  zip:
    - { host.processor: [opteron-1354, opteron-2218], hypervisor.mmu.kind: [nested, shadow] }
`),
    ).toEqual([
      '1 opteron-1354 nested',
      '1 opteron-2218 shadow',
      '2 opteron-1354 nested',
      '2 opteron-2218 shadow',
    ]);
  });

  it('are those that where keeps', () => {
    expect(
      labels(`  axes: { hypervisor.mmu.kind: [shadow, nested], vms.web.count: [1, 8] }
  where: [vms.web.count < 8 or hypervisor.mmu.kind == nested, vms.web.count > 0]
`),
    ).toEqual(['shadow 1', 'nested 1', 'nested 8']);
  });

  it('take whole policies, by label', () => {
    const made = plan(`  axes:
    hypervisor.mmu: { small: { kind: nested }, large: { kind: nested, pageSize: 2MiB } }
  labels: { hypervisor.mmu: paging }
`);
    expect(made.space.axes[0]!.column).toBe('paging');
    expect(made.point(1).values[0]!.label).toBe('large');
    expect(made.point(1).load().scenario.hypervisor.mmu).toMatchObject({ pageSize: 2 ** 21 });
    expect(setArguments(made.point(1).values)).toEqual([
      '--set',
      'hypervisor.mmu={ kind: nested, pageSize: 2MiB }',
    ]);
  });

  it('load like the same scenario with --set', () => {
    const made = plan('  axes: { hypervisor.mmu.kind: [shadow, nested], vms.web.count: [1, 2] }\n');
    const { scenario } = made.point(1).load();
    const set = ['hypervisor.mmu.kind=shadow', 'vms.web.count=2'];
    const same = new ScenarioTree(base.replace('sweep:\n', ''), { file: 's.yaml', set }).load();
    expect(scenario.vms).toEqual(same.scenario.vms);
    expect(scenario.hypervisor).toEqual(same.scenario.hypervisor);
  });

  it('know the point they are compared with', () => {
    const made = plan(`  axes: { hypervisor.mmu.kind: [shadow, nested], vms.web.count: [1, 2, 3] }
  where: vms.web.count < 3 or hypervisor.mmu.kind == shadow
  baseline: { hypervisor.mmu.kind: nested }
`);
    const compared = Array.from({ length: made.points }, (_, i) => made.point(i).baseline);
    expect(compared).toEqual([3, 4, undefined, 3, 4]);
  });

  it('draw the same numbers in the same replication', () => {
    expect(replicationSeed('7', 2)).toBe('7/2');
  });
});

describe('a wrong sweep', () => {
  it.each([
    ['  axes: { vms.web.count: [] }\n', '7:26: error:', 'at least 1 item'],
    ['  axes: { vms.web.count: [1, 1] }\n', '7:30: error:', '"1" appears twice'],
    ['  axes: { name: [a, b] }\n', '7:11: error:', '"name" cannot be swept'],
    ['  axes: { host: [{}], host.sockets: [1] }\n', '7:23: error:', 'set the same value'],
    ['  axes: { vms.web.count: {} }\n', '7:26: error:', 'has no values'],
    [
      '  zip: [{ vms.web.count: [1, 2], host.sockets: [1] }]\n',
      '7:9: error:',
      'vms.web.count has 2, host.sockets has 1',
    ],
    [
      '  axes: { vms.web.count: [1] }\n  where: vms.web.count < kvn\n',
      '8:26: error:',
      '"kvn" is neither',
    ],
    ['  axes: { vms.web.count: [1] }\n  where: vms.web.count > 1\n', '8:10: error:', 'no point'],
    [
      '  axes: { vms.web.count: [1] }\n  baseline: { vms.web.count: 3 }\n',
      '8:30: error:',
      '"3" is no value',
    ],
    [
      '  axes: { vms.web.count: [1] }\n  baseline: { vms.web.cont: 1 }\n',
      '8:15: error:',
      'did you mean "vms.web.count"?',
    ],
    [
      '  axes: { vms.web.count: [1] }\n  labels: { vms.web.cont: n }\n',
      '8:13: error:',
      'did you mean "vms.web.count"?',
    ],
  ])('is refused at its place: %s', (sweep, place, message) => {
    const text = problems(() => plan(sweep));
    expect(text).toContain(`s.yaml:${place}`);
    expect(text).toContain(message);
  });

  it('says that there is none', () => {
    const tree = new ScenarioTree(base.replace('sweep:\n', ''), { file: 's.yaml' });
    expect(problems(() => makePlan(tree))).toContain('there is nothing to sweep');
  });

  it('shows values that do not fit where they stand, each once, and at which point', () => {
    const made = plan(`  axes:
    hypervisor.mmu.kind: [shadow, nestd]
    vms.web.cuont: [1]
    vms.web.count: [2, 999]
`);
    const text = problems(() => checkPoints(made, () => {}));
    expect(text).toContain('s.yaml:8:35: error: "nestd" is not allowed');
    expect(text).toContain('s.yaml:9:13: error: unknown key "cuont"');
    expect(text).toContain('s.yaml:10:24: error:');
    expect(text).toContain(
      'at the point hypervisor.mmu.kind=shadow, vms.web.cuont=1, vms.web.count=999',
    );
    expect(text.match(/s\.yaml:8:35/g)).toHaveLength(1);
  });

  it('is stopped when the product explodes', () => {
    const many = `[${Array.from({ length: 2000 }, (_, i) => i).join(', ')}]`;
    const text = problems(() => plan(`  axes: { seed: ${many}, vms.web.count: ${many} }\n`));
    expect(text).toContain('4000000 combinations are more than 100000');
  });
});

import { describe, expect, it } from 'vitest';
import { ScenarioTree } from '../../src/scenario/load.ts';
import { direction, mainAxis, pairedDifference } from '../../src/sweep/compare.ts';
import { findCommand } from '../../src/sweep/find-command.ts';
import { makePlan } from '../../src/sweep/plan.ts';

const samples = (...values: readonly (number | undefined)[]) =>
  new Map(values.flatMap((value, r) => (value === undefined ? [] : [[r, value] as const])));

describe('a paired difference', () => {
  it('is that of the replications that both have', () => {
    const found = pairedDifference(samples(12, undefined, 33, 50), samples(10, 20, 30))!;
    // Pairs 12 - 10 and 33 - 30.
    expect(found).toMatchObject({ n: 2, mean: 2.5 });
    expect(found.halfWidth).toBeCloseTo(12.7062 * 0.5, 3);
    expect(pairedDifference(samples(1), samples(undefined, 2))).toBeUndefined();
  });

  it('is narrow where chance does the same to both', () => {
    // An outlier in both: as two means they differ by 1 ± 13, in pairs by 1 ± 0.
    const found = pairedDifference(samples(2, 3, 2.5, 12.5, 2), samples(1, 2, 1.5, 11.5, 1))!;
    expect(found.mean).toBeCloseTo(1, 12);
    expect(found.halfWidth).toBeCloseTo(0, 12);
    expect(direction(found)).toBe('more');
  });

  it('says nothing that it cannot show', () => {
    expect(direction({ n: 5, mean: 0.9, halfWidth: 1.58 })).toBe('none shown');
    expect(direction({ n: 5, mean: -0.9, halfWidth: 0.2 })).toBe('less');
    expect(direction({ n: 1, mean: 7, halfWidth: undefined })).toBe('one pair only');
    expect(direction({ n: 3, mean: 0, halfWidth: 0 })).toBe('none shown');
  });

  it('does not exist where a value has no bound', () => {
    const starved = samples(1, Number.POSITIVE_INFINITY, 2);
    expect(pairedDifference(starved, samples(1, 2, 3))).toBeUndefined();
    expect(pairedDifference(starved, starved)).toBeUndefined();
  });
});

describe('the axis along which a sweep is read', () => {
  it('counts VMs, or has most numbers', () => {
    const slices = {
      path: 'hypervisor.scheduler.timeslice',
      values: ['100us', '1ms', '10ms', '30ms'],
    };
    const count = { path: 'vms.web.count', values: ['1', '2'] };
    const mmu = { path: 'hypervisor.mmu.kind', values: ['nested', 'shadow'] };
    expect(mainAxis([mmu, slices, count])).toBe(2);
    expect(mainAxis([mmu, slices])).toBe(1);
    expect(mainAxis([mmu])).toBeUndefined();
    expect(mainAxis([{ path: 'vms.web.count', values: ['4'] }, slices])).toBe(1);
  });
});

describe('the baseline of a sweep that names none', () => {
  const baselines = (axes: string, more = '') => {
    const text = `name: s
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms: [{ name: web, memory: 64MiB, workload: { kind: idle } }]
sweep: { axes: { ${axes} }${more} }
`;
    const plan = makePlan(new ScenarioTree(text, { file: 's.yaml' }));
    return Array.from({ length: plan.points }, (_, i) => plan.point(i).baseline);
  };

  it('is the first value of each axis but the number of VMs', () => {
    const axes =
      'vms.web.count: [1, 2], hypervisor.mmu.kind: [nested, shadow], hypervisor.tags.kind: [kvm, none]';
    expect(baselines(axes)).toEqual([0, 0, 0, 0, 4, 4, 4, 4]);
  });

  it('is the first number of VMs where nothing else varies', () => {
    expect(baselines('vms.web.count: [4, 1, 2], host.sockets: [1]')).toEqual([0, 0, 0]);
  });

  it('leaves seeds alone, and is left out with `where`', () => {
    expect(baselines('seed: [1, 2, 3]')).toEqual([undefined, undefined, undefined]);
    expect(baselines('seed: [1, 2], hypervisor.mmu.kind: [nested, shadow]')).toEqual([0, 0, 2, 2]);
    const where = ', where: "vms.web.count > 1 or hypervisor.mmu.kind == shadow"';
    const axes = 'vms.web.count: [1, 2], hypervisor.mmu.kind: [nested, shadow]';
    expect(baselines(axes, where)).toEqual([undefined, 1, 1]);
  });
});

describe('the command that decides what is open', () => {
  const open = {
    file: 'my file.yaml',
    set: ['sweep={axes: {a: [1]}}', 'host.pcpus=2'],
    axis: 'vms.web.count',
    from: '8',
    to: '16',
    objective: 'p99 latency < 10ms',
    across: [['hypervisor.mmu.kind', ['nested']]],
  } as const;

  it('can be pasted into a shell', () => {
    expect(findCommand(open)).toBe(
      "npx worldswitch find 'my file.yaml' --set host.pcpus=2 --axis vms.web.count --from 8 --to 16" +
        " --objective 'p99 latency < 10ms' --across hypervisor.mmu.kind=nested",
    );
  });

  it('counts in one unit, in steps that make sense', () => {
    const slices = { ...open, set: [], across: [], axis: 'x', from: '500us', to: '1ms' };
    expect(findCommand(slices)).toContain('--from 500us --to 1000us --set find.step=8 ');
    expect(findCommand({ ...slices, from: '1ms', to: '30ms' })).toContain('--to 30ms --objective');
  });
});

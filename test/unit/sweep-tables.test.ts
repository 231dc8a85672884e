import { describe, expect, it } from 'vitest';
import { ScenarioTree } from '../../src/scenario/load.ts';
import { makePlan } from '../../src/sweep/plan.ts';
import { nextReplications } from '../../src/sweep/replicate.ts';
import { shortWindows } from '../../src/sweep/short-windows.ts';
import {
  arrayScript,
  BatchLineError,
  batchLines,
  maxArraySizeIn,
  shardCount,
} from '../../src/sweep/slurm.ts';
import { differencesCsv, pointsCsv, summaryCsv, type UnitSource } from '../../src/sweep/tables.ts';
import type { UnitResult } from '../../src/sweep/unit.ts';

const planned = (sweep: string) =>
  makePlan(
    new ScenarioTree(
      `name: s
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: web, memory: 64MiB, workload: { kind: idle } }
sweep:
  axes: { vms.web.count: [1, 2] }
  metrics: [work_per_second, host_busy]
${sweep}`,
      { file: 's.yaml' },
    ),
  );

const unit = (rate: number, busy = 0.5): UnitResult => ({
  mhz: 2200,
  windowCycles: 1000,
  host: { host_busy: busy },
  groups: [
    {
      group: 'web',
      vms: 1,
      workload: 'idle',
      unit: 'none',
      values: { work_per_second: rate },
      ledger: { 'guest.user': 5, 'walk.guest/cold': 2, 'walk.guest/cr3': 3 },
    },
  ],
  vms: [],
  findings: [],
});

/** Results by point and replication; undefined = failed. */
const source = (results: readonly (readonly (UnitResult | undefined)[])[]): UnitSource => ({
  result: (point, r) => results[point]?.[r],
  unit: (point, r) => `u${point}${r}`,
  seed: (_, r) => `1/${r}`,
});
const rows = (csv: Iterable<string>) =>
  [...csv]
    .join('')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));

describe('the tables of a sweep', () => {
  const plan = planned('  replications: 3\n  baseline: { vms.web.count: 1 }\n');
  const results = [
    [unit(10), unit(12), unit(14)],
    [unit(30, 0.7), undefined, unit(42, 0.9)],
  ];

  it('leave a failed unit out and count what is there', () => {
    const summary = rows(summaryCsv(plan, source(results)));
    expect(summary.slice(1).map((row) => row.slice(0, 8))).toEqual([
      ['0', '1', 'web', 'work_per_second', 'per-second', '12', expect.any(String), '3'],
      ['0', '1', 'host', 'host_busy', 'ratio', '0.5', '0', '3'],
      ['1', '2', 'web', 'work_per_second', 'per-second', '36', expect.any(String), '2'],
      ['1', '2', 'host', 'host_busy', 'ratio', '0.8', expect.any(String), '2'],
    ]);
    // t(0.975, 2) = 4.3027; the standard error of 10, 12, 14 is 2 / sqrt(3).
    expect(Number(summary[1]![6])).toBeCloseTo((4.3027 * 2) / Math.sqrt(3), 3);
  });

  it('hold the paired difference to the baseline beside every mean', () => {
    const [head, ...summary] = rows(summaryCsv(plan, source(results)));
    expect(head!.slice(8)).toEqual(['baseline', 'difference', 'difference_half_width', 'pairs']);
    expect(summary.map((row) => row.slice(8))).toEqual([
      ['', '', '', ''],
      ['', '', '', ''],
      // Pairs 30 - 10 and 42 - 14: t(0.975, 1) = 12.706, and the standard error is 4.
      ['0', '24', expect.stringMatching(/^50\.82/), '2'],
      ['0', '0.3', expect.stringMatching(/^1\.27/), '2'],
    ]);
  });

  it('have no difference where a value has no bound, and none of the mean', () => {
    const { groups, ...rest } = unit(30);
    const starved: UnitResult = {
      ...rest,
      groups: groups.map((group) => ({ ...group, values: { work_per_second: Infinity } })),
    };
    const mixed = source([results[0]!, [unit(30), starved, unit(42)]]);
    const row = rows(summaryCsv(plan, mixed)).find((cells) => cells[0] === '1');
    expect(row!.slice(5)).toEqual(['inf', '', '3', '0', '', '', '']);
    const [head, ...points] = rows(pointsCsv(plan, mixed));
    expect(points[4]![head!.indexOf('work_per_second')]).toBe('inf');
  });

  it('compare with the baseline replication by replication', () => {
    const [head, first] = rows(differencesCsv(plan, source(results)));
    const row = Object.fromEntries(head!.map((name, i) => [name, first![i]]));
    // Pairs 30 - 10 and 42 - 14; the one without a partner is left out.
    expect(row).toMatchObject({ point: '1', baseline: '0', difference: '24', ratio: '3', n: '2' });
    expect(Number(row['ratio_half_width'])).toBe(0);
    expect(Number(row['difference_half_width'])).toBeCloseTo(12.7062 * 4, 2);
  });

  it('sum the ledger over its details and leave unknown cells empty', () => {
    const [head, first] = rows(pointsCsv(plan, source(results)));
    const row = Object.fromEntries(head!.map((name, i) => [name, first![i]]));
    expect(row).toMatchObject({
      run: 'u00',
      seed: '1/0',
      'vms.web.count': '1',
      ledger_guest_user_cycles: '5',
      ledger_walk_guest_cycles: '5',
      ledger_switch_cycles: '0',
      latency_p99_ns: '',
    });
  });

  it('hold only the columns of the header, of which none is named twice', () => {
    const [head] = rows(pointsCsv(plan, source([])));
    expect(new Set(head).size).toBe(head!.length);
    expect(head!.every((name) => /^[\w.]+$/.test(name))).toBe(true);
  });
});

describe('what the windows of a sweep were too short for', () => {
  const more = '  replications: 2\n';
  const few = {
    kind: 'few-requests',
    vms: ['web-0'],
    message: 'too few requests: web-0 20',
    needed: 1.7e12,
  } as const;
  const slices = (needed: number) =>
    ({ kind: 'few-slices', vms: ['web-0'], message: `${needed / 1e9} ms`, needed }) as const;
  const found = (findings: UnitResult['findings']) => ({ ...unit(1), findings });

  it('is said in a line or two, with how long they would have to be', () => {
    const results = [
      [unit(1), unit(1)],
      [found([slices(60e9)]), found([slices(90e9), few])],
    ];
    expect(shortWindows(planned(more), source(results))).toEqual([
      'the windows are too short at 1 of 2 points; windows of 90 ms would do. First at vms.web.count=2: 60 ms',
    ]);
    const percentile = planned(more).metrics!.concat('latency_p99_ns');
    expect(shortWindows({ ...planned(more), metrics: percentile }, source(results))[1]).toBe(
      'percentiles are left out at 1 of 2 points; windows of 1.7 s would do. First at vms.web.count=2: too few requests: web-0 20',
    );
  });

  it('is nothing where they were long enough', () => {
    expect(shortWindows(planned(more), source([[unit(1), unit(1)]]))).toEqual([]);
  });
});

describe('the number of replications', () => {
  it('is what was asked for when there is no precision', () => {
    expect(nextReplications(planned('  replications: 2\n'), [unit(1), unit(9)])).toBe(2);
  });

  it('grows by half until the intervals are narrow or the ceiling is reached', () => {
    const plan = planned('  replications: 2\n  precision: 5%\n  maxReplications: 4\n');
    expect(nextReplications(plan, [unit(100), unit(100.1)])).toBe(2);
    expect(nextReplications(plan, [unit(100), unit(150)])).toBe(3);
    expect(nextReplications(plan, [unit(100), unit(150), unit(90)])).toBe(4);
    expect(nextReplications(plan, [unit(100), unit(150), unit(90), unit(120)])).toBe(4);
  });
});

describe('a Slurm array', () => {
  const choice = { totalSeconds: 600, pieces: 50, maxArraySize: 1001, taskSeconds: 60, cpus: 1 };

  it('has tasks of at least a minute, no more than units, and as many as Slurm allows', () => {
    expect(shardCount(choice)).toBe(10);
    expect(shardCount({ ...choice, cpus: 2 })).toBe(5);
    expect(shardCount({ ...choice, totalSeconds: 5 })).toBe(1);
    expect(shardCount({ ...choice, totalSeconds: 1e6 })).toBe(50);
    expect(shardCount({ ...choice, totalSeconds: 1e6, pieces: 1e5 })).toBe(1001);
  });

  it('asks Slurm how large it may be', () => {
    expect(maxArraySizeIn('MaxArraySize            = 10001\nMaxDBDMsgs = 1\n')).toBe(10001);
    expect(maxArraySizeIn('')).toBe(1001);
  });

  it('survives odd paths and refuses options that would break the shards', () => {
    const job = {
      name: 'n',
      directory: "/tmp/it's 100%",
      program: ['node', 'main.js'],
      lines: batchLines('#!/bin/sh\n#SBATCH -p short\n# SBATCH no\n'),
      shards: 3,
      limit: undefined,
      cpus: 1,
    };
    const script = arrayScript(job);
    expect(script).toContain(`#SBATCH --output="/tmp/it's 100%%/slurm/%A_%a.log"`);
    expect(script).toContain(`'/tmp/it'\\''s 100%'`);
    expect(script).toContain('#SBATCH -p short\n');
    for (const line of ['--array=0-1', '-a 3', '--dependency=x', '--wrap=ls', 'ls', '-p a\nrm b']) {
      expect(() => arrayScript({ ...job, lines: [line] })).toThrow(BatchLineError);
    }
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder, program } from '../support/command.ts';

const scenario = `name: small
duration: 1ms
warmup: 250us
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: churn, memory: 32MiB, workload: { kind: mmap-loop } }
sweep:
  axes:
    hypervisor.mmu.kind: [shadow, nested]
    vms.churn.count: [1, 2]
  labels: { hypervisor.mmu.kind: paging }
  replications: 3
  baseline: { hypervisor.mmu.kind: nested }
  metrics: [work_per_second, exits_per_second, hypervisor_share, host_overhead]
`;
const TABLES = ['points.csv', 'summary.csv', 'differences.csv'];

const folder = new Folder();
const tables = (out: string) =>
  TABLES.map((name) => readFileSync(join(folder.path, out, name), 'utf8'));
const units = (out: string) => {
  const path = join(folder.path, out, 'units');
  return existsSync(path)
    ? readdirSync(path).filter((name) => existsSync(join(path, name, 'result.json')))
    : [];
};

/** A file system of a few kilobytes; only root may have one. */
const small = join(folder.path, 'disk');
mkdirSync(small);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=56k', 'none', small]).status === 0;
if (!mounted) console.warn('SKIPPED: the sweep on a full disk (needs root, to mount a small one)');

beforeAll(async () => {
  folder.write('small.yaml', scenario);
});
afterAll(() => {
  if (mounted) spawnSync('umount', [small]);
  folder.remove();
});

describe('worldswitch sweep', () => {
  let reference: string[];

  beforeAll(async () => {
    const { code, out, err } = await folder.here([
      'sweep',
      'small.yaml',
      '--jobs',
      '0',
      '--out',
      'one',
    ]);
    expect(err).toContain('12 runs in');
    expect(code).toBe(0);
    expect(out).toContain('work per second');
    const lines = out.split('\n');
    expect(lines[0]).toBe('small: 4 points, 3 runs of each');
    expect(lines[1]).toMatch(/^[A-Z][a-z ]+ goes from [\d.,]+ .*\(.*/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    reference = tables('one');
  });

  it('writes a row for each point, replication and group, with every swept value', async () => {
    const [points, summary, differences] = reference.map((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(',')),
    );
    expect(points![0]!.slice(0, 7)).toEqual([
      'point',
      'replication',
      'seed',
      'run',
      'paging',
      'vms.churn.count',
      'group',
    ]);
    expect(points).toHaveLength(1 + 4 * 3);
    expect(points!.every((row) => row.length === points![0]!.length)).toBe(true);
    expect(summary![0]).toEqual([
      'point',
      'paging',
      'vms.churn.count',
      'group',
      'metric',
      'unit',
      'mean',
      'half_width',
      'n',
      'baseline',
      'difference',
      'difference_half_width',
      'pairs',
    ]);
    expect(summary).toHaveLength(1 + 4 * 4);
    expect(differences).toHaveLength(1 + 2 * 4);
    // Shadow paging traps the writes of page tables that nested paging leaves alone.
    const exits = (point: string) =>
      Number(summary!.find((row) => row[0] === point && row[4] === 'exits_per_second')![6]);
    expect(exits('0')).toBeGreaterThan(10 * exits('2'));
  });

  it('takes means over the replications, and the same seed at every point', async () => {
    const [head, ...rows] = reference[0]!
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
    const column = head!.indexOf('exits_per_second');
    const own = rows.filter((row) => row[0] === '2').map((row) => Number(row[column]));
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    const summary = reference[1]!
      .split('\n')
      .find((line) => line.startsWith('2,') && line.includes('exits_per'))!;
    expect(Number(summary.split(',')[6])).toBeCloseTo(mean, 6);
    const seeds = new Set(rows.map((row) => `${row[1]} ${row[2]}`));
    expect([...seeds]).toEqual(['0 1/0', '1 1/1', '2 1/2']);
  });

  it('gives the same bytes with two workers as inside one process', async () => {
    const args = ['sweep', 'small.yaml', '-q', '--jobs', '2', '--out', 'j2'];
    expect((await folder.here(args)).code).toBe(0);
    expect(tables('j2')).toEqual(reference);
  });

  it('does again what is missing or damaged only, and says so', async () => {
    const [first, second] = units('j2');
    rmSync(join(folder.path, 'j2/units', first!), { recursive: true });
    writeFileSync(join(folder.path, 'j2/units', second!, 'result.json'), '{"wallSec');
    const { err } = await folder.here(['sweep', 'small.yaml', '--out', 'j2']);
    expect(err).toContain('2 runs, 10 reused from before');
    expect(tables('j2')).toEqual(reference);
  });

  it('goes on after it was killed at any moment, to the same bytes', async () => {
    for (const [signal, after] of [
      ['SIGKILL', 2],
      ['SIGTERM', 1],
      ['SIGINT', 1],
    ] as const) {
      const code = await interruptedSweep('killed', signal, after);
      if (signal === 'SIGKILL') expect(code).toBeNull();
      else expect(code).toBe(130);
      expect(existsSync(join(folder.path, 'killed/points.csv'))).toBe(false);
    }
    const { code, err } = await folder.here(['sweep', 'small.yaml', '--out', 'killed']);
    expect(err).toMatch(/\d runs, ([4-9]|1\d) reused/);
    expect(code).toBe(0);
    expect(tables('killed')).toEqual(reference);
  });

  it('prints the plan with an estimate and writes nothing', async () => {
    const { code, out } = await folder.here(['sweep', 'small.yaml', '--dry-run', '--out', 'dry']);
    expect(code).toBe(0);
    expect(out).toContain('4 points, 3 replications each');
    expect(out).toContain('12 runs to do, 0 stored already');
    expect(out).toMatch(/about \d+ s with/);
    expect(existsSync(join(folder.path, 'dry'))).toBe(false);
  });

  it('takes axes from the command line', async () => {
    const { code, out } = await folder.here([
      ...['sweep', 'small.yaml', '--axis', 'hypervisor.scheduler.hz=[250, 1000]'],
      ...['--axis', 'vms.churn.count=[1]', '--replications', '2', '--json', '--out', 'axes'],
      ...['--set', 'sweep.metrics=[slowdown]'],
    ]);
    expect(code).toBe(0);
    const rows = JSON.parse(out) as { values: object; n: number; mean: number }[];
    expect(rows).toHaveLength(2);
    expect(rows[0]!.mean).toBeGreaterThan(1);
    expect(rows[0]).toMatchObject({
      metric: 'slowdown',
      n: 2,
      values: { 'hypervisor.scheduler.hz': '250', 'vms.churn.count': '1' },
    });
  });

  it('replicates until the interval is narrow enough, with any number of workers alike', async () => {
    const args = ['sweep', 'small.yaml', '--set', 'sweep.precision=1%'];
    args.push('--set', 'sweep.metrics=[exits_per_second]', '--set', 'sweep.maxReplications=7');
    args.push('--set', 'sweep.replications=2', '-q');
    for (const jobs of ['0', '2'])
      await folder.here([...args, '--jobs', jobs, '--out', `p${jobs}`]);
    const [points, summary] = tables('p0');
    expect(tables('p2')).toEqual([points, summary, expect.any(String)]);
    const [head, ...lines] = summary!.trimEnd().split('\n');
    const columns = head!.split(',');
    for (const line of lines) {
      const cells = line.split(',');
      const of = (column: string) => Number(cells[columns.indexOf(column)]);
      expect(of('half_width') <= 0.01 * of('mean') || of('n') === 7, line).toBe(true);
    }
  });

  it('refuses a wrong axis where it is written, and starts nothing', async () => {
    folder.write('wrong.yaml', scenario.replace('vms.churn.count: [1, 2]', 'vms.churn.cuont: [1]'));
    const { code, err } = await folder.here(['sweep', 'wrong.yaml', '--out', 'wrong']);
    expect(code).toBe(2);
    expect(err).toContain('wrong.yaml:11:15: error: unknown key "cuont"');
    expect(err).toContain('did you mean "count"?');
    expect(err).not.toContain('    at ');
    expect(existsSync(join(folder.path, 'wrong'))).toBe(false);
    expect(await folder.here(['check', 'wrong.yaml'])).toMatchObject({ code: 2, err });
    expect(await folder.here(['check', 'small.yaml', '-q'])).toMatchObject({ code: 0, err: '' });
  });

  it('says of a file without a sweep that there is none', async () => {
    folder.write('plain.yaml', scenario.slice(0, scenario.indexOf('sweep:')));
    const { code, err } = await folder.here(['sweep', 'plain.yaml']);
    expect(code).toBe(2);
    expect(err).toContain('there is nothing to sweep');
  });

  it('lists failed units with the command that repeats each, and keeps the others', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `L 4 ${(400 + (i % 40)).toString(16)}\n`,
    ).join('');
    folder.write('good.pt', lines);
    folder.write('bad.pt', `${lines}nonsense\n${lines}`);
    folder.write(
      'replay.yaml',
      `${scenario.slice(0, scenario.indexOf('vms:'))}vms:
  - { name: replay, memory: 32MiB, workload: { kind: trace, file: good.pt } }
sweep:
  axes: { vms.replay.workload.file: [good.pt, bad.pt] }
  replications: 1
`,
    );
    const { code, err } = await folder.here(['sweep', 'replay.yaml', '--out', 'replay']);
    expect(code).toBe(3);
    expect(err).toContain('failed: vms.replay.workload.file=bad.pt, replication 0');
    const [, command] = /repeat with: worldswitch (.*)/.exec(err)!;
    expect(command).toBe('run replay.yaml --set vms.replay.workload.file=bad.pt --seed 1/0');
    expect((await folder.here(command!.split(' '))).code).not.toBe(0);
    const points = readFileSync(join(folder.path, 'replay/points.csv'), 'utf8');
    expect(points.trimEnd().split('\n')).toHaveLength(2);
  });
});

describe.skipIf(!mounted)('a sweep on a full disk', () => {
  it('stops, and goes on when there is room again', async () => {
    const run = () => folder.here(['sweep', 'small.yaml', '-q', '--out', 'disk/out']);
    const { code, err } = await run();
    expect(err).toContain('no space left on the device');
    expect(err).not.toContain('    at ');
    expect(code).toBe(1);
    expect(units('disk/out').length).toBeGreaterThan(0);
    spawnSync('mount', ['-o', 'remount,size=4m', small]);
    expect((await run()).code).toBe(0);
    expect(tables('disk/out')).toEqual(tables('one'));
  });
});

describe('worldswitch run of a file with a sweep', () => {
  it('runs the scenario alone and says so', async () => {
    const { code, err } = await folder.here(['run', 'small.yaml', '--out', 'alone']);
    expect(code).toBe(0);
    expect(err).toContain('this runs the scenario alone');
    expect(existsSync(join(folder.path, 'alone/vms.csv'))).toBe(true);
  });
});

/** Starts the sweep and ends it once it has stored some units. Returns the exit code. */
function interruptedSweep(
  out: string,
  signal: NodeJS.Signals,
  after: number,
): Promise<number | null> {
  const child = spawn(process.execPath, [program, 'sweep', 'small.yaml', '-q', '--out', out], {
    cwd: folder.path,
    stdio: 'ignore',
  });
  const before = units(out).length;
  const timer = setInterval(() => {
    if (units(out).length < before + after) return;
    clearInterval(timer);
    child.kill(signal);
  }, 10);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearInterval(timer);
      resolve(code);
    });
  });
}

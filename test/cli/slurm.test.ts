import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../support/command.ts';
import { hasSlurm, PrivateSlurm } from '../support/slurm.ts';

const folder = new Folder();
const read = (path: string) => readFileSync(join(folder.path, path), 'utf8');
const tables = (out: string) =>
  ['points.csv', 'summary.csv', 'differences.csv'].map((name) => read(`${out}/${name}`));
const plan = (out: string, ...more: string[]) =>
  folder.here(['sweep', 'plan', 'churn.yaml', '--out', out, ...more]);

beforeAll(async () => {
  folder.write(
    'churn.yaml',
    `name: churn
duration: 2ms
warmup: 500us
host: { processor: opteron-1354 }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested } }
vms:
  - { name: churn, memory: 32MiB, workload: { kind: mmap-loop } }
sweep:
  axes: { hypervisor.mmu.kind: [shadow, nested], vms.churn.count: [1, 2] }
  replications: 3
  baseline: { hypervisor.mmu.kind: nested }
`,
  );
  expect((await folder.here(['sweep', 'churn.yaml', '-q', '--out', 'local'])).code).toBe(0);
});
afterAll(() => folder.remove());

describe('a planned sweep', () => {
  it('is run in shards by anything that can start a command, to the same bytes', async () => {
    expect((await plan('parts')).code).toBe(0);
    expect((await folder.here(['sweep', 'status', 'parts'])).out).toContain(
      '0 of 12 runs are there',
    );
    await folder.here(['sweep', 'run', 'parts', '--shard', '0/2']);
    expect(JSON.parse((await folder.here(['sweep', 'status', 'parts', '--json'])).out)).toEqual({
      points: 4,
      known: 12,
      stored: 6,
      missing: 6,
      slurm: null,
    });
    const early = await folder.here(['sweep', 'merge', 'parts', '-q']);
    expect(early.code).toBe(3);
    expect(early.err).toContain('6 runs are missing from the tables');
    await folder.here(['sweep', 'run', 'parts', '--shard', '1/2']);
    expect((await folder.here(['sweep', 'merge', 'parts', '-q'])).code).toBe(0);
    expect(tables('parts')).toEqual(tables('local'));
  });

  it('keeps what was set when it was planned', async () => {
    expect(
      (await plan('seeded', '--seed', '7', '--replications', '1', '--set', 'duration=1ms')).code,
    ).toBe(0);
    await folder.here(['sweep', 'run', 'seeded']);
    await folder.here(['sweep', 'merge', 'seeded', '-q']);
    const [points] = tables('seeded');
    expect(points!.split('\n')[1]).toContain('0,0,7/0,');
    expect(points!.trimEnd().split('\n')).toHaveLength(1 + 4);
  });

  it('is told from a directory without one, a damaged one, and one of another version', async () => {
    expect(await folder.here(['sweep', 'run', 'nowhere'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no campaign in'),
    });
    await plan('odd');
    const recipe = read('odd/campaign.json');
    folder.write('odd/campaign.json', recipe.slice(0, 50));
    expect(await folder.here(['sweep', 'merge', 'odd'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('it is damaged'),
    });
    folder.write('odd/campaign.json', recipe.replace(/"version": "[^"]+/, '"version": "0.0.0'));
    expect(await folder.here(['sweep', 'status', 'odd'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('planned by version 0.0.0'),
    });
  });

  it('refuses shards that do not exist', async () => {
    for (const shard of ['3/3', '-1/3', 'a/b', '1']) {
      const { code, err } = await folder.here(['sweep', 'run', 'parts', `--shard=${shard}`]);
      expect(code).toBe(2);
      expect(err).toContain('It must be i/n');
    }
  });
});

describe('sweep submit --slurm', () => {
  /** An sbatch that writes down how it was called. */
  function fakeSlurm(name: string, sbatch: string): Record<string, string> {
    for (const [command, text] of [
      ['sbatch', sbatch],
      ['scontrol', 'echo "MaxArraySize            = 5"'],
    ] as const) {
      chmodSync(folder.write(`${name}/${command}`, `#!/bin/sh\n${text}\n`), 0o755);
    }
    return { PATH: `${join(folder.path, name)}:${process.env['PATH']}` };
  }

  it('hands over an array of shards, then a merge that waits for it', async () => {
    await plan('faked');
    const env = fakeSlurm(
      'bin',
      `echo "$@" >> ${folder.path}/calls; echo "4$(wc -l < ${folder.path}/calls);cluster"`,
    );
    folder.write('header.sh', '#!/bin/bash\n#SBATCH --account=physics\necho not taken\n');
    const { code, out } = await folder.here(
      [
        ...['sweep', 'submit', 'faked', '--slurm', '--limit', '3', '--task-time', '0'],
        ...['--header', 'header.sh', '--sbatch', '--partition=short', '--cpus', '2'],
      ],
      env,
    );
    expect(code).toBe(0);
    expect(out).toContain('12 runs in 5 tasks');
    const scripts = join(folder.path, 'faked/slurm');
    expect(read('calls').trim().split('\n')).toEqual([
      `--parsable ${scripts}/array.sh`,
      `--parsable --dependency=afterany:41 ${scripts}/merge.sh`,
    ]);
    const array = read('faked/slurm/array.sh');
    // MaxArraySize 5 allows the indices 0 to 4.
    expect(array).toContain('#SBATCH --array=0-4%3\n');
    for (const line of ['--cpus-per-task=2', '--account=physics', '--partition=short']) {
      expect(array).toContain(`#SBATCH ${line}\n`);
    }
    expect(array).toContain('--shard "$SLURM_ARRAY_TASK_ID/5"');
    expect(array).not.toContain('not taken');
    expect((await folder.here(['sweep', 'status', 'faked'])).out).toContain(
      'array 41 of 5, merge 42',
    );
  });

  it('gives a task at least a minute of work', async () => {
    const env = fakeSlurm('bin1', 'echo 1');
    const { out } = await folder.here(['sweep', 'submit', 'faked', '--slurm', '--dry-run'], env);
    expect(out).toContain('#SBATCH --array=0-0\n');
  });

  it.each([
    [['--slurm', '--sbatch=--array=0-3'], 'the campaign sets "--array" itself'],
    [['--slurm', '--sbatch', 'partition'], 'not an option of sbatch: "partition"'],
    [['--slurm', '--header', 'none.sh'], 'cannot read the #SBATCH lines'],
    [[], 'it is not said where to submit'],
  ])('refuses %s', async (options, message) => {
    const env = fakeSlurm('bin2', 'echo 1');
    const { code, err } = await folder.here(['sweep', 'submit', 'faked', ...options], env);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });

  it('says what sbatch said when it refuses', async () => {
    const env = fakeSlurm('bin3', 'echo "sbatch: error: invalid partition" >&2; exit 1');
    const { code, err } = await folder.here(['sweep', 'submit', 'faked', '--slurm'], env);
    expect(code).toBe(1);
    expect(err).toContain('sbatch refused the job: sbatch: error: invalid partition');
    expect(err).not.toContain('    at ');
  });

  it('says so when there is no Slurm', async () => {
    const { code, err } = await folder.here(['sweep', 'submit', 'faked', '--slurm'], {
      PATH: '/nowhere',
    });
    expect(code).toBe(2);
    expect(err).toContain('cannot call sbatch: it is not installed');
  });
});

if (!hasSlurm) {
  console.warn(
    'SKIPPED: the sweep on a real Slurm (needs root and apt-get install slurm-wlm munge)',
  );
}
describe.skipIf(!hasSlurm)('a sweep on a real Slurm', () => {
  let slurm: PrivateSlurm;
  beforeAll(() => {
    slurm = new PrivateSlurm();
  });
  afterAll(() => slurm?.stop());

  it('gives the bytes of a local one, also after tasks were killed', async () => {
    await plan('cluster');
    const submit = async () => {
      const args = ['sweep', 'submit', 'cluster', '--slurm', '--task-time', '0', '--limit', '2'];
      const { code, out, err } = await folder.here(args, slurm.env);
      expect(err).toBe('');
      expect(code).toBe(0);
      expect(out).toContain('runs in 6 tasks');
      return /array job (\d+)/.exec(out)![1]!;
    };
    slurm.cancelTasks(await submit());
    slurm.drain();
    const stored = JSON.parse(
      (await folder.here(['sweep', 'status', 'cluster', '--json'])).out,
    ).stored;
    expect(stored).toBeLessThan(12);
    expect(stored).toBeGreaterThan(0);
    const logs = readdirSync(join(folder.path, 'cluster/slurm')).filter((name) =>
      name.startsWith('merge-'),
    );
    expect(read(`cluster/slurm/${logs[0]}`)).toContain('missing from the tables');
    await submit();
    slurm.drain();
    expect(
      JSON.parse((await folder.here(['sweep', 'status', 'cluster', '--json'])).out).missing,
    ).toBe(0);
    expect(tables('cluster')).toEqual(tables('local'));
    expect(existsSync(join(folder.path, 'cluster/manifest.json'))).toBe(true);
  });
});

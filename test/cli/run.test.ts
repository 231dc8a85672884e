import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main, scratch, smallYaml, worldswitch, worldswitchHere } from '../support/program.ts';

let dir: string;
let remove: () => void;
beforeEach(() => {
  ({ dir, remove } = scratch());
  writeFileSync(join(dir, 's.yaml'), smallYaml());
});
afterEach(() => remove());

const tables = [
  'dictionary',
  'exits',
  'latencies',
  'ledger',
  'metrics',
  'slices',
  'timeseries',
  'vms',
];
const read = (...path: string[]) => readFileSync(join(dir, ...path), 'utf8');

describe('worldswitch run', () => {
  it('writes its tables to results/<name> and a summary to stdout', () => {
    const { status, stdout, stderr } = worldswitch(dir, 'run', 's.yaml');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/opteron-1354, 1 pCPU at 2\.2 GHz/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(readdirSync(join(dir, 'results/small')).toSorted()).toEqual(
      [...tables.map((name) => `${name}.csv`), 'manifest.json', 'resolved.yaml'].toSorted(),
    );
    expect(readdirSync(join(dir, 'results'))).toEqual(['small']);
  });

  it('names unit and meaning of every metric that it writes', async () => {
    await worldswitchHere(dir, 'run', 's.yaml', '-q');
    const defined = read('results/small/dictionary.csv')
      .split('\n')
      .map((row) => row.split(',')[0]);
    const rows = read('results/small/metrics.csv').trim().split('\n').slice(1);
    for (const row of rows) expect(defined).toContain(row.split(',')[3]);
    for (const table of tables)
      expect(read(`results/small/${table}.csv`)).not.toMatch(/NaN|undefined|\r/);
  });

  it('gives the same bytes again from the resolved scenario', async () => {
    await worldswitchHere(dir, 'run', 's.yaml', '-q', '--out', 'one');
    const again = await worldswitchHere(dir, 'run', 'one/resolved.yaml', '-q', '--out', 'two');
    expect([again.status, again.stdout, again.stderr]).toEqual([0, '', '']);
    for (const name of [...tables.map((table) => `${table}.csv`), 'resolved.yaml']) {
      expect(read('two', name)).toBe(read('one', name));
    }
    const [one, two] = ['one', 'two'].map((out) => JSON.parse(read(out, 'manifest.json')));
    expect(two.configSha256).toBe(one.configSha256);
  });

  it('prints only JSON to stdout on request', async () => {
    const { stdout } = await worldswitchHere(dir, 'run', 's.yaml', '--json', '--seed', '9');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'small', seed: '9', pcpuCount: 1 });
  });

  it('keeps files that are not its own and replaces its own', async () => {
    await worldswitchHere(dir, 'run', 's.yaml', '-q', '--out', 'o');
    writeFileSync(join(dir, 'o/notes.txt'), 'mine');
    writeFileSync(join(dir, 'o/vms.csv'), 'old');
    await worldswitchHere(dir, 'run', 's.yaml', '-q', '--out', 'o');
    expect(read('o/notes.txt')).toBe('mine');
    expect(read('o/vms.csv')).toMatch(/^vm,/);
  });

  it('ends with 130 on SIGINT and SIGTERM and leaves nothing', async () => {
    const started = performance.now();
    worldswitch(dir, 'check', '-q', 's.yaml');
    const startUp = performance.now() - started;
    const ended = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
      const child = spawn(process.execPath, [main, 'run', 's.yaml', '--set', 'duration=100s'], {
        cwd: dir,
      });
      setTimeout(() => child.kill(signal), startUp * 2 + 500);
      return once(child, 'close').then(([code]) => code as number | null);
    });
    expect(await Promise.all(ended)).toEqual([130, 130]);
    expect(existsSync(join(dir, 'results'))).toBe(false);
    expect(readdirSync(dir)).toEqual(['s.yaml']);
  });

  it('does not mind a reader that goes away', async () => {
    const child = spawn(process.execPath, [main, 'check', 's.yaml'], { cwd: dir });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([0, '']);
  });
});

describe('the other commands', () => {
  it('check prints a scenario that loads again', async () => {
    writeFileSync(join(dir, 'full.yaml'), (await worldswitchHere(dir, 'check', 's.yaml')).stdout);
    const again = await worldswitchHere(dir, 'check', 'full.yaml');
    expect(again.stderr).toBe('');
    expect(again.stdout).toBe(read('full.yaml'));
  });

  it('init writes a scenario that is right, and never over another', async () => {
    expect((await worldswitchHere(dir, 'init', 'my plan 2.yaml')).status).toBe(0);
    expect(await worldswitchHere(dir, 'check', '-q', 'my plan 2.yaml')).toMatchObject({
      status: 0,
      stderr: '',
    });
    const text = read('my plan 2.yaml');
    expect(text).toMatch(/^# yaml-language-server: \$schema=.*scenario\.schema\.json\n/);
    expect(text).toMatch(/^name: my-plan-2$/m);
    expect((await worldswitchHere(dir, 'init', 'my plan 2.yaml')).status).toBe(2);
    expect(read('my plan 2.yaml')).toBe(text);
  });

  it('schema prints JSON', async () => {
    expect(JSON.parse((await worldswitchHere(dir, 'schema')).stdout)).toHaveProperty(
      'properties.vms',
    );
  });

  it('list knows everything that can be named', async () => {
    const all = (await worldswitchHere(dir, 'list')).stdout;
    for (const name of [
      'opteron-1354',
      'kvm-2.6.33',
      'web-server',
      'credit',
      'flush-by-asid',
      'nested',
    ]) {
      expect(all).toContain(`  ${name} `);
    }
    expect((await worldswitchHere(dir, 'list', 'metrics')).stdout).toMatch(
      /walk_cycles +cycles +cycles spent/,
    );
    expect((await worldswitchHere(dir, 'list', 'leaves')).stdout).toContain('walk.nested');
    expect((await worldswitchHere(dir, 'list', 'shadow-profiles')).stdout).toMatch(
      /vmware-trace {2,}every write to a guest table/,
    );
  });

  it('every command shows an example in its help', async () => {
    const names = (await worldswitchHere(dir, '--help')).stdout.match(/^ {2}([a-z]+) (?=.*\S)/gm)!;
    for (const name of new Set(names.map((line) => line.trim()))) {
      if (['worldswitch', 'trace'].includes(name)) continue;
      expect((await worldswitchHere(dir, name, '--help')).stdout).toMatch(
        /Examples?:\n {2}worldswitch /,
      );
    }
  });
});

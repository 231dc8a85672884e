import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodePerfetto } from '../support/perfetto.ts';
import { scratch, smallYaml, worldswitchHere } from '../support/program.ts';

let dir: string;
let remove: () => void;
beforeEach(() => {
  ({ dir, remove } = scratch());
  writeFileSync(join(dir, 's.yaml'), smallYaml());
});
afterEach(() => remove());

describe('worldswitch run --trace', () => {
  it('writes the event traces that are asked for beside the tables, and nothing else', async () => {
    const formats = ['perfetto', 'xen', 'csv'].flatMap((format) => ['--trace', format]);
    const { status, stderr } = await worldswitchHere(
      dir,
      'run',
      's.yaml',
      '-q',
      '-o',
      'out',
      ...formats,
    );
    expect([status, stderr]).toEqual([0, '']);
    const traces = readdirSync(join(dir, 'out')).filter((name) => name.startsWith('trace.'));
    expect(traces.toSorted()).toEqual(['trace.csv', 'trace.perfetto', 'trace.xen']);
    expect(readdirSync(dir).toSorted()).toEqual(['out', 's.yaml']);
    const csv = readFileSync(join(dir, 'out/trace.csv'), 'utf8');
    expect(csv).toMatch(/^cycle,pcpu,vcpu,event,detail,value\n/);
    expect(csv).toMatch(/,runstate,running,\d+\n/);
    const { packets } = decodePerfetto(readFileSync(join(dir, 'out/trace.perfetto')));
    expect(packets).toBeGreaterThan(10);
  });

  it('writes none when none is asked for', async () => {
    await worldswitchHere(dir, 'run', 's.yaml', '-q', '-o', 'out');
    expect(readdirSync(join(dir, 'out')).filter((name) => name.startsWith('trace.'))).toEqual([]);
  });

  it('refuses a format that does not exist and says which do', async () => {
    const { status, stderr } = await worldswitchHere(
      dir,
      'run',
      's.yaml',
      '-o',
      'out',
      '--trace',
      'ctf',
    );
    expect(status).toBe(2);
    expect(stderr).toContain('perfetto, xen or csv');
    expect(existsSync(join(dir, 'out'))).toBe(false);
  });
});

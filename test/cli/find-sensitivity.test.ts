import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, Folder } from '../support/command.ts';

const folder = new Folder();
const out = (...names: string[]) => join(folder.path, 'results/tiny-find', ...names);
const FILES = ['sensitivity.csv', 'sensitivity.md', 'sensitivity.svg'];
const NETWORK = 'hypervisor.devices.network';
let first: Ended;

beforeAll(async () => {
  folder.write(
    'tiny.yaml',
    `name: tiny
duration: 5ms
warmup: 500us
host: { processor: opteron-1354, pcpus: 1, memory: 1GiB, caches: { data: off } }
hypervisor: { profile: kvm-2.6.33, scheduler: { kind: round-robin, timeslice: 100us } }
vms:
  - name: web
    memory: 16MiB
    workload:
      kind: synthetic
      visit: { instructions: 400 }
      regions: [{ name: data, kind: anon, size: 64KiB, share: 1, stores: 0.3 }]
      requests: { arrivals: { kind: open, rate: 5000/s }, instructions: 40000, ioProbability: 0 }
find: { axis: vms.web.count, from: 1, to: 6, objective: mean latency < 250us for every VM, maxDuration: 20ms }
`,
  );
  first = await folder.here(['find', 'tiny.yaml', '--sensitivity', '--under', NETWORK]);
});
afterAll(() => folder.remove());

describe('find --sensitivity', () => {
  it('says the answer, how far assumed numbers move it, and what that costs', () => {
    expect(first.code).toBe(0);
    expect(first.out).toContain('The objective holds up to vms.web.count = ');
    expect(first.out).toMatch(/\n(No assumed number moves it by more|More than one step: )/);
    expect(first.out).toMatch(/\nhypervisor\.devices\.\S+ +\S+ +\S+ +[+-]\d\.\d\d/);
    expect(first.err).toMatch(/\d+ assumed numbers with \d+ ends of ranges\n/);
    expect(first.err).toMatch(/\d+ short runs, .*: at most \d+ s with 1 jobs\n/);
  });

  it('leaves a table, a page and a chart', () => {
    const table = folder.read('results/tiny-find/sensitivity.csv').trimEnd().split('\n');
    expect(table[0]).toBe('preset,path,value,range,end,steps,moves_the_answer,note');
    expect(table.filter((row) => row.endsWith(',0,no,not used')).length).toBeGreaterThan(5);
    // What receives packets is a large part of the bill of small requests.
    const packets = table.filter((row) => /network\.receivePacket,8000,.*,(4|25)000,/.test(row));
    const steps = packets.map((row) => Number(row.split(',').at(-3)));
    expect(Math.min(...steps)).toBeLessThan(-0.1);
    expect(Math.max(...steps)).toBeGreaterThan(0.02);
    const page = folder.read('results/tiny-find/sensitivity.md');
    expect(page).toContain(
      '![Tornado chart of the steps by which the answer moves](sensitivity.svg)',
    );
    expect(folder.read('results/tiny-find/sensitivity.svg')).toMatch(/^<svg [^>]*role="img"/);
  });

  it('goes on from what is stored, to the same bytes', async () => {
    const before = FILES.map((name) => folder.read(`results/tiny-find/${name}`));
    const units = readdirSync(out('units')).length;
    const { code, out: text } = await folder.here([
      ...['find', 'tiny.yaml', '--sensitivity', '--under', NETWORK, '--json', '-q'],
    ]);
    expect(code).toBe(0);
    const { effects, answer } = JSON.parse(text);
    expect(effects.length).toBe(before[0]!.trimEnd().split('\n').length - 1);
    expect(first.out).toContain(`vms.web.count = ${answer} with mean latency`);
    expect(readdirSync(out('units'))).toHaveLength(units);
    expect(FILES.map((name) => folder.read(`results/tiny-find/${name}`))).toEqual(before);
  });

  it('refuses a question without one answer that can move', async () => {
    const { code, err } = await folder.here([
      ...['find', 'tiny.yaml', '--sensitivity', '--under', 'hypervisor.device', '-q'],
    ]);
    expect([code, err]).toEqual([2, expect.stringContaining('"hypervisor.devices"')]);
    expect((await folder.here(['find', 'tiny.yaml', '--under', NETWORK])).err).toContain(
      'add --sensitivity',
    );
    const all = await folder.allHere([
      ['find', 'tiny.yaml', '--sensitivity', '--to', '1', '-q'],
      ['find', 'tiny.yaml', '--sensitivity', '-q', '--objective', 'mean latency < 1us'],
    ]);
    for (const { code, err } of all) {
      expect(err).toMatch(/tiny\.yaml:\d+:\d+: error: the objective holds (up to|nowhere)/);
      expect(code).toBe(2);
    }
    expect(existsSync(out('sensitivity.csv'))).toBe(true);
  });
});

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../support/command.ts';

/** As one line: sentences are broken to fit a terminal. */
const flat = (text: string) => text.replace(/\s+/g, ' ');

const folder = new Folder();
/** Visits of many instructions: what a visit costs is of no interest here. */
const work =
  'kind: synthetic, visit: { instructions: 100 }, regions: [{ name: data, kind: anon, size: 64KiB, share: 1, stores: 0.3 }]';
beforeAll(async () => {
  folder.write(
    'load.yaml',
    `name: load
duration: 2ms
warmup: 500us
host: { processor: opteron-1354, pcpus: 2, caches: { data: off } }
hypervisor: { profile: kvm-2.6.33, mmu: { kind: nested }, scheduler: { kind: round-robin, timeslice: 150us } }
vms:
  - { name: churn, memory: 16MiB, workload: { ${work} } }
find:
  axis: vms.churn.count
  to: 6
  objective: ready share < 60% for every VM
`,
  );
});
afterAll(() => folder.remove());

describe('worldswitch find', () => {
  it('finds how many VMs two pCPUs bear, and why it ends there', async () => {
    const { code, out } = await folder.here(['find', 'load.yaml']);
    expect(code).toBe(0);
    // k VMs that never sleep share two pCPUs: each waits 1 - 2/k of its time, 50 % with four.
    expect(out).toContain('largest vms.churn.count from 1 to 6 with ready share < 60%');
    expect(out).toMatch(/4 \(4\.\.4\)\s+2 \(2\.\.2\)\s+churn-\d/);
    expect(out).toMatch(/at vms.churn.count = 5, ready share is [67]\d(?:\.\d+)?(?: ± [\d.]+)? %/);
    expect(out).toContain('waiting for a pCPU grew: from 0 to');
    expect(flat(out)).toMatch(
      /of the ledger, vCPU switches grew most: from 0 to [\d.]+ cycles .*, compared with 1 VM /,
    );
    expect(out.split('\n')[1]).toBe(
      'The objective holds up to vms.churn.count = 4 (2 VMs per core).',
    );
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('writes words and units, also of a server that served nothing', async () => {
    const server =
      '{ kind: web-server, requests: { arrivals: { kind: open, rate: 300/s }, instructions: 120000, ioProbability: 0 } }';
    folder.write(
      'starve.yaml',
      `name: starve
duration: 40ms
warmup: 10ms
host: { processor: opteron-1354, memory: 4GiB, pcpus: 2 }
hypervisor: { profile: esx-4, scheduler: { kind: round-robin, timeslice: 30ms } }
vms:
  - { name: quiet, memory: 128MiB, pin: [0], workload: ${server} }
  - { name: app, pin: [1], memory: 32MiB, workload: { kind: tlb-thrash } }
  - { name: web, memory: 128MiB, pin: [1], workload: ${server} }
find: { axis: vms.app.count, from: 1, to: 4, objective: mean latency < 20ms for every VM }
`,
    );
    const { code, out } = await folder.here(['find', 'starve.yaml', '--max-duration', '40ms']);
    expect(code).toBe(0);
    expect(flat(out)).toMatch(
      /mean latency is [\d.]+ ms \([\d.]+ ms to [\d.]+ ms\), worst in web-0/,
    );
    expect(out).not.toMatch(/Infinity|NaN/);
    const run = (await folder.here(['run', 'starve.yaml', '--set', 'vms.app.count=4'])).out;
    expect(run).toMatch(/\n {2}web-0 +0 requests +0\.0 +100\.0 /);
    expect(run.split('\n').slice(1, 3).join(' ')).toContain('web-0 got no turn');
    expect(run).toMatch(/\n {2}web-0 +\d+ +\d+ +0 +0 .* \d+\n/);
    expect(run).toMatch(/\n {2}app-0 +[\d.]+ million instructions /);
    expect(run).not.toMatch(/M instructions|Infinity|NaN/);
  });

  it('answers from what is stored when it is asked again, also across another axis', async () => {
    const args = ['find', 'load.yaml', '--json'];
    const { code, out } = await folder.here([
      ...args,
      '--across',
      'hypervisor.mmu.kind=[nested, shadow]',
    ]);
    expect(code).toBe(0);
    const { answers } = JSON.parse(out);
    expect(answers).toHaveLength(2);
    expect(answers[0]).toMatchObject({
      across: { 'hypervisor.mmu.kind': 'nested' },
      value: '4',
      atMost: '4',
      vmsPerCore: [2, 2],
    });
    expect(JSON.parse((await folder.here(args)).out).answers[0]).toEqual({
      ...answers[0],
      across: {},
    });
  });

  it('finds the smallest value too', async () => {
    // Three VMs on two pCPUs: one has a pCPU to itself.
    const { out } = await folder.here([
      ...['find', 'load.yaml', '--smallest', '--json', '--from', '2', '--to', '8'],
      ...['--objective', 'ready share > 20% for every VM'],
    ]);
    expect(JSON.parse(out).answers[0].value).toBe('4');
  });

  it('says what the first value is made of when not even that meets the objective', async () => {
    const args = ['find', 'load.yaml', '--out', 'none', '--from', '6', '--to', '7'];
    const { code, out } = await folder.here(args);
    expect(code).toBe(0);
    expect(out).toMatch(/^none\s+churn-\d$/m);
    expect(flat(out)).toMatch(
      /of the ledger, (?!guest)[a-z][^(:]+(?: \([a-z. -]+\))? takes most: \S+ cycles per 1000 instructions/,
    );
    expect(out.split('\n')[1]).toMatch(/^The objective holds nowhere, not even at /);
    expect(out).toMatch(/ {2}waiting for a pCPU takes \S+ cycles per 1000 instructions/);
  });

  it('refuses options with their place', async () => {
    const refused = [
      [['--objective', 'slowdwn < 2'], '--objective:1:1: error: there is no metric "slowdwn"'],
      [['--axis', 'vms.churn.cuont'], 'unknown key "cuont"'],
      [['--to', '4000'], '--to:1:1: error: the VMs ask for'],
      [['--objective', 'p99 latency < 1ms'], 'no VM reports p99 latency'],
    ] as const;
    const find = ['find', 'load.yaml', '--out', 'bad'];
    const ended = await folder.allHere(refused.map(([options]) => [...find, ...options]));
    for (const [i, [, message]] of refused.entries()) {
      const { code, out, err } = ended[i]!;
      expect(err).toContain(message);
      expect([code, out]).toEqual([2, '']);
    }
  });

  it('says of a file without a question that there is none', async () => {
    folder.write(
      'plain.yaml',
      'name: p\nhost: { processor: opteron-1354 }\nhypervisor: { profile: kvm-2.6.33 }\nvms: [{ name: a, workload: { kind: idle } }]\n',
    );
    const { code, err } = await folder.here(['find', 'plain.yaml']);
    expect(code).toBe(2);
    expect(err).toContain('there is nothing to find');
    expect(existsSync(join(folder.path, 'results/p-find'))).toBe(false);
  });
});

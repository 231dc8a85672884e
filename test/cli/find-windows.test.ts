import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../support/command.ts';

/** Searches that begin with a window too short for their answer. */

const folder = new Folder();
// Visits of many instructions: what a visit costs is of no interest here.
const work =
  'kind: synthetic, visit: { instructions: 400 }, regions: [{ name: data, kind: anon, size: 64KiB, share: 1, stores: 0.3 }]';
// ESX: a vCPU does the host's work for it, so that no thread of the host waits for a turn of its own.
const head = (scheduler: string) => `duration: 20ms
warmup: 10ms
host: { processor: opteron-1354, memory: 2GiB, pcpus: 1, caches: { data: off } }
hypervisor: { profile: esx-4${scheduler} }
`;
const slices = (timeslice: string) => `, scheduler: { kind: round-robin, timeslice: ${timeslice} }`;

beforeAll(async () => {
  // Four VMs that compute without a pause, one core: with slices of 30 ms most get no turn in 10 ms.
  folder.write(
    'starved.yaml',
    `name: starved
${head(', scheduler: { kind: credit }')}vms: [{ name: a, memory: 16MiB, workload: { ${work} } }]
find: { axis: vms.a.count, from: 1, to: 3, objective: slowdown < 1.5 for every VM }
`,
  );
  folder.write(
    'hog.yaml',
    `name: hog
${head(slices('10ms'))}vms:
  - { name: hog, memory: 16MiB, workload: { ${work} } }
  - { name: web, memory: 16MiB, workload: { ${work}, requests: { arrivals: { kind: open, rate: 600/s }, instructions: 20000, ioProbability: 0 } } }
find: { axis: vms.hog.count, from: 2, to: 3, objective: p95 latency < 25ms for web }
`,
  );
});
afterAll(() => folder.remove());

const find = async (file: string, ...more: string[]) => {
  const { code, out, err } = await folder.here(['find', file, '--json', ...more]);
  expect([code, err.includes('fault')]).toEqual([0, false]);
  expect(out).not.toMatch(/Infinity|NaN/);
  return JSON.parse(out).answers[0];
};

describe('a search with windows shorter than a round of slices', () => {
  it('does not pass over VMs that got no turn', async () => {
    const { value, atMost, broken } = await find('starved.yaml', '-q');
    // Two VMs that never sleep are slower by two each.
    expect([value, atMost]).toEqual(['1', '1']);
    expect(broken).toMatchObject({ value: '2', verdict: 'fails' });
    expect(broken.mean).toBeGreaterThan(1.8);
    expect(broken.mean).toBeLessThan(2.4);
    expect(broken.window.length).toBeGreaterThanOrEqual(240);
    expect(broken.longer[0]).toMatchObject({ length: 10 });
    expect(broken.longer[0].because).toContain('got no turn in 10 ms');
  });

  it('tells a VM that waits from one that is slow when it runs', async () => {
    const more = ['-q', '--to', '3', '--set', 'hypervisor.scheduler.timeslice=5ms'];
    // Overhead leaves waiting out: in windows long enough every VM keeps to it.
    const { value, unlimited } = await find(
      'starved.yaml',
      ...more,
      '--objective',
      'overhead < 1.5',
    );
    expect([value, unlimited]).toEqual(['3', true]);
    const average = await find('starved.yaml', ...more, '--objective', 'slowdown < 1.5 on average');
    expect([average.value, average.atMost]).toEqual(['1', '1']);
  });

  it('says that it cannot decide where windows may not be longer', async () => {
    const { code, out } = await folder.here([
      'find',
      'starved.yaml',
      '--max-duration',
      '40ms',
      '--to',
      '2',
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/1 \(1\.\.2\)/);
    expect(out).toContain('at vms.a.count = 2, it cannot be decided: ');
    expect(out).toMatch(
      /undecided at vms.a.count = 2 after 3 runs of 10 ms: [\s\S]*--max-duration\s+\d+ms/,
    );
    expect(out).not.toContain('Infinity');
  });
});

describe('a search with a hog beside a server', () => {
  it('gives the same answer whatever window it begins with', async () => {
    const short = await find('hog.yaml', '-q');
    const duration = process.env['VALIDATE'] === 'full' ? '1010ms' : '210ms';
    const long = await find('hog.yaml', '-q', '--set', `duration=${duration}`, '--out', 'long');
    for (const { value, atMost } of [short, long]) expect([value, atMost]).toEqual(['2', '2']);
    expect(short.broken).toMatchObject({ value: '3', verdict: 'fails', vm: { vm: 'web-0' } });
    // A request waits for one, two or three whole slices at most.
    expect(short.broken.mean).toBeGreaterThan(26e6);
    expect(short.broken.mean).toBeLessThan(33e6);
  });

  it('says what it does, and why', async () => {
    const { out, err } = await folder.here(['find', 'hog.yaml']);
    expect(err).toMatch(/vms.hog.count=2: windows of \d+ ms now, because .*; about \d+ s a run/);
    expect(out).toMatch(/ {2}windows of \d+ ms at 2; 10 ms was too short: /);
    expect(out.replace(/\s+/g, ' ')).toMatch(
      /of [\d,]+ requests of web-0 took 25 ms or more, fewer than 5 % may/,
    );
  });
});

describe('a server that is hardly ever served', () => {
  it('fails in a window of few turns, without a word of infinity', async () => {
    // Nearly the whole time is the slice of a hog.
    const more = ['--set', 'hypervisor.scheduler.timeslice=300ms', '--from', '1', '--to', '1'];
    const { out } = await folder.here([
      ...['find', 'hog.yaml', ...more, '--out', 'none', '--set', 'duration=70ms'],
      ...['--max-duration', '1s', '--objective', 'p95 latency < 20ms for web'],
    ]);
    expect(out).not.toMatch(/Infinity|NaN/);
    expect(out).toMatch(/^none\s+web-0$/m);
  });
});

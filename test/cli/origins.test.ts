import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { originsOf, originsYaml, type ValueOrigin } from '../../src/cli/origins.ts';
import { openTree } from '../../src/files/scenario-file.ts';
import { root, scratch, smallYaml, worldswitchHere } from '../support/program.ts';

/** `worldswitch check --origins` */

let dir: string;
let remove: () => void;
let rows: Map<string, ValueOrigin>;
const settings = [
  '--set',
  'hypervisor.costs.exitPath=900',
  '--set',
  'vms.web.count=2',
  '--seed',
  '7',
];
beforeAll(async () => {
  ({ dir, remove } = scratch());
  const base = smallYaml({
    vms: '[{ name: web, memory: 256MiB, workload: { kind: web-server, cpi: 1.5 } }]',
    host: '{ processor: opteron-1354, memory: 2GiB, pcpus: 1, cpu: { walk: { pwcEntries: 12 } } }',
  });
  writeFileSync(join(dir, 'base.yaml'), base);
  const lines = [
    ...['extends: base.yaml', 'name: mine', 'x-weight: &weight 512', 'duration: 6ms', 'vms:'],
    ...['  - name: web', '    weight: *weight', '    pin: [0]'],
    ...['  - name: job', '    workload:', '      kind: kernel-compile'],
  ];
  writeFileSync(join(dir, 'mine.yaml'), lines.join('\n'));
  const args = ['check', 'mine.yaml', '--origins', '--json', ...settings];
  const { status, stdout } = await worldswitchHere(dir, ...args);
  expect(status).toBe(0);
  rows = new Map((JSON.parse(stdout) as ValueOrigin[]).map((row) => [row.path, row]));
});
afterAll(() => remove());

describe('the origin of a value', () => {
  it.each([
    ['name', 'mine', 'mine.yaml:2'],
    ['duration', '6ms', 'mine.yaml:4'],
    ['warmup', '1ms', 'base.yaml:3'],
    ['host.memory', '2GiB', 'base.yaml:4'],
    ['host.cpu.walk.pwcEntries', 12, 'base.yaml:4'],
    ['vms.web.workload.cpi', 1.5, 'base.yaml:6'],
    ['vms.web.weight', 512, 'mine.yaml:3'],
    ['vms.web.pin', [0], 'mine.yaml:8'],
    ['vms.job.preset', 'kernel-compile', 'mine.yaml:11'],
    ['vms.web.count', 2, '--set vms.web.count=2'],
    ['hypervisor.costs.exitPath', 900, '--set hypervisor.costs.exitPath=900'],
    ['seed', '7', '--seed 7'],
    ['vms.job.count', 1, 'default'],
    ['output.timeseries', '10ms', 'default'],
    ['host.caches.data', 'on', 'default'],
  ])('%s', (path, value, origin) => {
    expect(rows.get(path)).toEqual({ path, value, origin });
  });

  it.each([
    ['host.cpu.walk.pwcHitCycles', 'processor opteron-1354', 'processors', undefined],
    ['host.cpu.svm.vmrunCycles', 'processor opteron-1354', 'processors', '375..750'],
    ['host.cpu.tlb.fill', 'processor opteron-1354', 'processors', 'both, victim'],
    ['hypervisor.costs.decode', 'hypervisor kvm-2.6.33', 'hypervisors', '300..1500'],
    ['hypervisor.costs.eoiExits', 'hypervisor kvm-2.6.33', 'hypervisors', undefined],
    ['vms.job.workload.cpi', 'workload kernel-compile', 'workloads', '0.8..1.3'],
    ['vms.job.workload.unit', 'workload kernel-compile', 'workloads', undefined],
    ['vms.web.workload.regions.heap.share', 'workload web-server', 'workloads', '0.4..0.6'],
    ['vms.web.workload.requests.requestBytes', 'workload web-server', 'workloads', '200..1500'],
    ['vms.web.os.cpi', 'kernel linux-2.6.33', 'kernels', '1..2'],
    ['vms.web.os.hz', 'kernel linux-2.6.33', 'kernels', '100..1000'],
  ])('%s, of a preset', (path, preset, folder, assumed) => {
    const { origin, value, assumed: found } = rows.get(path)!;
    const [, name, line] = /^(.*):(\d+)$/.exec(origin)!;
    expect([name, found]).toEqual([preset, assumed]);
    const file = join(root, 'configs', folder, `${preset.split(' ')[1]}.yaml`);
    const text = readFileSync(file, 'utf8').split('\n')[Number(line) - 1];
    expect(text).toContain(`${path.split('.').at(-1)}: ${String(value)}`);
  });

  it('stands beside the complete scenario, which can be run again', async () => {
    const { stdout } = await worldswitchHere(dir, 'check', 'mine.yaml', '--origins', ...settings);
    expect(stdout).toMatch(/^ {4}exitPath: 900 +# --set hypervisor\.costs\.exitPath=900$/m);
    expect(stdout).toMatch(
      /^ {4}decode: 600 +# hypervisor kvm-2\.6\.33:\d+, assumed, range 300\.\.1500$/m,
    );
    expect(stdout).toMatch(/^ {2}- name: web +# mine\.yaml:6$/m);
    expect(
      stdout.split('\n').filter((line) => line.length > 100 && !/assumed.*[a-z]{4}/.test(line)),
    ).toEqual([]);
    const plain = await worldswitchHere(dir, 'check', 'mine.yaml', ...settings);
    expect(parse(stdout)).toEqual(parse(plain.stdout));
  });
});

const configs = readdirSync(join(root, 'configs')).filter((name) => name.endsWith('.yaml'));

it.each(configs)('every value of %s has an origin that leads to it', (name) => {
  const path = join(root, 'configs', name);
  const loaded = openTree(path).tree.load();
  const found = originsOf(loaded);
  expect(leaves(loaded.scenario.input)).toBe(
    found.reduce((sum, { value }) => sum + leaves(value), 0),
  );
  for (const { origin, value, path: key } of found) {
    if (origin === 'default') continue;
    const [, file, line] = /^(.*):(\d+)$/.exec(origin)!;
    const [kind, preset] = file!.split(' ');
    const source = preset ? join(root, 'configs', `${kind}s`, `${preset}.yaml`) : file!;
    const text = readFileSync(source, 'utf8').split('\n')[Number(line) - 1]!;
    // A map of which nothing is left: all that stood there is for other schedulers.
    if (JSON.stringify(value) === '{}') continue;
    // Where a text of several lines begins, its line holds none of it.
    const shown = [value].flat().map((one) => String(one).split('\n')[0]!.split(' ')[0]!);
    const numbers = (text.match(/[\d.]+(e\d+)?/g) ?? []).map(Number);
    const holds = (one: string) => text.includes(one) || numbers.includes(Number(one));
    const held = shown.every(holds) || /[|>]-?$|\[$/.test(text);
    if (!held) expect(text, `${key} = ${String(value)}`).toContain(shown[0]);
  }
  expect(parse(originsYaml(loaded))).toEqual(JSON.parse(JSON.stringify(loaded.scenario.input)));
});

function leaves(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  const inner = Object.values(value);
  return inner.length === 0 ? 1 : inner.reduce((sum: number, one) => sum + leaves(one), 0);
}

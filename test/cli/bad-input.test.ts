import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root, scratch, smallYaml, worldswitch, worldswitchHere } from '../support/program.ts';

let dir: string;
let remove: () => void;
beforeEach(() => {
  ({ dir, remove } = scratch());
});
afterEach(() => remove());

/** Runs the file and checks what holds for every mistake; returns the messages. */
function refused(content: string | Uint8Array, ...args: string[]): Promise<string> {
  writeFileSync(join(dir, 's.yaml'), content);
  return refusedFile('s.yaml', ...args);
}

async function refusedFile(file: string, ...args: string[]): Promise<string> {
  const before = readdirSync(dir);
  const { status, stdout, stderr } = await worldswitchHere(dir, 'run', file, ...args);
  expect(stderr).toMatch(/^([^\n]+:\d+:\d+: error|worldswitch: [^\n]+): /);
  expect(stderr).not.toMatch(/\n {4}at /);
  expect(stdout).toBe('');
  expect(status).toBe(2);
  expect(readdirSync(dir)).toEqual(before);
  return stderr;
}

const vms = (vm: string) => smallYaml({ vms: `[{ ${vm} }]` });
const traceOf = (file: string) => vms(`name: t, workload: { kind: trace, file: ${file} }`);
const shipped = readFileSync(join(root, 'configs/traces/gcc.pt.gz'));

describe('bad input ends with exit code 2, a place and a way out', () => {
  it('a misspelt key', async () => {
    expect(await refused(vms('name: web, wieght: 3, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:20: error: unknown key "wieght" in vms\.web — did you mean "weight"\?/,
    );
  });

  it('told by a process as by a call of the program', async () => {
    const mistaken = vms('name: web, wieght: 3, workload: { kind: web-server }');
    const here = await refused(mistaken);
    const { status, stdout, stderr } = worldswitch(dir, 'run', 's.yaml');
    expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: here });
  });

  it('a wrong unit', async () => {
    expect(await refused(smallYaml({ duration: '4parsecs' }))).toMatch(
      /^s\.yaml:2:11: error: unknown unit "parsecs" for a duration: allowed are .*ms/,
    );
  });

  it('a negative count', async () => {
    expect(await refused(vms('name: web, count: -1, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:27: error: "vms\.web\.count" must be at least 0, got -1/,
    );
  });

  it('a VM larger than the host', async () => {
    expect(await refused(vms('name: web, memory: 9GiB, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:28: error: the VMs ask for 9 GiB together, the host has 2 GiB.* — use fewer or smaller/,
    );
  });

  it('nested paging on a processor without it', async () => {
    const text = smallYaml({
      host: '{ processor: opteron-2218, memory: 2GiB }',
      hypervisor: '{ profile: kvm-2.6.33, mmu: { kind: nested } }',
    });
    expect(await refused(text)).toMatch(
      /s\.yaml:5:\d+: error: nested paging needs a processor that has it, and opteron-2218 has not — use/,
    );
  });

  it('an unknown preset', async () => {
    expect(await refused(smallYaml({ host: '{ processor: opteron-1345 }' }))).toMatch(
      /^s\.yaml:4:20: error: "opteron-1345" is not allowed .* did you mean "opteron-1354"\?/,
    );
  });

  it('a trace that is missing', async () => {
    expect(await refused(traceOf('gone.pt.gz'))).toMatch(
      /^s\.yaml:6:\d+: error: trace gone\.pt\.gz: there is no such file — paths are relative/,
    );
  });

  it('a trace whose gzip data are cut off', async () => {
    writeFileSync(join(dir, 'cut.pt.gz'), shipped.subarray(0, shipped.length >> 1));
    expect(await refused(traceOf('cut.pt.gz'))).toMatch(
      /^s\.yaml:6:\d+: error: trace cut\.pt\.gz: .*truncated/,
    );
  });

  it('a trace whose last lines are missing', async () => {
    const text = gunzipSync(shipped).subarray(0, 2 ** 20);
    writeFileSync(join(dir, 'cut.pt.gz'), gzipSync(text.subarray(0, text.lastIndexOf(10) + 1)));
    expect(await refused(traceOf('cut.pt.gz'))).toMatch(
      /truncated: the closing "# totals" line is missing/,
    );
  });

  it('a trace that is something else', async () => {
    writeFileSync(join(dir, 'x.pt'), 'hello\n');
    expect(await refused(traceOf('x.pt'))).toMatch(
      /not a page trace: it begins with "hello".* — .*trace import/,
    );
  });

  it('an empty file', async () => {
    expect(await refused('')).toMatch(
      /^s\.yaml:1:1: error: the file is empty — `worldswitch init`/,
    );
  });

  it('a binary file', async () => {
    expect(await refused(shipped.subarray(0, 4000))).toMatch(
      /^s\.yaml:\d+:\d+: error: not a text file/,
    );
  });

  it('a file of 50 MB, by its size', async () => {
    const fd = openSync(join(dir, 'big.yaml'), 'w');
    ftruncateSync(fd, 50e6);
    closeSync(fd);
    expect(await refusedFile('big.yaml')).toMatch(
      /^worldswitch: big\.yaml: .*48 MiB, a scenario at most 1 MiB/,
    );
  });

  it('an alias bomb', async () => {
    const lines = ['x-a: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `x-a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    expect(await refused(`${lines.join('\n')}\n${smallYaml()}`)).toMatch(
      /^s\.yaml:\d+:\d+: error: aliases expand to more than/,
    );
  });

  it('a directory for results that cannot be made', async () => {
    writeFileSync(join(dir, 'file'), '');
    expect(await refused(smallYaml(), '--out', 'file/below')).toMatch(
      /^worldswitch: --out: cannot write results to file\/below: .*is a file, not a directory/,
    );
  });

  it.runIf(process.platform === 'linux')('a place that takes no directories', async () => {
    expect(await refused(smallYaml(), '--out', '/proc/results/of/mine')).toMatch(
      /^worldswitch: --out: cannot write results to \/proc\/results\/of\/mine: \/proc takes no new directories/,
    );
  });

  it('a key that appears twice', async () => {
    expect(await refused(`${smallYaml()}name: again\n`)).toMatch(
      /^s\.yaml:7:1: error: key "name" appears twice \(first in line 1\)/,
    );
  });

  it('tabs for indentation', async () => {
    expect(await refused('name: x\nhost:\n\tprocessor: opteron-1354\n')).toMatch(
      /^s\.yaml:3:\d+: error: a tab is used for indentation/,
    );
  });

  it('a directory instead of a file', async () => {
    mkdirSync(join(dir, 'd'));
    expect(await refusedFile('d')).toMatch(
      /^worldswitch: d: cannot read the scenario: it is a directory/,
    );
  });

  it('a file that is not there, with the one that was meant', async () => {
    writeFileSync(join(dir, 'scenario.yaml'), smallYaml());
    expect(await refusedFile('scenaro.yaml')).toMatch(
      /no such file — did you mean "scenario\.yaml"\?/,
    );
  });

  it('a bad override, at its place in the option', async () => {
    expect(await refused(smallYaml(), '--set', 'vms.wob.count=3')).toMatch(
      /^--set:1:5: error: no item "wob" in the list — did you mean "web"\?/,
    );
  });

  it('parameters that contradict each other', async () => {
    expect(await refused(vms('name: web, memory: 16MiB, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:\d+: error: the populated regions take/,
    );
  });

  it('reports every fault of a file, in order', async () => {
    const text = smallYaml({
      duration: '4',
      vms: '[{ name: Web, workload: { kind: web-sever } }]',
    });
    const places = (await refused(text)).match(/^s\.yaml:\d+/gm);
    expect(places).toEqual(['s.yaml:2', 's.yaml:6', 's.yaml:6']);
  });

  it('faults of every kind at once: shapes, rules that tie values together, workloads', async () => {
    const text = [
      ...['name: w', 'duration: 10ms', 'warmup: 20ms', 'sede: 3'],
      ...['host: { processor: opteron-1354, memory: 2GiB, pcpus: 9 }'],
      ...['hypervisor: { profile: kvm-2.6.33, mmo: x, scheduler: { kind: credti } }', 'vms:'],
      ...['  - { name: web, count: x, pin: [99], workload: { kind: web-server } }'],
      ...['  - { name: web, pin: [4], cuont: 1, workload: { kind: webserver } }'],
      ...['  - { name: a, weight: 0, memory: 1MiB, workload: { kind: idle } }'],
      ...['  - { name: b, memory: 16MiB, workload: { kind: web-server } }'],
    ].join('\n');
    const stderr = await refused(text);
    const found = stderr.match(/^s\.yaml:\d+:\d+: error: .{12}/gm);
    expect(found).toEqual([
      's.yaml:3:9: error: the warm-up ',
      's.yaml:4:1: error: unknown key ',
      's.yaml:5:55: error: the host has',
      's.yaml:6:36: error: unknown key ',
      's.yaml:6:63: error: "credti" is ',
      's.yaml:8:25: error: "vms.web.cou',
      's.yaml:8:34: error: there is no ',
      's.yaml:9:13: error: two groups o',
      's.yaml:9:24: error: there is no ',
      's.yaml:9:28: error: unknown key ',
      's.yaml:9:56: error: "webserver" ',
      's.yaml:10:24: error: "vms.a.weigh',
      's.yaml:10:35: error: a VM needs a',
      's.yaml:11:41: error: the populate',
    ]);
  });

  it.each([
    ['host: 7', 's.yaml:4:7: error: "host" must be a map'],
    ['host: { memory: 2GiB }', 's.yaml:4:1: error: missing key "processor" in host'],
    ['host: { processor: opteron-1354, cpu: { clock: 3 } }', 's.yaml:4:48: error: '],
    ['hypervisor: [1]', 's.yaml:5:13: error: "hypervisor" must be a map'],
    [
      'hypervisor: { profile: kvm-2.6.33, costs: { exitPath: a, decode: {} } }',
      's.yaml:5:55: error: ',
    ],
    ['hypervisor: { profile: nvm }', 's.yaml:5:24: error: "nvm" is not allowed'],
    ['sweep: { axes: 3 }', 's.yaml:7:16: error: '],
    ['output: on', 's.yaml:7:9: error: "output" must be a map'],
  ])('beside %s a warm-up that is too long', async (line, fault) => {
    const [key] = line.split(':') as [string];
    const stderr = await refused(smallYaml({ warmup: '5ms', [key]: line.slice(key.length + 2) }));
    expect(stderr).toMatch(/^s\.yaml:3:9: error: the warm-up/m);
    expect(stderr).toContain(fault);
  });

  it('an unknown option or command', async () => {
    for (const args of [
      ['run', 's.yaml', '--sead', '1'],
      ['rnu', 's.yaml'],
      ['list', 'schedulrs'],
    ]) {
      const { status, stderr } = await worldswitchHere(dir, ...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/did you mean/);
    }
  });
});

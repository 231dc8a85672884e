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
import { root, scratch, smallYaml, worldswitch } from '../support/program.ts';

let dir: string;
let remove: () => void;
beforeEach(() => {
  ({ dir, remove } = scratch());
});
afterEach(() => remove());

/** Runs the file and checks what holds for every mistake; returns the messages. */
function refused(content: string | Uint8Array, ...args: string[]): string {
  writeFileSync(join(dir, 's.yaml'), content);
  return refusedFile('s.yaml', ...args);
}

function refusedFile(file: string, ...args: string[]): string {
  const before = readdirSync(dir);
  const { status, stdout, stderr } = worldswitch(dir, 'run', file, ...args);
  expect(stderr).toMatch(/^[^\n]+:\d+:\d+: error: /);
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
  it('a misspelt key', () => {
    expect(refused(vms('name: web, wieght: 3, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:20: error: unknown key "wieght" in vms\.web — did you mean "weight"\?/,
    );
  });

  it('a wrong unit', () => {
    expect(refused(smallYaml({ duration: '4parsecs' }))).toMatch(
      /^s\.yaml:2:11: error: unknown unit "parsecs" for a duration: allowed are .*ms/,
    );
  });

  it('a negative count', () => {
    expect(refused(vms('name: web, count: -1, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:27: error: "vms\.web\.count" must be at least 0, got -1/,
    );
  });

  it('a VM larger than the host', () => {
    expect(refused(vms('name: web, memory: 9GiB, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:28: error: the VMs ask for 9 GiB together, the host has 2 GiB.* — use fewer or smaller/,
    );
  });

  it('nested paging on a processor without it', () => {
    const text = smallYaml({
      host: '{ processor: opteron-2218, memory: 2GiB }',
      hypervisor: '{ profile: kvm-2.6.33, mmu: { kind: nested } }',
    });
    expect(refused(text)).toMatch(
      /s\.yaml:5:\d+: error: nested paging needs a processor that has it, and opteron-2218 has not — use/,
    );
  });

  it('an unknown preset', () => {
    expect(refused(smallYaml({ host: '{ processor: opteron-1345 }' }))).toMatch(
      /^s\.yaml:4:20: error: "opteron-1345" is not allowed .* did you mean "opteron-1354"\?/,
    );
  });

  it('a trace that is missing', () => {
    expect(refused(traceOf('gone.pt.gz'))).toMatch(
      /^s\.yaml:6:\d+: error: trace gone\.pt\.gz: there is no such file — paths are relative/,
    );
  });

  it('a trace whose gzip data are cut off', () => {
    writeFileSync(join(dir, 'cut.pt.gz'), shipped.subarray(0, shipped.length >> 1));
    expect(refused(traceOf('cut.pt.gz'))).toMatch(
      /^s\.yaml:6:\d+: error: trace cut\.pt\.gz: .*truncated/,
    );
  });

  it('a trace whose last lines are missing', () => {
    const text = gunzipSync(shipped).subarray(0, 2 ** 20);
    writeFileSync(join(dir, 'cut.pt.gz'), gzipSync(text.subarray(0, text.lastIndexOf(10) + 1)));
    expect(refused(traceOf('cut.pt.gz'))).toMatch(
      /truncated: the closing "# totals" line is missing/,
    );
  });

  it('a trace that is something else', () => {
    writeFileSync(join(dir, 'x.pt'), 'hello\n');
    expect(refused(traceOf('x.pt'))).toMatch(
      /not a page trace: it begins with "hello".* — .*trace import/,
    );
  });

  it('an empty file', () => {
    expect(refused('')).toMatch(/^s\.yaml:1:1: error: the file is empty — `worldswitch init`/);
  });

  it('a binary file', () => {
    expect(refused(shipped.subarray(0, 4000))).toMatch(/^s\.yaml:\d+:\d+: error: not a text file/);
  });

  it('a file of 50 MB, by its size', () => {
    const fd = openSync(join(dir, 'big.yaml'), 'w');
    ftruncateSync(fd, 50e6);
    closeSync(fd);
    expect(refusedFile('big.yaml')).toMatch(
      /^big\.yaml:1:1: error: .*48 MiB, a scenario at most 1 MiB/,
    );
  });

  it('an alias bomb', () => {
    const lines = ['x-a: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `x-a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    expect(refused(`${lines.join('\n')}\n${smallYaml()}`)).toMatch(
      /^s\.yaml:\d+:\d+: error: aliases expand to more than/,
    );
  });

  it('a directory for results that cannot be made', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(refused(smallYaml(), '--out', 'file/below')).toMatch(
      /^--out:1:1: error: cannot write results to file\/below: .*is a file, not a directory/,
    );
  });

  it('a key that appears twice', () => {
    expect(refused(`${smallYaml()}name: again\n`)).toMatch(
      /^s\.yaml:7:1: error: key "name" appears twice \(first in line 1\)/,
    );
  });

  it('tabs for indentation', () => {
    expect(refused('name: x\nhost:\n\tprocessor: opteron-1354\n')).toMatch(
      /^s\.yaml:3:\d+: error: a tab is used for indentation/,
    );
  });

  it('a directory instead of a file', () => {
    mkdirSync(join(dir, 'd'));
    expect(refusedFile('d')).toMatch(/^d:1:1: error: cannot read the scenario: it is a directory/);
  });

  it('a file that is not there, with the one that was meant', () => {
    writeFileSync(join(dir, 'scenario.yaml'), smallYaml());
    expect(refusedFile('scenaro.yaml')).toMatch(/no such file — did you mean "scenario\.yaml"\?/);
  });

  it('a bad override, at its place in the option', () => {
    expect(refused(smallYaml(), '--set', 'vms.wob.count=3')).toMatch(
      /^--set:1:5: error: no item "wob" in the list — did you mean "web"\?/,
    );
  });

  it('parameters that contradict each other', () => {
    expect(refused(vms('name: web, memory: 16MiB, workload: { kind: web-server }'))).toMatch(
      /^s\.yaml:6:\d+: error: the populated regions take/,
    );
  });

  it('reports every fault of a file, in order', () => {
    const text = smallYaml({
      duration: '4',
      vms: '[{ name: Web, workload: { kind: web-sever } }]',
    });
    const places = refused(text).match(/^s\.yaml:\d+/gm);
    expect(places).toEqual(['s.yaml:2', 's.yaml:6', 's.yaml:6']);
  });

  it('an unknown option or command', () => {
    for (const args of [
      ['run', 's.yaml', '--sead', '1'],
      ['rnu', 's.yaml'],
      ['list', 'schedulrs'],
    ]) {
      const { status, stderr } = worldswitch(dir, ...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/Did you mean|did you mean/);
    }
  });
});

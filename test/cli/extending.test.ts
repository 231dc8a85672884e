import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'worldswitch-extending-'));

/** The files that the document adds. */
const written: string[] = [];

const SCENARIO = `
name: extended
duration: 20ms
warmup: 2ms
host: { processor: opteron-1354, pcpus: 2 }
hypervisor:
  profile: kvm-2.6.33
  mmu: { kind: passthrough }
  scheduler: { kind: lottery, timeslice: 1ms }
vms:
  - { name: busy, count: 5, memory: 32MiB, workload: { kind: page-fault-loop, pages: 16 } }
`;

/** The documented code is put where the document says, with the documented line in the list. */
beforeAll(() => {
  for (const name of ['src', 'package.json', 'tsconfig.json', 'biome.json']) {
    cpSync(join(root, name), join(work, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));
  const text = readFileSync(join(root, 'docs/extending.md'), 'utf8');
  const blocks = [...text.matchAll(/```ts\n\/\/ (src\/\S+)\n([\s\S]*?)```/g)];
  for (const [, path, code] of blocks) {
    if (path!.endsWith('/index.ts')) continue;
    writeFileSync(join(work, path!), code!);
    written.push(path!);
  }
  addTo('src/hypervisor/schedulers/index.ts', 'lottery', 'lottery');
  addTo('src/hypervisor/mmu/index.ts', 'passthrough', 'passthrough');
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.json'], { cwd: work, stdio: 'pipe' });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Whoever copies an example may run `npm run check`. */
it('the policies of docs/extending.md pass the lint and are formatted', () => {
  const args = ['check', '--error-on-warnings', '--vcs-enabled=false', ...written];
  const { status, stderr } = spawnSync('node_modules/.bin/biome', args, {
    cwd: work,
    encoding: 'utf8',
  });
  expect({ status, stderr: stderr.includes('error') ? stderr : '' }).toEqual({
    status: 0,
    stderr: '',
  });
  expect(written).toHaveLength(2);
});

function addTo(index: string, name: string, file: string): void {
  const before = readFileSync(join(work, index), 'utf8');
  const line = before.replace(/Registry\(\[([^\]]*)\]/, (all, list) =>
    all.replace(list, `${list.trimEnd().replace(/,$/, '')}, ${name}`),
  );
  expect(line).not.toBe(before);
  writeFileSync(join(work, index), `import { ${name} } from './${file}.ts';\n${line}`);
}

it('the policies of docs/extending.md pass the lint', () => {
  const policies = ['src/hypervisor/schedulers/lottery.ts', 'src/hypervisor/mmu/passthrough.ts'];
  const args = ['lint', '--vcs-enabled=false', '--error-on-warnings', ...policies];
  expect(() =>
    execFileSync('node_modules/.bin/biome', args, { cwd: work, stdio: 'pipe' }),
  ).not.toThrow();
});

it('the policies of docs/extending.md compile and run as documented', () => {
  writeFileSync(join(work, 'extended.yaml'), SCENARIO);
  const args = ['dist/cli/main.cjs', 'run', 'extended.yaml', '--json'];
  const run = JSON.parse(execFileSync('node', args, { cwd: work, encoding: 'utf8' }));
  expect(run.vms).toHaveLength(5);
  for (const vm of run.vms) expect(vm.metrics.work).toBeGreaterThan(10);
  const idle = run.ledger.filter((row: { leaf: string }) => row.leaf === 'idle');
  expect(idle).toEqual([]);
});

it('a guest sees the documented paging mode as it sees bare hardware', () => {
  const guest = (mmu: string) => {
    const set = ['duration=work', 'vms.busy.count=1', 'vms.busy.workload.work=40'];
    const args = [...set, `hypervisor.mmu.kind=${mmu}`].flatMap((pair) => ['--set', pair]);
    const all = ['dist/cli/main.cjs', 'run', 'extended.yaml', '--json', ...args];
    const [vm] = JSON.parse(execFileSync('node', all, { cwd: work, encoding: 'utf8' })).vms;
    const { visits, guest_faults, guest_pte_writes } = vm.metrics;
    return { visits, guest_faults, guest_pte_writes };
  };
  const bare = guest('native');
  expect(bare.guest_faults).toBeGreaterThan(500);
  expect(guest('passthrough')).toEqual(bare);
});

it('the new policies are listed, and their parameters are checked', () => {
  const list = (what: string) =>
    execFileSync('node', ['dist/cli/main.cjs', 'list', what], { cwd: work, encoding: 'utf8' });
  expect(list('schedulers')).toContain('a ticket is drawn for each turn');
  expect(list('mmu')).toContain('passthrough');
  const wrong = [
    'dist/cli/main.cjs',
    'check',
    'extended.yaml',
    '--set',
    'hypervisor.scheduler.tmieslice=1ms',
  ];
  expect(() => execFileSync('node', wrong, { cwd: work, stdio: 'pipe' })).toThrow(/timeslice/);
});

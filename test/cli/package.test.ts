import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root, scratch, smallYaml } from '../support/program.ts';

/** The package as others get it: packed, installed into an empty project without development packages, used. */

const { dir, remove } = scratch();
afterAll(remove);

const npm = (...args: string[]) =>
  spawnSync('npm', args, { cwd: dir, encoding: 'utf8', timeout: 100_000 });

/** True when the package is installed in `dir`. */
function install(): boolean {
  const packed = execFileSync(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const tarball = packed.trim().split('\n').at(-1)!;
  writeFileSync(
    join(dir, 'package.json'),
    '{ "name": "user", "private": true, "type": "module" }\n',
  );
  const { status, stderr } = npm(
    'install',
    '--omit=dev',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    `./${tarball}`,
  );
  if (status === 0) return true;
  console.error(
    `SKIPPED: the packed package could not be installed, probably for want of a registry:\n${stderr}`,
  );
  return false;
}

describe('the installed package', () => {
  const installed = install();

  it.runIf(installed)('runs a scenario from the command line', () => {
    writeFileSync(join(dir, 's.yaml'), smallYaml());
    const { status, stdout, stderr } = npm(
      'exec',
      '--offline',
      '--',
      'worldswitch',
      'run',
      's.yaml',
    );
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('results in results/small/');
    expect(existsSync(join(dir, 'results/small/metrics.csv'))).toBe(true);
  });

  it.runIf(installed)('runs a scenario from a program', () => {
    writeFileSync(
      join(dir, 'use.js'),
      `import { loadScenario, runScenario } from 'worldswitch';
       const scenario = loadScenario(${JSON.stringify(smallYaml())}, { file: 's.yaml' });
       const result = await runScenario(scenario);
       console.log(result.vms.map(({ vm }) => vm).join());\n`,
    );
    expect(execFileSync(process.execPath, ['use.js'], { cwd: dir, encoding: 'utf8' })).toBe(
      'web-0,web-1\n',
    );
  });

  it.runIf(installed)('has types that need nothing else', () => {
    writeFileSync(
      join(dir, 'use.ts'),
      `import { ConfigError, loadScenario, runScenario, type RunResult } from 'worldswitch';
       const result: RunResult = await runScenario(loadScenario('', { file: 's.yaml' }));
       export const names: string[] = result.vms.map(({ vm }) => vm);
       // @ts-expect-error there is no such field
       result.nonsense;
       export const kind: typeof ConfigError = ConfigError;\n`,
    );
    const args = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      '',
      'use.ts',
    ];
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), ...args],
      { cwd: dir, encoding: 'utf8' },
    );
    expect([status, stdout]).toEqual([0, '']);
  });
});

describe('the program in a checkout', () => {
  it.each(['main.cjs', 'main.js'])('starts where npx has a link to it: %s', (file) => {
    const program = join(root, 'dist/cli', file);
    const { status, stdout } = spawnSync(program, ['list', 'schedulers'], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([0, expect.stringContaining('credit')]);
  });
});

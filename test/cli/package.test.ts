import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildPage } from '../support/page.ts';
import { linkedPackage, root, scratch, smallYaml } from '../support/program.ts';

/** The package as others get it: packed, installed into an empty project without development packages, used. */

const { dir, remove } = scratch();
afterAll(remove);

const npm = (...args: string[]) =>
  spawnSync('npm', args, { cwd: dir, encoding: 'utf8', timeout: 100_000 });

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], {
    cwd: root,
    encoding: 'utf8',
  }),
) as [Packed];

describe('the packed package', () => {
  const kinds = [
    /^(package\.json|README\.md|LICENSE)$/,
    /^dist\/([a-z-]+\/)*[a-z0-9.-]+(\.generated|\.browser)?\.(js|d\.ts)$/,
    /^dist\/cli\/[a-z-]+\.(cjs|d\.cts)$/,
    /^configs\/([a-z]+\/)?[a-z0-9.-]+\.yaml$/,
    /^configs\/scenario\.schema\.json$/,
    /^docs\/(CHANGELOG\.md|CITATION\.cff|library\.md)$/,
  ];
  const paths = packed.files.map(({ path }) => path);

  it('holds files of every kind that it needs, and of no other', () => {
    for (const kind of kinds) expect(paths.filter((path) => kind.test(path))).not.toEqual([]);
    const others = paths.filter((path) => !kinds.some((kind) => kind.test(path)));
    expect(others, 'after a change of the build: npm run clean').toEqual([]);
  });

  it('holds no scenario whose traces stay behind', () => {
    const scenarios = paths.filter((path) => /^configs\/[^/]+\.yaml$/.test(path));
    const texts = scenarios.map((path) => readFileSync(join(root, path), 'utf8'));
    expect(texts.filter((text) => /^\s*[^#]*kind: trace\b/m.test(text))).toEqual([]);
  });

  it('names no map of sources that are not there', () => {
    const scripts = paths.filter((path) => /\.c?js$/.test(path));
    expect(scripts.length).toBeGreaterThan(100);
    const texts = scripts.map((path) => readFileSync(join(root, path), 'utf8'));
    expect(texts.filter((text) => text.includes('sourceMappingURL='))).toEqual([]);
  });

  it('is small', () => {
    // The schema for editors and the module for pages, which repeats much of the rest, are 1.3 MB and 0.8 MB.
    expect(packed.size).toBeLessThan(1_400_000);
    expect(packed.unpackedSize).toBeLessThan(5_800_000);
  });

  it('runs nothing when it is installed', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const run = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];
    expect(Object.keys(scripts).filter((name) => run.includes(name))).toEqual([]);
  });
});

describe('what stands beside the code', () => {
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const { version, license, author } = JSON.parse(read('package.json'));

  it('is cited by a file of the Citation File Format 1.2.0', () => {
    const citation = parse(read('docs/CITATION.cff'));
    expect(citation).toMatchObject({ 'cff-version': '1.2.0', type: 'software', version, license });
    expect(citation.authors).toEqual([{ name: author }]);
    for (const key of ['message', 'title', 'abstract']) expect(citation[key]).toMatch(/\w+ \w+/);
    // Of the keys that the format knows, those that may be here.
    const known = ['cff-version', 'type', 'version', 'license', 'authors', 'message', 'title'];
    known.push('abstract', 'keywords', 'date-released', 'doi', 'repository-code', 'url');
    expect(Object.keys(citation).filter((key) => !known.includes(key))).toEqual([]);
    expect(new Set(citation.keywords).size).toBe(citation.keywords.length);
  });

  it('has a licence that names the authors', () => {
    expect(read('LICENSE')).toMatch(new RegExp(`^${license} License\n\nCopyright .* ${author}\n`));
  });

  it('has a changelog of releases, latest first, and of changes by kind', () => {
    const [first, ...released] = [...read('docs/CHANGELOG.md').matchAll(/^## (.+)$/gm)].map(
      ([, heading]) => heading!,
    );
    expect(first).toBe('[Unreleased]');
    for (const heading of released) {
      expect(heading).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/);
    }
    const kinds = [...read('docs/CHANGELOG.md').matchAll(/^### (.+)$/gm)].map(([, kind]) => kind);
    const allowed = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
    expect(kinds.length).toBeGreaterThan(0);
    expect(kinds.filter((kind) => !allowed.includes(kind!))).toEqual([]);
  });
});

/** True when the package is installed in `dir`; what npm said of it. */
function install(): { readonly installed: boolean; readonly said: string } {
  writeFileSync(
    join(dir, 'package.json'),
    '{ "name": "user", "private": true, "type": "module" }\n',
  );
  const options = ['--omit=dev', '--prefer-offline', '--no-audit', '--no-fund'];
  const { status, stderr } = npm('install', ...options, `./${packed.filename}`);
  if (status !== 0) {
    console.error(
      `SKIPPED: the packed package could not be installed, probably for want of a registry:\n${stderr}`,
    );
  }
  return { installed: status === 0, said: stderr };
}

describe('the installed package', () => {
  const { installed, said } = install();

  it.runIf(installed)('is installed without a warning', () => {
    expect(said.split('\n').filter((line) => line.includes('worldswitch'))).toEqual([]);
  });

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

  it.runIf(installed)('makes the page that the checkout makes, byte for byte', () => {
    const checkout = linkedPackage();
    try {
      expect(buildPage(dir).equals(buildPage(checkout.dir))).toBe(true);
    } finally {
      checkout.remove();
    }
  });

  describe.runIf(installed)('has types for strict programs', () => {
    writeFileSync(
      join(dir, 'use.ts'),
      `import { metricsCsv } from 'worldswitch';
       import { ConfigError, loadScenario, presets, runScenario, summary } from 'worldswitch/core';
       import type { MetricName, RunOptions, RunResult, Scenario } from 'worldswitch/core';
       const names: readonly string[] = Object.keys(presets.processors);
       const scenario: Scenario = loadScenario('', { file: 's.yaml', set: names });
       const options: RunOptions = { onProgress: ({ fraction }) => fraction.toFixed() };
       const result: RunResult = await runScenario(scenario, options);
       export const texts: string[] = [summary(scenario, result), ...metricsCsv(result)];
       export const metric: MetricName | undefined = result.metrics[0]?.metric;
       export const clock: number = scenario.processor.clock;
       // @ts-expect-error there is no such field
       result.nonsense;
       export const kind: typeof ConfigError = ConfigError;\n`,
    );
    /** What the compiler complains of, in files of others too: skipLibCheck is off. */
    const complaints = (...options: readonly string[]) => {
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const strict = ['strict', 'exactOptionalPropertyTypes', 'noUncheckedIndexedAccess'];
      const args = [tsc, '--noEmit', ...strict.map((name) => `--${name}`), '--target', 'es2023'];
      const { stdout } = spawnSync(
        process.execPath,
        [...args, '--types', '', ...options, 'use.ts'],
        {
          cwd: dir,
          encoding: 'utf8',
        },
      );
      return stdout.split('\n').filter((line) => line !== '');
    };

    it.each([
      ['Node', ['--module', 'nodenext']],
      ['a bundler', ['--module', 'esnext', '--moduleResolution', 'bundler']],
    ])('of %s', (_, options) => {
      expect(complaints(...options)).toEqual([]);
    });

    it('that know neither pages nor Node, but for those of zod', () => {
      const found = complaints('--module', 'nodenext', '--lib', 'es2023');
      expect(found.filter((line) => !line.startsWith('node_modules/zod/'))).toEqual([]);
    });
  });
});

describe('the program in a checkout', () => {
  it.each(['main.cjs', 'main.js'])('starts where npx has a link to it: %s', (file) => {
    const program = join(root, 'dist/cli', file);
    const { status, stdout } = spawnSync(program, ['list', 'schedulers'], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([0, expect.stringContaining('credit')]);
  });
});

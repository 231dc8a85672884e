import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium, launch } from '../support/chromium.ts';
import { buildPage, snippets } from '../support/page.ts';
import { linkedPackage, root, smallYaml, worldswitchHere } from '../support/program.ts';

/** The code of docs/library.md does what is said there: in Node, and in a page opened from a disk. */

const { dir, remove } = linkedPackage();
afterAll(remove);

const text = smallYaml();

/** Runs a program that may import the package; returns the lines that it prints. */
function node(code: string): string[] {
  writeFileSync(join(dir, 'use.js'), code);
  const printed = execFileSync(process.execPath, ['use.js'], { cwd: dir, encoding: 'utf8' });
  return printed.trimEnd().split('\n');
}

describe('the library in Node', () => {
  const [run, options] = snippets;

  it('gives the summary that the command line prints', async () => {
    writeFileSync(join(dir, 'my.yaml'), text);
    const { stdout } = await worldswitchHere(dir, 'run', 'my.yaml');
    const lines = node(`const text = ${JSON.stringify(text)};\n${run}`);
    expect(lines.length).toBeGreaterThan(10);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(lines));
  });

  it('reports progress and ends when it is told to', () => {
    const lines = node(`
      import { loadScenario, runScenario } from 'worldswitch/core';
      const scenario = loadScenario(${JSON.stringify(text)}, { file: 'my.yaml' });
      ${options}
      console.log(result.vms.length);
      try {
        ${options!.replace('\n', '\nsetTimeout(() => stop.abort());\n').replace('result', 'none')}
      } catch (error) {
        console.log(error.name);
      }`);
    expect(lines.slice(0, 4)).toEqual(['0.25', '0.5', '0.75', '2']);
    expect(lines.at(-1)).toBe('RunAborted');
    expect(lines.length).toBeLessThan(8);
  });
});

it('the whole package makes CSV in a page too, where there is no Buffer', () => {
  const contents = `
    import { metricsCsv } from 'worldswitch';
    const metrics = [{ scope: 'vm', id: 'web-0', metric: 'work', value: 3 }];
    globalThis.csv = [...metricsCsv({ name: 'my', metrics })].join('');`;
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: dir },
    bundle: true,
    write: false,
    logLevel: 'silent',
  });
  const page: { csv?: string } = createContext({});
  runInContext(outputFiles[0]!.text, page);
  expect(page.csv).toBe('run,scope,id,metric,unit,value\nmy,vm,web-0,work,count,3\n');
});

describe('the module for pages', () => {
  it('says of faulty scenarios what the module for Node says, word for word', () => {
    const vms = (web: string) => ({ vms: `[{ name: web, memory: 256MiB, ${web} }]` });
    const server = 'workload: { kind: web-server }';
    const host = (more: string) => ({ host: `{ processor: opteron-1354, memory: 2GiB, ${more} }` });
    const kvm = (more: string) => ({ hypervisor: `{ profile: kvm-2.6.33, ${more} }` });
    const faulty = [
      smallYaml({ durtaion: '10ms' }),
      smallYaml({ duration: 'soon' }),
      smallYaml({ duration: '0s' }),
      smallYaml({ name: '[1]' }),
      smallYaml({ seed: '1.5' }),
      smallYaml({ sweep: '{ axes: { seed: [] }, replications: 0 }' }),
      smallYaml(host('pcpus: 0')),
      smallYaml(host('pcpus: 2000')),
      smallYaml(host('cpu: { clock: fast, l1d: 3 }')),
      smallYaml(kvm('mmu: { kind: npt }')),
      smallYaml(kvm('mmu: { kind: shadow, oos: 7 }')),
      smallYaml(kvm('scheduler: { kind: credit, timeslice: 1us, boost: maybe }')),
      smallYaml(kvm('scheduler: { kind: round-robin, slice: 1ms }')),
      smallYaml(kvm('tags: { kind: asid-generations, asids: 1 }')),
      smallYaml(kvm('costs: { exitPath: -1, decode: x }')),
      smallYaml(vms(`${server}, pages: 3MiB, scheduler: { weight: 0, wieght: 1 }`)),
      smallYaml(vms(`${server}, vcpus: 1.5, pin: 0-3`)),
      smallYaml(vms('workload: { kind: web-sever }')),
      smallYaml(vms('workload: { kind: tlb-thrash, pages: 0, stores: 2 }')),
      smallYaml(vms('workload: { kind: synthetic, regions: [{ name: a, pattern: zipf }] }')),
      smallYaml(vms('workload: { kind: trace, files: 3 }')),
      smallYaml({ hypervisor: '{ profile: xen-9 }' }),
      smallYaml({ vms: '[{ name: web }, { name: web, count: two }]' }),
      'name: small\nvms: {',
      '',
    ];
    const said = (module: string) =>
      node(`
        import { loadScenario } from ${JSON.stringify(pathToFileURL(join(root, 'dist', module)))};
        const messages = ${JSON.stringify(faulty)}.map((text) => {
          try {
            return JSON.stringify(loadScenario(text, { file: 'my.yaml' }));
          } catch (error) {
            return error.name + error.message + JSON.stringify(error.diagnostics);
          }
        });
        console.log(JSON.stringify(messages));`);
    const [inNode] = said('core.js');
    expect(JSON.parse(inNode!).filter((text: string) => !text.startsWith('ConfigError'))).toEqual(
      [],
    );
    expect(said('core.browser.js')).toEqual([inNode]);
  });

  it('refuses what spans hosts, and writes a scenario as YAML', () => {
    const asked = ['events: []', 'events: [{ at: 1ms, kind: fail, host: a }]'];
    const said = node(`
      import { loadScenario, scenarioYaml } from ${JSON.stringify(pathToFileURL(join(root, 'dist/core.browser.js')))};
      const texts = ${JSON.stringify(asked.map((more) => `${smallYaml()}\n${more}\n`))};
      for (const text of texts) {
        try {
          console.log(loadScenario(scenarioYaml(loadScenario(text, {})), {}).name);
        } catch (error) {
          console.log(error.message);
        }
      }`);
    expect(said[0]).toBe('small');
    expect(said.slice(1).join(' ')).toMatch(/a page simulates no events/);
  });

  it('refuses to replay a trace, whose parameters it knows', () => {
    const replay = (more: string) =>
      smallYaml({ vms: `[{ name: web, memory: 256MiB, workload: { kind: trace, ${more} } }]` });
    const said = node(`
      import { loadScenario } from ${JSON.stringify(pathToFileURL(join(root, 'dist/core.browser.js')))};
      for (const text of ${JSON.stringify([replay('file: a.gz'), replay('file: a.gz, lop: true')])}) {
        try {
          console.log(loadScenario(text, {}).name);
        } catch (error) {
          console.log(JSON.stringify(error.diagnostics.map(({ message }) => message)));
        }
      }`);
    const refused = 'a page replays no traces, to be small: run the scenario with Node';
    expect(JSON.parse(said[0]!)).toEqual([refused]);
    expect(JSON.parse(said[1]!)).toEqual([expect.stringMatching(/unknown key "lop"/)]);
  });

  it('refuses to skip anything', () => {
    const text = smallYaml({ duration: '1s', sampling: '{ kind: learned }' });
    const said = node(`
      import { loadScenario } from ${JSON.stringify(pathToFileURL(join(root, 'dist/core.browser.js')))};
      try {
        console.log(loadScenario(${JSON.stringify(text)}, {}).name);
      } catch (error) {
        console.log(error.diagnostics.map(({ message }) => message).join());
      }`);
    expect(said[0]).toBe('a page simulates everything in detail, to be small');
  });

  it('reads YAML as the module for Node does', () => {
    const odd = [
      smallYaml({ seed: '0o17' }),
      smallYaml({ seed: '!!int 3', description: '"a \\u00e9"' }),
      smallYaml({
        description: '>-\n  folded\n  text',
        vms: '&a []',
        'x-more': '{ <<: {}, b: *a }',
      }),
      `%YAML 1.1\n---\n${smallYaml({ checks: '{ translations: yes }' })}`,
      smallYaml({ seed: '!!binary aGVs' }),
      smallYaml({ seed: '!!timestamp 2001-01-01' }),
      smallYaml({ seed: '!odd 3' }),
      smallYaml({ seed: '*none' }),
      `${smallYaml()}? [a]\n: b\n`,
      `${smallYaml()}---\n${smallYaml()}`,
    ];
    const read = (module: string) =>
      node(`
        import { loadScenario } from ${JSON.stringify(pathToFileURL(join(root, 'dist', module)))};
        const answers = ${JSON.stringify(odd)}.map((text) => {
          try {
            const { seed, description, vms } = loadScenario(text, {});
            return JSON.stringify({ seed, description, vms: vms.length });
          } catch (error) {
            return JSON.stringify(error.diagnostics);
          }
        });
        console.log(JSON.stringify(answers));`);
    expect(read('core.browser.js')).toEqual(read('core.js'));
  });

  it('explains why it makes no JSON Schema', () => {
    const [vendor, message] = node(`
      import { scenarioSchema } from ${JSON.stringify(pathToFileURL(join(root, 'dist/core.browser.js')))};
      console.log(scenarioSchema()['~standard'].vendor);
      try {
        scenarioSchema().toJSONSchema();
      } catch (error) {
        console.log(error.message);
      }`);
    expect(vendor).toBe('zod');
    expect(message).toMatch(/makes no JSON Schema in a page/);
  });
});

it('a page that shows names only bundles no simulator', () => {
  const contents = `import { exitNames } from 'worldswitch/core'; console.log(exitNames);`;
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: dir },
    bundle: true,
    minify: true,
    write: false,
  });
  expect(outputFiles[0]!.text).not.toContain('web-server');
  expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThan(10_000);
});

describe('the bundle for a page', () => {
  const script = buildPage(dir);

  it('is at most 164 kB after gzip', () => {
    const size = gzipSync(script, { level: 9 }).length;
    expect(size).toBeGreaterThan(100_000);
    expect(size).toBeLessThan(164_000);
  });

  it('is no larger when it loads and runs scenarios only', () => {
    const contents = `
      import { loadScenario, runScenario } from 'worldswitch/core';
      onmessage = async ({ data }) => postMessage(await runScenario(loadScenario(data, {})));`;
    const { outputFiles } = buildSync({
      stdin: { contents, resolveDir: dir },
      bundle: true,
      minify: true,
      write: false,
    });
    expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThan(164_000);
  });

  it('holds the presets without their comments', () => {
    expect(script.includes('opteron-1354')).toBe(true);
    expect(script.includes('# published')).toBe(false);
  });
});

if (!hasChromium) console.warn('SKIPPED: no browser is here; install the Debian package chromium');

describe.runIf(hasChromium)('the page', () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch();
    page = await browser.newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    const files = ['index.html', 'page.bundle.js'].map(
      (name) => pathToFileURL(join(dir, name)).href,
    );
    page.on('request', (request) => {
      const url = request.url();
      if (!files.includes(url) && !url.startsWith('blob:')) complaints.push(url);
    });
    await page.goto(files[0]!);
  }, 60_000);
  afterAll(() => browser?.close());

  const answers = (answer: RegExp) =>
    page.locator('#answer').filter({ hasText: answer }).waitFor({ timeout: 60_000 });

  it('gets the results of Node, bit for bit', async () => {
    await page.fill('#scenario', text);
    await page.click('#run');
    await answers(/web-1/);
    const saved = await page.evaluate(
      `fetch(document.querySelector('#save').href).then((r) => r.text())`,
    );
    const [inNode] = node(`
      import { loadScenario, runScenario } from 'worldswitch';
      const scenario = loadScenario(${JSON.stringify(text)}, { file: 'my.yaml' });
      console.log(JSON.stringify(await runScenario(scenario)));`);
    const fingerprint = (json: unknown) => createHash('sha256').update(String(json)).digest('hex');
    expect(JSON.parse(String(saved)).vms).toHaveLength(2);
    expect(fingerprint(saved)).toBe(fingerprint(inNode));
  });

  it('stays alive during a run, and stops it', async () => {
    await page.fill('#scenario', smallYaml({ duration: '10s' }));
    await page.click('#run');
    await page.waitForFunction('progress.value > 0 && progress.value < 0.5');
    await page.click('#stop');
    await answers(/^stopped$/);
  });

  it('shows what is wrong with a scenario, and where', async () => {
    await page.fill('#scenario', smallYaml({ durtaion: '10ms' }));
    await page.click('#run');
    await answers(/^scenario:7:1: error: .*durtaion/);
  });

  it('asks for nothing and complains of nothing', () => {
    expect(complaints).toEqual([]);
  });
});

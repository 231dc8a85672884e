import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { getLanguageService } from 'yaml-language-server';
import { ExitCode } from '../../src/cli/fail.ts';
import { root, scratch, smallYaml, worldswitchHere } from '../support/program.ts';

/** What the command line says about itself, and about what was typed. */

let dir: string;
let remove: () => void;
beforeAll(() => {
  ({ dir, remove } = scratch());
  writeFileSync(join(dir, 's.yaml'), smallYaml());
});
afterAll(() => remove());

describe('help', () => {
  const commands = [
    ...['run', 'check', 'sweep', 'sweep plan', 'sweep run', 'sweep submit', 'sweep status'],
    ...['sweep merge', 'find', 'compare', 'why', 'report', 'list', 'init', 'schema', 'trace'],
    ...['trace import', 'trace info', 'trace synth', 'completion'],
  ];

  it('names every exit code', async () => {
    const { stdout } = await worldswitchHere(dir, '--help');
    const codes = [...stdout.matchAll(/^ {2}(\d+) +\S/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(ExitCode));
  });

  it.each(commands)('%s: fits, points to the exit codes, shows no empty list', async (name) => {
    const shown = await worldswitchHere(dir, ...name.split(' '), '--help');
    expect(await worldswitchHere(dir, 'help', ...name.split(' '))).toEqual(shown);
    expect(shown.status).toBe(0);
    expect(shown.stdout).toContain('Exit codes: see worldswitch --help');
    expect(shown.stdout).not.toContain('(default: [])');
    expect(shown.stdout).toMatch(new RegExp(`^Usage: worldswitch ${name}\\b`));
    expect(shown.stdout.split('\n').filter((line) => line.length > 110)).toEqual([]);
  });

  it('quotes what a shell would take for a pattern', async () => {
    const { stdout } = await worldswitchHere(dir, 'sweep', '--help');
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      "vms.web.count=1,2,4, or 1..8, or '[1, 2, 4]' in quotes",
    );
  });
});

describe('a command line that is not understood', () => {
  it.each([
    ['run s.yaml --bse', "error: unknown option '--bse' — did you mean --baseline?"],
    ['run s.yaml --sead 1', "error: unknown option '--sead' — did you mean --seed?"],
    ['find s.yaml --obj x', "error: unknown option '--obj' — did you mean --objective?"],
    ['run s.yaml --zzz', "error: unknown option '--zzz' — see worldswitch run --help"],
    [
      'run s.yaml --shard 0/2',
      "error: unknown option '--shard' — an option of worldswitch sweep run",
    ],
    ['run s.yaml -x', "error: unknown option '-x' — see worldswitch run --help"],
    ['--verison', "error: unknown option '--verison' — did you mean --version?"],
    ['rnu s.yaml', "error: unknown command 'rnu' — did you mean run?"],
    ['cmp a b', "error: unknown command 'cmp' — did you mean compare?"],
    ['trace improt x', "error: unknown command 'improt' — did you mean import?"],
    ['help swep', "error: unknown command 'swep' — did you mean sweep?"],
    ['help sweep mrege', "error: unknown command 'mrege' — did you mean merge?"],
    [
      'sweep staus d',
      "error: too many arguments for 'sweep'. Expected 1 argument but got 2 — did you mean status?",
    ],
    ['run', "error: missing required argument 'scenario' — see worldswitch run --help"],
    ['sweep', "error: missing required argument 'scenario' — see worldswitch sweep --help"],
    ['list metrcs', 'worldswitch: list: there is no list of "metrcs" — did you mean "metrics"?'],
    ['report nowhere', 'worldswitch: nowhere: there is no such directory — name the directory'],
    [
      'run nowhere.yaml',
      'worldswitch: nowhere.yaml: cannot read the scenario: there is no such file — ',
    ],
    ['why s.yaml wbe-0', 'worldswitch: why: there is no VM "wbe-0" — did you mean "web-0"?'],
    [
      'run s.yaml --free exot',
      'worldswitch: --free: there is no mechanism "exot" — did you mean "exit"?',
    ],
    ['compare s.yaml', 'worldswitch: compare: there is nothing to compare with — '],
    [
      'compare s.yaml --with vms.wbe.count=3',
      '--with:1:5: error: no item "wbe" in the list — did you mean "web"?',
    ],
    ['run s.yaml --seed =1', '--seed:1:1: error: a seed that is no number cannot begin with ='],
    [
      'sweep s.yaml --axis duration=3ms --replications 0',
      '--replications:1:1: error: "sweep.replications" must be at least 1, got 0',
    ],
  ])('%s', async (line, said) => {
    const { status, stdout, stderr } = await worldswitchHere(dir, ...line.split(' '));
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr.slice(0, said.length)).toBe(said);
  });

  it.each([
    [
      ['--to', '8'],
      [
        '"axis" is missing — give --axis vms.web.count',
        '"objective" is missing — give --objective "p99 latency < 50ms"',
      ],
    ],
    [
      ['--axis', 'vms.web.count', '--objective', 'slowdown < 2'],
      ['"to" is missing — give --to 32'],
    ],
    [
      ['--objective', 'slowdown < 2', '--to', '4'],
      ['"axis" is missing — give --axis vms.web.count'],
    ],
  ])('find %j: names the options that are missing', async (options, said) => {
    const { status, stderr } = await worldswitchHere(dir, 'find', 's.yaml', ...options);
    expect(status).toBe(2);
    expect(stderr.split('\n').slice(0, said.length)).toEqual(
      said.map((one) => `worldswitch: find: ${one}`),
    );
  });

  it.each([
    [
      ['--axis', 'vms.web.count=1..8'],
      'worldswitch: --axis: here it takes a path alone, got "vms.web.count=1..8" — write --axis vms.web.count --from 1 --to 8',
    ],
    [
      ['--axis', 'vms.web.count', '--objective', 'slowdown < 2', '--to', 'x'],
      '--to:1:1: error: "x" is not a number',
    ],
    [
      ['--axis', 'vms.web.count', '--objective', 'slowdown < 2', '--to', '4', '--from', '{'],
      '--from:1:1: error: this { has no }',
    ],
    [
      [
        '--axis',
        'vms.web.count',
        '--objective',
        'slowdown < 2',
        '--to',
        '4',
        '--max-duration',
        '3',
      ],
      '--max-duration:1:1: error: a duration needs a unit',
    ],
    [
      ['--axis', 'vms.web.count', '--objective', 'slowdown < 2', '--to', '4', '--across', 'a=1,,2'],
      '--across:1:5: error: a value is missing',
    ],
  ])('find %j: names the option that is faulty', async (options, said) => {
    const { status, stderr } = await worldswitchHere(dir, 'find', 's.yaml', ...options);
    expect(status).toBe(2);
    expect(stderr.slice(0, said.length)).toBe(said);
  });
});

it('says which groups of VMs a file leaves empty, unless an option did', async () => {
  const vms = ['web', 'job'].map(
    (name) => `{ name: ${name}, count: 0, memory: 64MiB, workload: { kind: idle } }`,
  );
  writeFileSync(
    join(dir, 'none.yaml'),
    smallYaml({ vms: `[${vms.join(', ')}, { name: x, workload: { kind: idle } }]` }),
  );
  const { status, stderr } = await worldswitchHere(
    dir,
    'check',
    'none.yaml',
    '--set',
    'vms.job.count=0',
  );
  expect([status, stderr]).toEqual([
    0,
    'none.yaml:6:27: note: there is no VM of the group "web": its count is 0\n',
  ]);
  expect((await worldswitchHere(dir, 'check', '-q', 'none.yaml')).stderr).toBe('');
  writeFileSync(
    join(dir, 'cap.yaml'),
    smallYaml({
      hypervisor: '{ profile: xen-4.1 }',
      vms: '[{ name: x, cap: 40, workload: { kind: idle } }]',
    }),
  );
  const kind = ['--set', 'hypervisor.scheduler.kind=cfs'];
  const { stderr: said } = await worldswitchHere(dir, 'check', 'cap.yaml', ...kind);
  expect(said).toMatch(/^cap\.yaml:6:\d+: note: "cap" has no effect now, and is left out: Linux 2/);
  expect((await worldswitchHere(dir, 'check', 'cap.yaml')).stderr).toBe('');
  const all = await worldswitchHere(dir, 'check', 'none.yaml', '--set', 'vms.x.count=0');
  expect([all.status, all.stderr.split('\n')[0]]).toEqual([
    2,
    'none.yaml:6:6: error: there is no VM: every count is 0',
  ]);
});

it('says before its twins how long they will take', async () => {
  const args = [
    'why',
    's.yaml',
    'web-0',
    '--free',
    'exit,tlb-flush',
    '--set',
    'vms.web.workload.kind=tlb-thrash',
  ];
  const { status, stderr } = await worldswitchHere(dir, ...args);
  expect([status, stderr]).toEqual([
    0,
    expect.stringMatching(
      /^worldswitch: --free runs 3 twins, mechanisms alone and in pairs: about \d+ s in all\n$/,
    ),
  ]);
});

describe('init', () => {
  const service = getLanguageService({
    schemaRequestService: async (uri: string) => readFileSync(new URL(uri), 'utf8'),
    workspaceContext: {
      resolveRelativePath: (path: string, resource: string) => new URL(path, resource).href,
    },
  } as Parameters<typeof getLanguageService>[0]);
  service.configure({ validate: true, yamlVersion: '1.2' });
  let version = 0;

  async function marks(file: string, change: (text: string) => string): Promise<string[]> {
    const text = change(readFileSync(file, 'utf8'));
    const document = TextDocument.create(pathToFileURL(file).href, 'yaml', ++version, text);
    return (await service.doValidation(document, false)).map(({ message }) => message);
  }

  it('writes a scenario whose schema is found by editors, also where both are copied to', async () => {
    mkdirSync(join(dir, 'mine'));
    const { status, stderr } = await worldswitchHere(dir, 'init', 'mine/a.yaml');
    expect([status, stderr]).toEqual([
      0,
      'wrote mine/a.yaml and mine/scenario.schema.json, its schema for editors; next: worldswitch run mine/a.yaml\n',
    ]);
    const other = scratch();
    cpSync(join(dir, 'mine'), join(other.dir, 'sent'), { recursive: true });
    const file = join(other.dir, 'sent', 'a.yaml');
    expect(await marks(file, (text) => text)).toEqual([]);
    expect(await marks(file, (text) => text.replace('weight: 128', 'weight: heavy'))).not.toEqual(
      [],
    );
    other.remove();
  });

  it('takes the schema that is there, and never overwrites another file', async () => {
    const second = await worldswitchHere(dir, 'init', 'mine/b.yaml');
    expect(second.stderr).toBe('wrote mine/b.yaml; next: worldswitch run mine/b.yaml\n');
    mkdirSync(join(dir, 'theirs'));
    writeFileSync(join(dir, 'theirs/scenario.schema.json'), '{}');
    await worldswitchHere(dir, 'init', 'theirs/c.yaml');
    expect(readFileSync(join(dir, 'theirs/scenario.schema.json'), 'utf8')).toBe('{}');
    expect(readFileSync(join(dir, 'theirs/c.yaml'), 'utf8')).toMatch(
      /\$schema=\.\/worldswitch\.schema\.json\n/,
    );
    expect(readFileSync(join(dir, 'theirs/worldswitch.schema.json'), 'utf8')).toBe(
      readFileSync(join(root, 'configs/scenario.schema.json'), 'utf8'),
    );
    writeFileSync(join(dir, 'theirs/worldswitch.schema.json'), 'no JSON');
    await worldswitchHere(dir, 'init', 'theirs/d.yaml');
    expect(readFileSync(join(dir, 'theirs/d.yaml'), 'utf8')).not.toContain('$schema');
  });

  it('leaves nothing behind when the scenario is there already', async () => {
    mkdirSync(join(dir, 'full'));
    writeFileSync(join(dir, 'full/e.yaml'), 'x');
    const { status, stderr } = await worldswitchHere(dir, 'init', 'full/e.yaml');
    expect([status, stderr]).toEqual([
      2,
      'worldswitch: full/e.yaml: this file exists already, and is left as it is — name another file: worldswitch init other.yaml\n',
    ]);
    expect(() => readFileSync(join(dir, 'full/scenario.schema.json'))).toThrow('ENOENT');
  });
});

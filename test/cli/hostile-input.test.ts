import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, Folder, program } from '../support/command.ts';

/** Inputs that nobody would write by hand: each is refused at once, in one line, with its place. */

const folder = new Folder();
const at = (...names: string[]) => join(folder.path, ...names);
const linux = process.platform === 'linux';
/** Each process takes half a second: a quick run starts one for each kind of thing it does. */
const all = process.env['VALIDATE'] === 'full';

const head = `name: tiny
duration: 2ms
warmup: 1ms
host: { processor: opteron-1354, pcpus: 2, memory: 1GiB }
hypervisor: { profile: kvm-2.6.33 }
`;
const vm = (workload: string) => `vms: [{ name: a, memory: 64MiB, workload: { ${workload} } }]\n`;
const loop = vm('kind: page-fault-loop');

const MANY_STEPS = /no path has more than 32 steps|a key of \d+ characters: at most 200/;

/** A long wait is a fault as well: the time holds for a busy machine. */
async function refused(args: readonly string[], why: RegExp, most = 15_000): Promise<Ended> {
  const start = performance.now();
  const ended = await folder.here(args);
  expect(ended.err).toMatch(why);
  expect(ended.err).not.toMatch(/\n {4}at |internal fault/);
  expect([ended.code, ended.out]).toEqual([2, '']);
  expect(performance.now() - start).toBeLessThan(most);
  return ended;
}

async function allRefused(
  ...asked: readonly (readonly [args: readonly string[], why: RegExp])[]
): Promise<void> {
  const ended = await folder.allHere(asked.map(([args]) => args));
  for (const [i, [args, why]] of asked.entries()) {
    const { code, out, err } = ended[i]!;
    expect(err, args.join(' ')).toMatch(why);
    expect(err).not.toMatch(/\n {4}at |internal fault/);
    expect([code, out]).toEqual([2, '']);
  }
}

beforeAll(async () => {
  folder.write('tiny.yaml', head + loop);
  folder.write(
    'swept.yaml',
    `${head}${loop}sweep: { replications: 2, axes: { vms.a.count: [1, 2] } }\n`,
  );
  expect((await folder.here(['run', 'tiny.yaml', '-q', '--out', 'done'])).code).toBe(0);
  expect((await folder.here(['sweep', 'swept.yaml', '-q', '--out', 'swept'])).code).toBe(0);
});
afterAll(() => folder.remove());

describe.runIf(linux)('a file that is no regular file', () => {
  it('a pipe, as a scenario, what it extends, or a trace', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    folder.write('extending.yaml', 'extends: pipe\nname: x\n');
    folder.write('replay.yaml', head + vm('kind: trace, file: pipe'));
    const why = /^worldswitch: pipe: .*it is not a regular file/;
    await refused(['check', 'pipe'], why);
    await allRefused(
      [['check', 'extending.yaml'], /extending\.yaml:1:10: error: .*it is not a regular file/],
      [['run', 'replay.yaml'], /replay\.yaml:6:\d+: error: trace pipe: it is not a regular/],
      ...['run', 'sweep', 'find', 'why'].map((command) => [[command, 'pipe'], why] as const),
    );
  });

  it('a device, a socket, a directory', async () => {
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    mkdirSync(at('base'));
    folder.write('based.yaml', 'extends: base\nname: x\n');
    await allRefused(
      [['check', 'socket'], /it is not a regular file/],
      [['check', '/dev/zero'], /it is not a regular file/],
      [['check', '/dev/full'], /it is not a regular file/],
      [['check', '.'], /it is a directory/],
      [['check', 'based.yaml'], /it is a directory/],
    );
    server.close();
  });
});

describe('depth and length', () => {
  it.each([3000, 200, 33])('a path of %i steps', async (steps) => {
    const path = Array(steps).fill('a').join('.');
    const ended = await folder.allHere([
      ['check', 'tiny.yaml', '--set', `${path}=1`],
      ['sweep', 'tiny.yaml', '--axis', `${path}=[1]`],
      ['find', 'tiny.yaml', '--axis', path, '--to', '3', '--objective', 'slowdown < 2'],
    ]);
    expect(ended.map(({ code, out }) => [code, out])).toEqual(Array(3).fill([2, '']));
    expect(ended[0]!.err).toMatch(/^--set:1:1: error: no path has more than 32/);
    for (const { err } of ended) expect(err).toMatch(MANY_STEPS);
  });

  it.each([
    ['lists', `a: ${'['.repeat(3000)}${']'.repeat(3000)}`],
    ['maps', `a: ${'{a: '.repeat(500)}1${'}'.repeat(500)}`],
    ['indents', Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['sequences', `a: \n  ${'- '.repeat(2000)}`],
    [
      'aliases',
      Array.from({ length: 90 }, (_, i) => `x-${i}: &a${i} [*a${i - 1}]`)
        .join('\n')
        .replace('*a-1', '1'),
    ],
  ])('deep %s', async (_, text) => {
    folder.write('deep.yaml', `${text}\n`);
    await refused(
      ['check', 'deep.yaml'],
      /^deep\.yaml:\d+:\d+: error: the values are nested too deeply/,
    );
  });

  it('deep values of an option', async () => {
    const value = `${'['.repeat(900)}${']'.repeat(900)}`;
    await refused(
      ['check', 'tiny.yaml', '--set', `vms=${value}`],
      /--set:1:\d+: error: the values are nested/,
    );
  });

  const megabyte = `{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":{}`).join(',')}}`;
  it.each([
    ['JSON behind a list', `- \n${megabyte}`, /:2:1: error: /],
    ['closing brackets', '}'.repeat(900_000), /:1:1: error: /],
    ['brackets and maps', `- \n${'[1,{"a": 2},'.repeat(70_000)}`, /:2:1: error: /],
    ['anchors', '&a '.repeat(300_000), /:1:4: error: /],
    ['unknown keys', megabyte, /unknown key "k0"/],
    [
      'one long word',
      `name: ${'x'.repeat(1_000_000)}`,
      /a value of 1000000 characters: at most 10000/,
    ],
    ['one long key', `? ${'x'.repeat(900)}\n: 1`, /a key of 900 characters: at most 200/],
  ])('a megabyte of %s', async (_, text, why) => {
    folder.write('big.yaml', text);
    const { err } = await refused(['check', 'big.yaml'], why, 30_000);
    expect(err.length).toBeLessThan(60_000);
  });

  it('an objective, a condition', async () => {
    const gap = ' '.repeat(1000);
    const find = ['find', 'tiny.yaml', '--axis', 'vms.a.count', '--to', '2', '--objective'];
    const why = /error: ("find\.objective" must have at most 200|not an)/;
    const texts = [`a < ${gap}<`, `slowdown < ${'1'.repeat(5000)}`, `${gap}< 2`];
    const where = Array(5000).fill('1').join('+');
    await allRefused(...texts.map((text) => [[...find, text], why] as const), [
      ['check', 'swept.yaml', '--set', `sweep.where=${where}`],
      /characters are more than 2000/,
    ]);
  });
});

describe('sizes', () => {
  const region = (more: string) =>
    vm(`kind: synthetic, regions: [{ name: heap, kind: anon, share: 1, ${more} }]`);
  it.each([
    [
      'a populated region',
      region('size: 256GiB, pattern: { kind: zipf }'),
      /populated regions take/,
    ],
    [
      'a table for pages that are touched later',
      region('size: 64GiB, populated: false, pattern: { kind: pointer-chase }'),
      /the pages of a zipf or pointer-chase pattern take 65536 MiB, VM a-0 has 64 MiB/,
    ],
    [
      'the parent of jobs',
      vm(
        'kind: synthetic, regions: [{ name: heap, kind: anon, size: 1MiB, share: 1 }], jobs: { instructions: 1000, parentData: 4TiB }',
      ),
      /populated regions take/,
    ],
    [
      'many processes',
      vm(
        'kind: synthetic, processes: 256, regions: [{ name: heap, kind: anon, size: 60MiB, share: 1, pattern: { kind: zipf } }]',
      ),
      /populated regions take 15364 MiB/,
    ],
    [
      'pages to thrash',
      vm('kind: tlb-thrash, pages: 4194304, pattern: { kind: zipf }'),
      /do not fit/,
    ],
    [
      'runs of a sweep',
      `${loop}sweep: { replications: 10000, axes: { vms.a.weight: [${Array.from({ length: 200 }, (_, i) => i + 1)}] } }\n`,
      /200 combinations with 10000 replications each are 2000000 runs, more than 1000000/,
    ],
    [
      'combinations of a sweep',
      `${loop}sweep: { axes: { ${['weight', 'count', 'cap'].map((key) => `vms.a.${key}: [${Array.from({ length: 400 }, (_, i) => i + 1)}]`).join(', ')} } }\n`,
      /64000000 combinations are more than 100000/,
    ],
    [
      'VMs',
      'vms: [{ name: a, count: 512, memory: 64MiB, workload: { kind: idle } }]\n',
      /the VMs ask for 32 GiB/,
    ],
  ])('of %s are compared before work in proportion is done', async (_, text, why) => {
    folder.write('large.yaml', head + text);
    const ended = await folder.allHere([
      ['check', 'large.yaml'],
      [text.includes('sweep') ? 'sweep' : 'run', 'large.yaml'],
    ]);
    for (const { code, out, err } of ended) {
      expect(err).toMatch(why);
      expect([code, out]).toEqual([2, '']);
    }
  });
});

describe('control characters', () => {
  it('of values, keys and options do not come through', async () => {
    const odd = [
      ['"\\e[31mred\\e]0;title\\a": 1\n', /a key holds control characters/],
      ['"two\\nlines": 1\n', /a key holds control characters/],
      ['seed: "\\e[2J"\n', /a value holds control characters/],
      ['seed: "\\u009b2J"\n', /a value holds control characters/],
    ] as const;
    for (const [i, [text]] of odd.entries()) folder.write(`odd${i}.yaml`, head + loop + text);
    await allRefused(...odd.map(([, why], i) => [['check', `odd${i}.yaml`], why] as const), [
      ['check', 'tiny.yaml', '--set', 'seed="\\e[2J"'],
      /--set:1:6: error: a value holds control/,
    ]);
  });

  const escaped = [
    ['check', '\u001b[2Jno.yaml'],
    ['check', 'tiny.yaml', '--set', '\u001b[31m=1'],
    ['run', 'tiny.yaml', '--out', 'tiny.yaml/\u001b[2J\n/x'],
    ['list', '\u001b]0;title\u0007'],
    ['report', 'a\nb\u009b'],
    ['\u001b[2J'],
    ['run', '--\u001b[2J'],
    ['sweep', 'run', '\u202egnorw'],
  ];
  it('of the command line are escaped in what is said', async () => {
    for (const [i, { code, err }] of (await folder.allHere(escaped)).entries()) {
      expect(code, escaped[i]!.join(' ')).toBe(2);
      expect(err).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
      expect(err).not.toContain('    at ');
    }
  });
});

describe('standard output that takes no more', () => {
  const full = (...args: string[]) => {
    const words = [process.execPath, program, ...args];
    const shell = spawnSync('sh', ['-c', '"$@" > /dev/full', '-', ...words], {
      cwd: folder.path,
      encoding: 'utf8',
    });
    // Notes on the results may stand before it.
    const lines = shell.stderr
      .split('\n')
      .filter((line) => !line.includes(': the windows are too'));
    return { code: shell.status, err: lines.join('\n') };
  };

  const kinds = [
    ['--help'],
    ['--version'],
    ['check', 'tiny.yaml', '--origins'],
    ['run', 'tiny.yaml', '--json', '--out', 'again'],
    ['sweep', 'merge', 'swept'],
    ['list'],
    ['trace', 'synth', 'web-server', '--references', '1000'],
  ];
  /** They print as one of those does. */
  const others = [
    ['help', 'trace', 'info'],
    ['completion', 'zsh'],
    ['run', 'tiny.yaml', '--out', 'again'],
    ['sweep', 'swept.yaml', '--dry-run', '--out', 'swept'],
    ['sweep', 'status', 'swept'],
    ['sweep', 'plan', 'swept.yaml', '--out', 'again2'],
    ['why', 'done', 'a-0'],
    ['compare', 'done', 'done'],
    ['report', 'done'],
    ['list', 'metrics', '--json'],
    ['schema'],
  ];
  it.runIf(linux).each(all ? [...kinds, ...others] : kinds)('%s %s %s', (...args) => {
    expect(full(...args)).toEqual({
      code: 1,
      err: 'worldswitch: cannot write to standard output: no space left on the device\n',
    });
  });

  it('is no fault when a reader goes away', () => {
    const command = `"$@" | head -c 10 > /dev/null; exit "\${PIPESTATUS[0]}"`;
    const readers = [['schema'], ['completion', 'bash'], ['check', 'tiny.yaml', '--origins']];
    for (const args of all ? readers : readers.slice(0, 2)) {
      const words = [process.execPath, program, ...args];
      const { status, stderr } = spawnSync('bash', ['-c', command, '-', ...words], {
        cwd: folder.path,
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    }
  });
});

describe('a damaged directory', () => {
  type Change = string | ((old: string) => string);
  const damage = (from: string, file: string, text: Change, to = 'damaged') => {
    rmSync(at(to), { recursive: true, force: true });
    cpSync(at(from), at(to), { recursive: true });
    rmSync(at(to, 'report.html'), { force: true });
    const old = readFileSync(at(to, file), 'utf8');
    writeFileSync(at(to, file), typeof text === 'string' ? text : text(old));
  };
  const json = (change: (value: Record<string, unknown>) => void) => (old: string) => {
    const value = JSON.parse(old);
    change(value);
    return JSON.stringify(value);
  };

  const recipes: [string, Change][] = [
    ['null', 'null'],
    ['7', '7'],
    ['a list', '[]'],
    ['nothing', ''],
    ['a part', (old: string) => old.slice(0, old.length / 2)],
    ['numbers for options', json((value) => (value['set'] = [1]))],
    ['a text for options', json((value) => (value['set'] = 'a=1'))],
    ['no texts', json((value) => (value['texts'] = {}))],
    ['a number for a text', json((value) => (value['texts'] = { 'swept.yaml': 7 }))],
    ['a file that is not there', json((value) => (value['file'] = 'other.yaml'))],
    ['a number for a directory', json((value) => (value['cwd'] = 7))],
    [
      'an extended file without its text',
      json((value) => (value['texts'] = { 'swept.yaml': 'extends: gone.yaml\n' })),
    ],
  ];
  const manifests: [string, string, Change][] = [
    ['swept', 'axes that are a map', json((value) => (value['axes'] = {}))],
    [
      'swept',
      'axes without values',
      json((value) => (value['axes'] = [{ path: 'a', column: 'a' }])),
    ],
    ['swept', 'axes of numbers', json((value) => (value['axes'] = [1]))],
    ['swept', 'null', 'null'],
    ['swept', 'options that are none', json((value) => (value['set'] = 3))],
    ['done', 'null', 'null'],
    ['done', 'a command that is a map', json((value) => (value['command'] = {}))],
    ['done', 'no seed', json((value) => delete value['seed'])],
  ];
  const tables: [string, string, Change][] = [
    ['done', 'metrics.csv', ''],
    ['done', 'metrics.csv', 'hello\nworld\n'],
    ['done', 'metrics.csv', (old: string) => old.replace(/,[\d.]+\n/, ',many\n')],
    ['done', 'metrics.csv', (old: string) => `${old}a,b\n`],
    ['done', 'metrics.csv', (old: string) => `${old}"a\n`],
    ['done', 'vms.csv', (old: string) => old.replace('a-0', '\u001b[2J')],
    ['done', 'ledger.csv', (old: string) => old.replace(/,\d+\n/, ',\n')],
    ['done', 'exits.csv', '\0\0\0'],
    ['swept', 'points.csv', ''],
    ['swept', 'points.csv', (old: string) => old.slice(0, -30)],
    ['swept', 'points.csv', (old: string) => old.replace(/\n0,0,/, '\nzero,0,')],
    ['swept', 'summary.csv', (old: string) => old.replace(/,\d+\n/, ',many\n')],
  ];

  /** Commands on damaged directories, refused for a reason each. */
  const asked: { readonly name: string; readonly args: readonly string[]; readonly why: RegExp }[] =
    [];
  const ask = (name: string, args: readonly string[], why: RegExp) =>
    asked.push({ name, args, why });
  for (const [i, [what]] of recipes.entries()) {
    const name = `whose recipe holds ${what}`;
    for (const command of ['status', 'merge']) ask(name, ['sweep', command, `r${i}`], /damaged/);
    ask(name, ['sweep', 'submit', `r${i}`, '--slurm', '--dry-run'], /damaged/);
  }
  for (const [i, [from, what]] of manifests.entries()) {
    const name = `of ${from} whose manifest holds ${what}`;
    ask(name, ['report', `m${i}`], /manifest\.json:1:1: error: .*(damaged|not a manifest)/);
    if (from === 'swept') continue;
    ask(name, ['why', `m${i}`], /manifest\.json:1:1: error: /);
    ask(name, ['compare', `m${i}`, 'done'], /manifest\.json:1:1: error: /);
  }
  for (const [i, [from, file]] of tables.entries()) {
    const name = `of ${from} with a damaged ${file} (${i})`;
    ask(name, ['report', `t${i}`], new RegExp(`${file}:1:1: error: .*(table|row)`));
    if (from === 'swept') continue;
    ask(name, ['why', `t${i}`], new RegExp(`${file}:1:1: error: `));
    ask(name, ['compare', 'done', `t${i}`], new RegExp(`${file}:1:1: error: `));
  }
  let ended: readonly Ended[] = [];
  beforeAll(async () => {
    for (const [i, [, text]] of recipes.entries()) damage('swept', 'campaign.json', text, `r${i}`);
    for (const [i, [from, , text]] of manifests.entries()) {
      damage(from, 'manifest.json', text, `m${i}`);
    }
    for (const [i, [from, file, text]] of tables.entries()) damage(from, file, text, `t${i}`);
    ended = await folder.allHere(asked.map(({ args }) => args));
  });

  it.each([...new Set(asked.map(({ name }) => name))])('%s', (name) => {
    for (const [i, one] of asked.entries()) {
      if (one.name !== name) continue;
      const { code, out, err } = ended[i]!;
      expect(err, one.args.join(' ')).toMatch(one.why);
      expect(err).not.toMatch(/\n {4}at |internal fault/);
      expect([code, out]).toEqual([2, '']);
    }
  });

  it('with something else in the place of a file', async () => {
    const files = [
      ['swept', 'campaign.json'],
      ['swept', 'manifest.json'],
      ['swept', 'points.csv'],
      ['done', 'metrics.csv'],
      ['done', 'resolved.yaml'],
    ] as const;
    for (const [i, [from, file]] of files.entries()) {
      damage(from, file, '', `d${i}`);
      rmSync(at(`d${i}`, file));
      mkdirSync(at(`d${i}`, file));
    }
    await allRefused(...files.map((_, i) => [['report', `d${i}`], /it is a directory/] as const), [
      ['sweep', 'status', 'd0'],
      /it is a directory/,
    ]);
  });
});

describe('a campaign whose name is an instruction', () => {
  const plan = (out: string) => ['sweep', 'plan', 'swept.yaml', '-q', '--out', out];
  const submit = (...args: string[]) => ['sweep', 'submit', ...args, '--slurm', '--dry-run'];
  const unfit = ['a\ntouch PWNED;#', 'a\rb', 'tab\there', 'bell\u0007'];
  const fit = [
    "q'uote",
    'double"quote',
    'b l a n k',
    '$(touch PWNED)',
    '`touch PWNED`',
    'a#b',
    'a;b&c',
  ];
  let planned: ReadonlyMap<string, Ended>;
  beforeAll(async () => {
    const names = [...unfit.map((name) => `${name}/c`), ...fit];
    const ended = await folder.allHere(names.flatMap((name) => [plan(name), submit(name)]));
    for (const [i, name] of names.entries()) expect(ended[2 * i]!.code, name).toBe(0);
    planned = new Map(names.map((name, i) => [name, ended[2 * i + 1]!]));
  });

  it.each(unfit)('%j is refused', (name) => {
    const { code, err, out } = planned.get(`${name}/c`)!;
    expect(err).toMatch(
      /^worldswitch: submit: a path with control characters cannot stand in a script/,
    );
    expect(out).toBe('');
    expect(code).toBe(2);
  });

  it.each(fit)('%j is quoted', (name) => {
    const { code, out } = planned.get(name)!;
    expect(code).toBe(0);
    const [script] = out.split('\n\n#!') as [string];
    // The program is replaced by one that shows its arguments.
    const shown = script.replace(/^exec '[^']*' '[^']*'/m, "exec printf '%s\\n'");
    const { stdout } = spawnSync('bash', ['-c', shown], { cwd: folder.path, encoding: 'utf8' });
    expect(stdout.split('\n').slice(0, 3)).toEqual(['sweep', 'run', at(name)]);
    expect(existsSync(at('PWNED'))).toBe(false);
    const log = /^#SBATCH --output=(.*)$/m.exec(script)![1]!;
    const path = `${at(name)}/slurm/%A_%a.log`;
    expect([path, `"${path.replaceAll('"', '\\"')}"`]).toContain(log);
    if (/[\s"'#]/.test(name)) expect(log).toMatch(/^".*"$/);
  });

  const refusedOptions = [
    ['--arra=0-9', '--arra'],
    ['--dep=x', '--dep'],
    ['--w=x', '--w'],
    ['-a0-3', '-a0-3'],
    ['-Ha0-3', '-Ha0-3'],
    ['--mem=1G --array=0-2', '--array'],
    ['--arr"ay"=0-2', '--array'],
    ["--comment='a b' --depend=x", '--depend'],
  ] as const;
  const taken = [
    '--account=x',
    '--deadline=now',
    '--wait',
    '-p all',
    '-t10',
    '--comment="array of -a"',
  ];
  it('refuses options of the campaign, and takes others', async () => {
    const options = [...refusedOptions.map(([option]) => option), ...taken];
    const [first, ...ended] = (await folder.allHere([
      plan('options'),
      ...options.map((option) => submit('options', `--sbatch=${option}`)),
    ])) as [Ended, ...Ended[]];
    expect(first.code).toBe(0);
    for (const [i, { code, err, out }] of ended.entries()) {
      const named = refusedOptions[i]?.[1];
      expect(code, options[i]).toBe(named === undefined ? 0 : 2);
      if (named === undefined) expect(out).toContain(`#SBATCH ${options[i]}\n`);
      else expect(err).toContain(`worldswitch: --sbatch: the campaign sets "${named}" itself`);
    }
  });
});

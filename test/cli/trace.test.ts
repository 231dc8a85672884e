import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main, worldswitchHere } from '../support/program.ts';

const TRACES = fileURLToPath(new URL('../../configs/traces/', import.meta.url));
/** Prints the largest resident set, in KiB, when the program ends. */
const MEASURE =
  'data:text/javascript,process.on("exit",()=>process.stderr.write("rss "+process.resourceUsage().maxRSS))';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'worldswitch-trace-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

type Input = Iterable<Uint8Array | string>;

function worldswitch(args: readonly string[], input: Input = [], node: string[] = [], env = {}) {
  return new Promise<Outcome>((resolve, reject) => {
    const child = spawn(process.execPath, [...node, main, ...args], {
      cwd: directory,
      env: { ...process.env, ...env },
    });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
    child.stdin.on('error', () => {});
    const pieces = input[Symbol.iterator]();
    const feed = (): void => {
      for (;;) {
        const { value, done } = pieces.next();
        if (done) return void child.stdin.end();
        if (!child.stdin.write(value)) return void child.stdin.once('drain', feed);
      }
    };
    feed();
  });
}

/** The same inside this process, without standard input. */
async function here(args: readonly string[]) {
  const { status, stdout, stderr } = await worldswitchHere(directory, ...args);
  return { code: status, stdout, stderr };
}

const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(directory, name), content);
  return name;
};
const LACKEY = '==1== Lackey\nI  0401ab70,3\n S 1fff000d28,8\n L 1fff000ffc,8\n';
/** `xz -9e` of LACKEY; Node has no encoder. */
const XZ_OF_LACKEY = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AA6ADVdAB7gwgCEJAcUGn6Ud6mtyf0xULXAI/Cl/rYzVwIMujDHiu/Og6a2RGS/+Cd+CbgqJg+GwKAAAAAAALh+kje7UtdqAAFROxowLTIftvN9AQAAAAAEWVo=',
  'base64',
);
const LINES = ['I 1 401a', 'S 1 1fff000', 'L 1', 'L 1 1fff001'];
const touches = (text: string) => text.split('\n').filter((line) => /^[ILSMXP]/.test(line));

describe('trace import', () => {
  it('reads a file and writes one that is compressed when its name says so', async () => {
    const input = file('in.log', LACKEY);
    expect(await worldswitch(['trace', 'import', input, '-o', 'out.pt.gz'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    const text = gunzipSync(readFileSync(join(directory, 'out.pt.gz'))).toString();
    expect(touches(text)).toEqual(LINES);
    expect(text).toContain('# source: in.log\n');
    expect(readdirSync(directory).sort()).toEqual(['in.log', 'out.pt.gz']);
  });

  it('reads standard input, plain, gzip or xz, and writes to standard output', async () => {
    const inputs = [Buffer.from(LACKEY), gzipSync(LACKEY), XZ_OF_LACKEY];
    const outcomes = inputs.map((bytes) => worldswitch(['trace', 'import'], [bytes]));
    for (const { code, stdout, stderr } of await Promise.all(outcomes)) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(touches(stdout.toString())).toEqual(LINES);
    }
  });

  it('says that xz is missing instead of failing somewhere', async () => {
    const env = { PATH: directory };
    const { code, stderr } = await worldswitch(['trace', 'import', '-'], [XZ_OF_LACKEY], [], env);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^worldswitch: <stdin>: it is compressed with xz, which is not installed/,
    );
  });

  it('keeps a window', async () => {
    const args = ['trace', 'import', '--skip', '1', '--references', '2', '-'];
    const { stdout } = await worldswitch(args, [LACKEY]);
    expect(touches(stdout.toString())).toEqual(['X resident 401a 1 r', 'S 1 1fff000', 'L 1']);
  });

  const bad: [string, string | Uint8Array, string][] = [
    [
      'a truncated gzip file',
      gzipSync(LACKEY.repeat(500)).subarray(0, -20),
      'in:1789:1: error: truncated: the gzip data end early',
    ],
    [
      'damaged gzip data',
      Buffer.concat([gzipSync(LACKEY).subarray(0, -8), Buffer.alloc(8)]),
      'in:1:1: error: damaged gzip data: incorrect data check',
    ],
    [
      'garbage after good lines',
      `${LACKEY}garbage\n`,
      'in:5:1: error: not a line of lackey output',
    ],
    [
      'an address past 48 bits',
      `${LACKEY} L 1ffff000000000,8\n`,
      'in:5:1: error: the address has more than 48 bits',
    ],
    ['an empty file', '', 'in:1:1: error: not a trace: it is empty'],
    ['something that is no trace', 'Lorem ipsum dolor\n', 'in:1:1: error: cannot tell the format'],
    ['a page trace', '# page trace 1\nI 1 400\n', 'in:1:1: error: it is a page trace already'],
  ];
  for (const [what, content, message] of bad) {
    it(`refuses ${what} with exit code 2 and leaves nothing behind`, async () => {
      const { code, stderr } = await here([
        'trace',
        'import',
        file('in', content),
        '-o',
        'o.pt.gz',
      ]);
      expect(code).toBe(2);
      expect(stderr.startsWith(message), stderr).toBe(true);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(readdirSync(directory)).toEqual(['in']);
    });
  }

  it('refuses files that are not there, formats that it does not know, and windows past the end', async () => {
    const cases: [string[], string][] = [
      [['none.log'], 'worldswitch: none.log: cannot read the trace: there is no such file'],
      [['.'], 'worldswitch: .: cannot read the trace: it is a directory'],
      [['in', '--from', 'lacky'], 'worldswitch: --from: "lacky" is not a trace format'],
      [['in', '--skip', '4'], 'worldswitch: --skip: in has only 4 references'],
      [['in', '-o', 'no/such/o.pt'], 'worldswitch: --out: cannot write no/such/o.pt'],
      [['in', '--skip', '-4'], "error: option '--skip <count>' argument '-4' is invalid"],
    ];
    file('in', LACKEY);
    for (const [args, message] of cases) {
      const { code, stderr } = await here(['trace', 'import', ...args]);
      expect({ code, start: stderr.slice(0, message.length) }).toEqual({ code: 2, start: message });
    }
    expect(readdirSync(directory)).toEqual(['in']);
  });

  it('turns hundreds of megabytes of one page into one line, in little memory', async () => {
    const block = Buffer.from(' L 04033000,4\n'.repeat(75_000));
    const blocks = 250;
    function* stream() {
      for (let i = 0; i < blocks; i++) yield block;
    }
    const args = ['trace', 'import', '--from', 'lackey', '-'];
    const { code, stdout, stderr } = await worldswitch(args, stream(), ['--import', MEASURE]);
    expect(code).toBe(0);
    expect(block.length * blocks).toBeGreaterThan(250e6);
    expect(touches(stdout.toString())).toEqual([`L ${75_000 * blocks} 4033`]);
    expect(Number(/rss (\d+)/.exec(stderr)![1])).toBeLessThan(200 * 1024);
  });

  it('refuses an endless line in little memory', async () => {
    const block = Buffer.alloc(1 << 20, 'y');
    function* stream() {
      for (let i = 0; i < 200; i++) yield block;
    }
    const args = ['trace', 'import', '--from', 'csv', '-'];
    const { code, stderr } = await worldswitch(args, stream(), ['--import', MEASURE]);
    expect(code).toBe(2);
    expect(stderr).toContain('<stdin>:1:1: error: the line is longer than 65536 bytes');
    expect(Number(/rss (\d+)/.exec(stderr)![1])).toBeLessThan(200 * 1024);
  });
});

describe('trace info', () => {
  it('prints a profile, with TLBs of the sizes asked for', async () => {
    const { code, stdout } = await here([
      'trace',
      'info',
      join(TRACES, 'raw-seq.pt.gz'),
      '--entries',
      '48,96',
    ]);
    expect(code).toBe(0);
    const text = stdout;
    // From oracle.csv: fa32 I 126; fa48 D 135.
    expect(text).toMatch(/^ +32 +126 /m);
    expect(text).toMatch(/^ +48 +\d+ +[\d.]+ +135 /m);
    expect(text).toContain('distinct pages  92 instruction, 87 data');
  });

  it('prints JSON that says the same', async () => {
    const { stdout } = await here(['trace', 'info', '--json', join(TRACES, 'raw-seq.pt.gz')]);
    const profile = JSON.parse(stdout);
    expect(profile.references).toEqual({
      fetches: 148_719,
      loads: 34_336,
      stores: 15_282,
      modifies: 1608,
    });
    expect(profile.data.footprint.at(-1).total).toBe(87);
  });

  it('refuses bad traces with their place', async () => {
    const whole = '# page trace 1\nI 1 400\n# totals I 1 L 0 S 0 M 0\n';
    const cases: [string | Uint8Array, string][] = [
      ['', 'in:1:1: error: not a page trace: it is empty'],
      [whole.slice(0, 23), 'in:2:1: error: truncated: the closing "# totals" line is missing'],
      [`# page trace 1\nI 1 1000000000\n`, 'in:2:1: error: a page number has at most 36 bits'],
    ];
    for (const [content, message] of cases) {
      const { code, stderr } = await here(['trace', 'info', file('in', content)]);
      expect({ code, start: stderr.slice(0, message.length) }).toEqual({ code: 2, start: message });
    }
  });
});

describe('trace synth', () => {
  it('writes a preset as a page trace that can be looked into', async () => {
    const args = ['trace', 'synth', 'web-server', '--references', '1e5', '-o', 'web.pt.gz'];
    expect(await here(args)).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await here(['trace', 'info', '--json', 'web.pt.gz']);
    const { instruction, data } = JSON.parse(stdout);
    expect(instruction.references + data.references).toBe(100_000);
  });

  it('suggests a workload for one it does not know', async () => {
    const { code, stderr } = await here(['trace', 'synth', 'web-sever']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^worldswitch: web-sever: there is no such workload.*web-server/);
  });
});

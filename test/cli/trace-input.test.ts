import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main, scratch, smallYaml, worldswitchHere } from '../support/program.ts';
import { champsimRecord, cloudsuiteRecord, joined } from '../support/trace-import.ts';

/** Traces as people have them: what is read, what is refused, and how that is said. */

let dir: string;
let remove: () => void;
beforeEach(() => ({ dir, remove } = scratch()));
afterEach(() => remove());

const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(dir, name), content);
  return name;
};
const importing = (name: string, ...more: string[]) =>
  worldswitchHere(dir, 'trace', 'import', name, '-o', 'out.pt', ...more);
const made = () => readFileSync(join(dir, 'out.pt'), 'latin1');
const touches = (text: string) => text.split('\n').filter((line) => /^[ILSMXP]/.test(line));
const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

/** A header of tar and one block. */
function tar(): Uint8Array {
  const archive = Buffer.alloc(2048);
  archive.write('ls.champsim');
  archive.write('00000001000\0', 124);
  archive.write(' '.repeat(8), 148);
  archive.write('ustar\x0000', 257);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return archive;
}

const KERNEL = `Output format:
<--record#-> <--instr#->: <---tid---> <record details>
------------------------------------------------------------
           5           1:      296231 ifetch       2 byte(s) @ 0x0000000000401026 0f 05                syscall
           6           1:      296231 <marker: system call 39>
           7           1:      296231 <marker: system call trace start 39>
           8           2:      296231 ifetch       3 byte(s) @ 0xffffffff81e00080 0f 01 f8 swapgs
           9           2:      296231 <marker: system call trace end 39>
`;
const TWO = `           1           0:    W0.T342625 <marker: version 6>
           2           1:    W0.T342625 ifetch       2 byte(s) @ 0x0000000000401026 0f 05  syscall
------------------------------------------------------------
           4           2:    W1.T342626 ifetch       2 byte(s) @ 0x0000000000401026 0f 05  syscall
           5           2:    W1.T342626 read         8 byte(s) @ 0x00007ffd51ace110 by PC 0x0000000000401026
`;

describe('trace import guesses', () => {
  const records = (make: typeof champsimRecord) =>
    joined(Array.from({ length: 100 }, (_, i) => make(0x401000n + BigInt(4 * i), [], [])));
  const cases: [string, string | Uint8Array, string, string][] = [
    ['lackey output with one blank', 'I 401000,3\nI 7ff0005c8,8\n', 'lackey', 'I 2'],
    [
      'empty lines before it',
      '\n\n==00:00:00:00.000 4711== Lackey\nI  04000BE0,3\n',
      'lackey',
      'I 1',
    ],
    ['records of 64 bytes', records(champsimRecord), 'champsim', 'I 100'],
    ['records of 96 bytes', records(cloudsuiteRecord), 'champsim-cloudsuite', 'I 100'],
    ['the same, compressed', gzipSync(records(cloudsuiteRecord)), 'champsim-cloudsuite', 'I 100'],
    ['a CSV with a mark', '\ufeffaddress,kind,size\n0x401000,I,4\n', 'csv', 'I 1'],
    ['a CSV in quotes', '"address","kind"\n"0x401000","I"\n', 'csv', 'I 1'],
    ['kernel code', KERNEL, 'drcachesim', 'I 2'],
    ['the view of 9.0', 'T3   0x00007fe61d582a4a  b8 38 00 00 00  mov\n', 'drcachesim', 'I 1'],
  ];
  for (const [what, content, format, fetches] of cases) {
    it(`${what}`, async () => {
      const { status, stderr } = await importing(put('in', content));
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(made()).toContain(`# producer: worldswitch trace import --from ${format}\n`);
      expect(made()).toContain(`# totals ${fetches} `);
    });
  }
});

describe('trace import refuses, in one printable line', () => {
  const lackey = 'I  401000,3\n'.repeat(100);
  const cases: [string, string | Uint8Array, RegExp][] = [
    ['a tar archive', tar(), /it is a tar archive: unpack it first/],
    ['a tar archive inside gzip', gzipSync(tar()), /it is a tar archive: unpack it first/],
    ['a zip archive', Buffer.from('PK\x03\x04\0\0\0\0'), /it is a zip archive: unpack it first/],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 4, 0]), /compressed with zstd: unpack it first/],
    ['bzip2', Buffer.from('BZh91AY&SY\x01\x02', 'latin1'), /compressed with bzip2: unpack it/],
    ['gzip inside gzip', gzipSync(gzipSync(lackey)), /compressed with gzip: unpack it first/],
    ['UTF-16', utf16(lackey), /it is UTF-16: save it as UTF-8/],
    ['UTF-16 without a mark', Buffer.from(lackey, 'utf16le').swap16(), /it is UTF-16: save it/],
    [
      'random bytes',
      Buffer.from([1, 2, 0, 200, 27, 7]),
      /binary data \(01 02 00 c8 1b 07\), and as ChampSim: 64: .*; 96: .*; give --from lackey, csv, drcachesim, champsim, champsim-cloudsuite$/,
    ],
    [
      'a program',
      Buffer.from('\x7fELF\x02\x01\0'),
      /it is a program \(ELF\): give a trace of its run/,
    ],
    [
      'control characters',
      'I 401000,3\n\x1b]0;title\x07\n',
      /in:2:1: error: not a line of lackey output.*"\\u001b]0;title\\u0007"/,
    ],
    ['nothing but a mark', '\ufeff', /not a trace: it is empty/],
    ['nothing but empty lines', '\n\n\n', /cannot tell the format/],
    [
      'two programs',
      TWO,
      /in:4:1: error: there are 2 programs in it: W0 \(1 access\), W1 \(2 accesses\); choose one, for example --program W0/,
    ],
  ];
  for (const [what, content, message] of cases) {
    it(`${what}`, async () => {
      for (const more of [[], ['--from', 'lackey']]) {
        if (more.length > 0 && !/unpack|save|title/.test(message.source)) continue;
        const { status, stderr } = await importing(put('in', content), ...more);
        expect(status).toBe(2);
        expect(stderr).toMatch(/^in:\d+:1: error: [ -~…]*\n$/);
        expect(stderr.trimEnd()).toMatch(message);
        expect(readdirSync(dir)).toEqual(['in']);
      }
    });
  }

  it('the same files where a page trace is wanted', async () => {
    for (const [, content, message] of cases.filter(([, , { source }]) =>
      /unpack|save/.test(source),
    )) {
      const source = message.source.replace('gzip: unpack', 'gzip: ');
      if (source !== message.source) continue;
      put('in', content);
      const { status, stderr } = await worldswitchHere(dir, 'trace', 'info', 'in');
      expect(status).toBe(2);
      expect(stderr).toMatch(/^in:1:1: error: not a page trace: [ -~]*\n$/);
      expect(stderr).toMatch(message);
    }
  });
});

describe('trace import leaves out what it is told to', () => {
  it('keeps one program', async () => {
    put('in', TWO);
    const { status, stderr } = await importing('in', '--program', 'W1');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(touches(made())).toEqual(['I 1 401', 'L 1 7ffd51ace']);
    expect(made()).toContain('--from drcachesim --program W1\n');
    const wrong = await importing('in', '--program', 'W7');
    expect(wrong.stderr).toMatch(
      /^in:1:1: error: there is no program W7 in it: its programs are W0/,
    );
    const none = await importing(put('a.csv', '0x1000,R\n'), '--program', 'W0');
    expect(none.status).toBe(2);
    expect(none.stderr).toMatch(
      /^worldswitch: --program: traces of csv do not tell programs apart/,
    );
  });

  it('counts the kernel accesses that it leaves out, in the terminal and in the trace', async () => {
    const { status, stderr } = await importing(put('in', KERNEL), '--user-only');
    expect(status).toBe(0);
    expect(stderr).toBe('in: 1 access to kernel addresses left out (--user-only)\n');
    expect(touches(made())).toEqual(['I 1 401', 'X sys syscall-39']);
    expect(made()).toContain('\n# kernel accesses left out: 1\n# totals I 1 ');
    await importing('in');
    expect(touches(made())).toEqual(['I 1 401', 'X sys syscall-39', 'I 1 ffff81e00']);
    const all = await importing(put('k', 'I ffffffff81e00080,3\n'), '--user-only');
    expect(all.status).toBe(2);
    expect(all.stderr).toMatch(/^k: 1 access.*\nworldswitch: k: no accesses are left to keep\n$/);
  });
});

/**
 * Runs the program and interrupts it once it listens; then it has to end by itself. A signal that it has not heard of
 * is sent again: it may still be starting.
 */
async function interrupted(args: readonly string[], input = ''): Promise<number | null> {
  const child = spawn(process.execPath, [main, ...args], { cwd: dir });
  let heard = false;
  child.stderr.on('data', (chunk: Buffer) => (heard ||= chunk.includes('interrupted')));
  child.stdin.on('error', () => {});
  if (input !== '') child.stdin.write(input);
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const again = setInterval(() => heard || child.kill('SIGINT'), 1000);
  try {
    return await exit;
  } finally {
    clearInterval(again);
  }
}

describe('Ctrl-C while nothing comes through a pipe', () => {
  it.each(['import', 'info'])('ends trace %s at once', async (command) => {
    expect(await interrupted(['trace', command, '-'], '# page trace 1\n')).toBe(130);
  });
});

const traced = (file: string, more = '') =>
  smallYaml({
    duration: '1ms',
    warmup: '0',
    vms: `[{ name: v, memory: 64MiB, workload: { kind: trace, file: ${file}, ${more} } }]`,
  });

describe('a looped trace', () => {
  const lines = (n: number) =>
    Array.from({ length: n }, (_, i) => `I 1 ${(0x401 + i).toString(16)}\n`);
  const page = (n: number) => `# page trace 1\n${lines(n).join('')}# totals I ${n}\n`;

  it.each([1, 20])('of %i lines is run in a moment', async (n) => {
    put('s.yaml', traced('t.pt', 'loop: true'));
    put('t.pt', page(n));
    const start = process.cpuUsage();
    const { status, stderr } = await worldswitchHere(dir, 'run', 's.yaml', '-q');
    const { user, system } = process.cpuUsage(start);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    // It took 40 s when each pass opened the file anew.
    expect((user + system) / 1e6).toBeLessThan(5);
  });

  it.each([
    ['nothing', '', 'not a page trace: it is empty'],
    ['a heading only', '# page trace 1\n# totals I 0\n', 'there are no references in it'],
    [
      'events only',
      '# page trace 1\nX sys read\nX exit\n# totals I 0\n',
      'there are no references in it',
    ],
    ['address spaces only', 'P 1\nP 2\n', 'there are no references in it'],
  ])('that holds %s is refused, looped or not', async (_, text, message) => {
    put('t.pt', text);
    for (const loop of [true, false]) {
      put('s.yaml', traced('t.pt', `loop: ${loop}`));
      const { status, stderr } = await worldswitchHere(dir, 'check', 's.yaml');
      expect(status).toBe(2);
      expect(stderr).toMatch(/^s\.yaml:6:\d+: error: trace t\.pt: /);
      expect(stderr).toContain(message);
    }
  });

  it('larger than what a check reads is refused when its pass turns out to be empty', async () => {
    put('s.yaml', traced('t.pt', 'loop: true'));
    put('t.pt', `# page trace 1\n${'X sys read\n'.repeat(20_000)}# totals I 0\n`);
    const { status, stderr } = await worldswitchHere(dir, 'run', 's.yaml', '-q');
    expect(status).toBe(2);
    expect(stderr).toMatch(/t\.pt:20002:1: error: there are no references in it\n$/);
  });

  it('can be ended by Ctrl-C while it is read again and again', async () => {
    put('s.yaml', traced('t.pt', 'loop: true').replace('1ms', '600s'));
    put('t.pt', page(20));
    expect(await interrupted(['run', 's.yaml', '-q', '-o', 'out'])).toBe(130);
    expect(readdirSync(dir).sort()).toEqual(['s.yaml', 't.pt']);
  });
});

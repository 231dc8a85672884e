import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder, program } from '../support/command.ts';

/** Where results go: what could go wrong at the end of a run is found before it. */

const full = process.env['VALIDATE'] === 'full';
const folder = new Folder();
const at = (...names: string[]) => join(folder.path, ...names);

const scenario = `name: tiny
duration: 2ms
warmup: 1ms
host: { processor: opteron-1354, pcpus: 2, memory: 1GiB }
hypervisor: { profile: kvm-2.6.33 }
vms: [{ name: a, count: 2, memory: 64MiB, workload: { kind: page-fault-loop } }]
sweep: { replications: 2, axes: { vms.a.count: [1, 2] } }
`;

/** A file system of its own; only root may have one. */
const mounts: string[] = [];
function mounted(name: string, options: string): boolean {
  mkdirSync(at(name));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', at(name)]);
  if (status === 0) mounts.push(at(name));
  return status === 0;
}
const canMount = mounted('volume', 'size=4m') && mounted('frozen', 'size=1m,ro');
if (!canMount) console.warn('SKIPPED: output on mount points (needs root, to mount a tmpfs)');

/** As somebody who is not root, whom permissions concern. */
const other = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program];
chmodSync(folder.path, 0o755);
const hasOther = spawnSync('setpriv', [...other, '--version']).status === 0;
if (!hasOther)
  console.warn('SKIPPED: output as another user (needs root, setpriv and a path open to all)');
const runAsOther = (...args: string[]) =>
  spawnSync('setpriv', [...other, ...args], { cwd: folder.path, encoding: 'utf8' });

beforeAll(async () => {
  folder.write('tiny.yaml', scenario);
});
afterAll(() => {
  for (const path of mounts) spawnSync('umount', [path]);
  folder.remove();
});

const run = (out: string, ...more: string[]) =>
  folder.here(['run', 'tiny.yaml', '-q', '--out', out, ...more]);

async function refused(out: string, why: RegExp, ...more: string[]): Promise<void> {
  const before = readdirSync(folder.path);
  for (const command of ['run', 'sweep']) {
    const {
      code,
      err,
      out: text,
    } = await folder.here([command, 'tiny.yaml', '--out', out, ...more]);
    expect(err).toMatch(/^worldswitch: --out: cannot write results to /m);
    expect(err).toMatch(why);
    expect(err).not.toMatch(/\n {4}at /);
    expect(text).toBe('');
    expect(code).toBe(2);
  }
  expect(readdirSync(folder.path)).toEqual(before);
}

describe.runIf(canMount)('an output directory on another file system', () => {
  it('takes the results of every command, and keeps what is in it', async () => {
    writeFileSync(at('volume/notes.txt'), 'mine');
    expect(await run('volume', '--trace', 'csv')).toMatchObject({
      code: 0,
      err: expect.any(String),
    });
    expect(existsSync(at('volume/metrics.csv'))).toBe(true);
    expect(existsSync(at('volume/trace.csv'))).toBe(true);
    expect((await folder.here(['report', 'volume', '-q'])).code).toBe(0);
    expect((await run('volume/below')).code).toBe(0);
    expect((await folder.here(['sweep', 'tiny.yaml', '-q', '--out', 'volume/sweep'])).code).toBe(0);
    expect(readFileSync(at('volume/notes.txt'), 'utf8')).toBe('mine');
    expect(readdirSync(at('volume')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('through a link too', async () => {
    symlinkSync(at('volume'), at('link'));
    expect((await run('link')).code).toBe(0);
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
  });

  it('that is read-only is refused before the run', async () => {
    await refused('frozen', /the file system is read-only/);
    await refused('frozen/below/it', /the file system is read-only/);
  });

  it('that is full is refused before the run', async () => {
    expect(mounted('full', 'size=16k')).toBe(true);
    spawnSync('dd', ['if=/dev/zero', `of=${at('full/block')}`], { stdio: 'ignore' });
    await refused('full', /no space left on the device/);
    await refused('full/below', /no space left on the device/);
  });
});

describe.runIf(hasOther)('an output directory of somebody else', () => {
  it('may be written though its parent may not', async () => {
    mkdirSync(at('closed/open'), { recursive: true });
    chmodSync(at('closed/open'), 0o777);
    const { status, stderr } = runAsOther('run', 'tiny.yaml', '-q', '--out', 'closed/open');
    expect(stderr).not.toContain('error');
    expect(status).toBe(0);
    expect(existsSync(at('closed/open/vms.csv'))).toBe(true);
    expect(readdirSync(at('closed'))).toEqual(['open']);
  });

  it('that may not be written is refused before the run', async () => {
    mkdirSync(at('closed/shut'), { recursive: true });
    const commands = ['run', 'sweep', 'find'];
    for (const [i, out] of ['closed/shut', 'closed/new', 'closed/new/er'].entries()) {
      // Each process takes a second: a quick run tries each place and each command once.
      for (const command of full ? commands : [commands[i]!]) {
        const more = ['--axis', 'vms.a.count', '--to', '2', '--objective', 'slowdown < 2'];
        const args = [command, 'tiny.yaml', ...(command === 'find' ? more : []), '--out', out];
        const { status, stderr } = runAsOther(...args);
        expect(stderr).toMatch(/^worldswitch: --out: cannot write .*: permission denied/m);
        expect(status).toBe(2);
      }
    }
    expect(readdirSync(at('closed/shut'))).toEqual([]);
  });

  it('in which old results belong to another and cannot be replaced is refused', async () => {
    mkdirSync(at('sticky'));
    chmodSync(at('sticky'), 0o1777);
    writeFileSync(at('sticky/metrics.csv'), 'of root');
    chownSync(at('sticky/metrics.csv'), 0, 0);
    const { status, stderr } = runAsOther('run', 'tiny.yaml', '--out', 'sticky');
    expect(stderr).toMatch(/metrics\.csv in it belongs to another user/);
    expect(status).toBe(2);
    expect(readdirSync(at('sticky'))).toEqual(['metrics.csv']);
  });
});

describe('what is in the way of results', () => {
  it('a link to nothing', async () => {
    symlinkSync('nowhere', at('dangling'));
    await refused('dangling', /dangling is a link to something that is not there/);
    await refused('dangling/below', /dangling is a link to something that is not there/);
    symlinkSync('loop', at('loop'));
    await refused('loop', /too many symbolic links/);
  });

  it('a directory in the place of a file, a file in the place of a directory', async () => {
    mkdirSync(at('taken/metrics.csv'), { recursive: true });
    const run_ = await run('taken');
    expect(run_.err).toMatch(/metrics\.csv in it is a directory/);
    expect(run_.code).toBe(2);
    expect(readdirSync(at('taken'))).toEqual(['metrics.csv']);
    mkdirSync(at('report.d'));
    expect((await run('plain')).code).toBe(0);
    expect(await folder.here(['report', 'plain', '--out', 'report.d'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('report.d in it is a directory'),
    });
  });

  it.runIf(process.platform === 'linux')('a device is left as it is', async () => {
    for (const device of ['/dev/null', '/dev/stdout']) {
      const report = await folder.here(['report', 'plain', '--out', device]);
      expect(report.err).toMatch(/in it is not a regular file/);
      expect(report.code).toBe(2);
      const args = ['synth', 'web-server', '--references', '100', '--out', device];
      const trace = await folder.here(['trace', ...args]);
      expect(trace.err).toMatch(/^worldswitch: --out: cannot write .*: it is not a regular file/);
      expect(trace.code).toBe(2);
    }
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(lstatSync('/dev/stdout').isSymbolicLink()).toBe(true);
  });

  it('a name that is too long', async () => {
    await refused('x'.repeat(300), /the name is too long/);
  });
});

describe('temporary names', () => {
  it('cannot be guessed: links that wait for them are not followed', async () => {
    mkdirSync(at('victim'));
    writeFileSync(at('victim/metrics.csv'), 'precious');
    mkdirSync(at('pub'));
    const script = `ln -s ../victim pub/.o.tmp-$$; ln -s ../victim pub/.o.trace.tmp-$$; exec "$@"`;
    const args = ['run', 'tiny.yaml', '-q', '--trace', 'csv', '--out', 'pub/o'];
    const { status } = spawnSync('bash', ['-c', script, '-', process.execPath, program, ...args], {
      cwd: folder.path,
    });
    expect(status).toBe(0);
    expect(lstatSync(at('pub/o')).isDirectory()).toBe(true);
    expect(readdirSync(at('victim'))).toEqual(['metrics.csv']);
    expect(readFileSync(at('victim/metrics.csv'), 'utf8')).toBe('precious');
  });

  it('of a trace are no better to guess', async () => {
    writeFileSync(at('precious.pt'), 'precious');
    symlinkSync('precious.pt', at('web.pt.part'));
    const args = ['synth', 'web-server', '--references', '100', '--out', 'web.pt'];
    expect((await folder.here(['trace', ...args])).code).toBe(0);
    expect(readFileSync(at('precious.pt'), 'utf8')).toBe('precious');
    mkdirSync(at('folder.pt'));
    expect(await folder.here(['trace', ...args.with(-1, 'folder.pt')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot write folder.pt: it is a directory'),
    });
  });

  it('leave a link in the place of a result unread', async () => {
    writeFileSync(at('precious.csv'), 'precious');
    mkdirSync(at('linked'));
    symlinkSync('../precious.csv', at('linked/vms.csv'));
    expect((await run('linked')).code).toBe(0);
    expect(readFileSync(at('precious.csv'), 'utf8')).toBe('precious');
    expect(lstatSync(at('linked/vms.csv')).isFile()).toBe(true);
  });
});

describe('a sweep whose directory goes wrong', () => {
  const tables = (out: string) =>
    ['points.csv', 'summary.csv'].map((name) => readFileSync(at(out, name), 'utf8'));
  const sweep = (out: string, ...more: string[]) =>
    folder.here(['sweep', 'tiny.yaml', '-q', '--out', out, ...more]);
  beforeAll(async () => {
    expect((await sweep('good')).code).toBe(0);
  });

  it('believes no unit that is not its own, says so and runs it again', async () => {
    expect((await sweep('changed')).code).toBe(0);
    const units = readdirSync(at('changed/units')).map((name) =>
      at('changed/units', name, 'result.json'),
    );
    const [first, second, third] = units as [string, string, string];
    for (const text of ['{}', '7', readFileSync(third, 'utf8')]) {
      writeFileSync(first, text);
      writeFileSync(second, readFileSync(second, 'utf8').replace('"mhz":2200', '"mhz":"2200"'));
      const before = await folder.here(['sweep', 'status', 'changed']);
      expect(before.out).toContain('2 of 4 runs are there');
      expect(before.err).toContain('2 stored runs are damaged or do not belong here');
      const { code, err } = await sweep('changed');
      expect(err).toBe(
        'worldswitch: 2 stored runs are damaged or do not belong here, and are run again\n',
      );
      expect(code).toBe(0);
      expect(tables('changed')).toEqual(tables('good'));
    }
  });

  it('refuses units that are a file, with one line', async () => {
    mkdirSync(at('blocked'));
    writeFileSync(at('blocked/units'), '');
    const { code, err } = await sweep('blocked');
    expect(err).toMatch(/^worldswitch: --out: .*units in it is a file, not a directory/);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
    rmSync(at('blocked/units'));
    await folder.here(['sweep', 'plan', 'tiny.yaml', '-q', '--out', 'blocked']);
    writeFileSync(at('blocked/units'), '');
    const again = await folder.here(['sweep', 'run', 'blocked']);
    expect(again.err).toMatch(/units in it is a file, not a directory/);
    expect(again.code).toBe(2);
  });

  it.each(['2', '0'])(
    'keeps what is finished when a unit cannot be written, with %s jobs',
    async (jobs) => {
      const out = `spoiled${jobs}`;
      expect((await sweep(out)).code).toBe(0);
      const [first, second] = readdirSync(at(out, 'units')) as [string, string];
      for (const name of [first, second]) rmSync(at(out, 'units', name), { recursive: true });
      // Not even root can make a directory here.
      writeFileSync(at(out, 'units', first), 'in the way');
      const { code, err } = await sweep(out, '--jobs', jobs);
      const lines = err
        .trim()
        .split('\n')
        .filter((line) => !line.includes('damaged or of'));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(
        /^worldswitch: cannot store a unit in .*: a part of the path is a file, .*; what is finished is kept, and the same command goes on from there$/,
      );
      expect(code).toBe(1);
      expect(existsSync(at(out, 'points.csv'))).toBe(false);
      rmSync(at(out, 'units', first));
      expect((await sweep(out)).code).toBe(0);
      expect(tables(out)).toEqual(tables('good'));
    },
  );

  // In the units, in the tables.
  it.runIf(canMount).each(['16k', '24k'])(
    'keeps what is finished when a disk of %s fills',
    async (size) => {
      const disk = `disk-${size}`;
      expect(mounted(disk, `size=${size}`)).toBe(true);
      const { code, err } = await sweep(`${disk}/out`);
      expect(err).toMatch(/no space left on the device; what is finished is kept/);
      expect(err.trim().split('\n')).toHaveLength(1);
      expect(code).toBe(1);
      const all = readdirSync(at(disk), { recursive: true, encoding: 'utf8' });
      expect(all.filter((name) => /(^|\/)\./.test(name))).toEqual([]);
      expect(all.filter((name) => name.endsWith('result.json')).length).toBeGreaterThan(0);
      spawnSync('mount', ['-o', 'remount,size=4m', at(disk)]);
      const again = await folder.here(['sweep', 'tiny.yaml', '--out', `${disk}/out`]);
      expect(again.code).toBe(0);
      expect(again.err).toMatch(/reused from before/);
      expect(tables(`${disk}/out`)).toEqual(tables('good'));
    },
  );
});

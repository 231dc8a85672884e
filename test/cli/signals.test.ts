import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder, program } from '../support/command.ts';

/** A signal ends the program whenever it comes, and nothing of what was finished is lost. */

const full = process.env['VALIDATE'] === 'full';
const folder = new Folder();
const head = `duration: 200us
warmup: 50us
host: { processor: opteron-1354, pcpus: 2, memory: 1GiB }
hypervisor: { profile: kvm-2.6.33 }
vms: [{ name: a, count: 2, memory: 64MiB, workload: { kind: page-fault-loop } }]
`;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1).join(', ');

beforeAll(() => {
  const long = head.replace('200us', '100s');
  folder.write('long.yaml', `name: long\n${long}`);
  folder.write(
    'many.yaml',
    `name: many\n${head}sweep: { replications: 1, axes: { vms.a.weight: [${numbers(4000)}] } }\n`,
  );
  folder.write(
    'few.yaml',
    `name: few\n${head}sweep: { replications: 3, axes: { vms.a.weight: [${numbers(8)}] } }\n`,
  );
  folder.write(
    'question.yaml',
    `name: question\n${long}find: { axis: vms.a.count, to: 4, objective: slowdown < 1.5 }\n`,
  );
});
afterAll(() => folder.remove());

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly err: string;
  /** From the first signal, in ms. */
  readonly took: number;
}

/** Starts the program and sends it signals at these times after its start, in ms. */
async function signalled(
  args: readonly string[],
  times: readonly number[],
  signal: NodeJS.Signals = 'SIGINT',
): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder.path,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', (text) => (err += text));
  const ended = new Promise<Pick<Ended, 'code' | 'signal'>>((resolve) =>
    child.on('close', (code, by) => resolve({ code, signal: by })),
  );
  let sent = 0;
  for (const [i, time] of times.entries()) {
    await Promise.race([ended, wait(time - (times[i - 1] ?? 0))]);
    if (i === 0) sent = performance.now();
    child.kill(signal);
  }
  return { ...(await ended), err, took: performance.now() - sent };
}

/** Before Node has come to the program, the system ends it. */
function expectEnded({ code, signal }: Ended): void {
  if (signal === null) expect(code).toBe(130);
  else expect(signal).toMatch(/^SIG(INT|TERM)$/);
}

describe('a signal', () => {
  const moments = full ? [0, 40, 110, 200, 300, 500, 900] : [0, 110, 300, 900];

  it.each(moments)('%i ms after the start ends a run', async (moment) => {
    const signal = moments.indexOf(moment) % 2 === 0 ? 'SIGINT' : 'SIGTERM';
    const ended = await signalled(['run', 'long.yaml', '-q', '--out', 'run'], [moment], signal);
    expectEnded(ended);
    expect(ended.took).toBeLessThan(8000);
    expect(existsSync(join(folder.path, 'run'))).toBe(false);
  });

  it.each([150, 1200])('%i ms after the start ends the planning of a sweep', async (moment) => {
    const plans = [
      ['sweep', 'many.yaml', '-q', '--out', 'planned'],
      ['check', 'many.yaml', '-q'],
      ['sweep', 'many.yaml', '--dry-run'],
    ];
    for (const args of full || moment > 1000 ? plans : plans.slice(0, 1)) {
      const ended = await signalled(args, [moment], 'SIGTERM');
      expectEnded(ended);
      expect(ended.took).toBeLessThan(8000);
    }
  });

  it.each([300, 1200])('%i ms after the start ends a search', async (moment) => {
    const ended = await signalled(['find', 'question.yaml', '-q', '--out', 'search'], [moment]);
    expectEnded(ended);
    expect(ended.took).toBeLessThan(8000);
  });

  it('during a sweep leaves what is finished, at any moment up to its end', async () => {
    const args = ['sweep', 'few.yaml', '-q', '--out', 'few'];
    const step = full ? 300 : 1200;
    let done = false;
    for (let moment = 600; !done && moment < 60_000; moment += step) {
      const ended = await signalled(args, [moment]);
      done = ended.code === 0;
      if (!done) expectEnded(ended);
      const names = existsSync(join(folder.path, 'few'))
        ? readdirSync(join(folder.path, 'few'))
        : [];
      expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
    }
    expect(done).toBe(true);
    folder.run(['sweep', 'few.yaml', '-q', '--out', 'whole']);
    for (const table of ['points.csv', 'summary.csv']) {
      const read = (out: string) => folder.read(`${out}/${table}`);
      expect(read('few')).toBe(read('whole'));
    }
  });

  it('that comes a second time ends the program at once', async () => {
    const { code, err } = await signalled(
      ['run', 'long.yaml', '-q', '--out', 'twice'],
      [1500, 1501],
    );
    expect(code).toBe(130);
    expect(err.match(/interrupted/g)?.length ?? 0).toBeLessThan(2);
  });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { movingYaml, scratch, smallYaml, worldswitchHere } from '../support/program.ts';

let dir: string;
let remove: () => void;
const run = (...args: readonly string[]) => worldswitchHere(dir, ...args);
const json = async (...args: readonly string[]) => {
  const { status, stdout, stderr } = await run(...args, '--json');
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
};

beforeAll(async () => {
  ({ dir, remove } = scratch());
  const vms =
    '[{ name: loop, memory: 64MiB, workload: { kind: page-fault-loop, pages: 64 } },' +
    ' { name: hog, memory: 64MiB, workload: { kind: tlb-thrash, pages: 900 } }]';
  const hypervisor = '{ profile: kvm-2.6.33, scheduler: { kind: round-robin, timeslice: 300us } }';
  writeFileSync(join(dir, 's.yaml'), smallYaml({ vms, hypervisor, duration: '5ms' }));
  writeFileSync(join(dir, 'other.yaml'), smallYaml());
  await run('run', 's.yaml', '-q', '--out', 'one');
  await run('run', 's.yaml', '-q', '--out', 'two', '--set', 'hypervisor.mmu.kind=shadow');
  mkdirSync(join(dir, 'empty'));
  await run('run', 's.yaml', '-q', '--out', 'broken');
  writeFileSync(
    join(dir, 'broken/ledger.csv'),
    'scope,id,vm,leaf,detail,cycles\npcpu,0,loop-0,guest.user,,x\n',
  );
});
afterAll(() => remove());

interface Line {
  readonly leaf: string;
  readonly a: number;
  readonly b: number;
  readonly difference: number;
}

describe('worldswitch compare', () => {
  it('says the same of directories and of the scenarios that made them', async () => {
    const stored = await json('compare', 'one', 'two');
    const fresh = await json('compare', 's.yaml', '--with', 'hypervisor.mmu.kind=shadow');
    expect(stored.vms).toEqual(fresh.vms);
  });

  it('gives lines that add up to the total, the largest first', async () => {
    for (const { lines, total } of (await json('compare', 'one', 'two')).vms) {
      const sum = (pick: (line: Line) => number) =>
        lines.reduce((n: number, line: Line) => n + pick(line), 0);
      expect(sum((line) => line.a)).toBeCloseTo(total.a, 6);
      expect(sum((line) => line.difference)).toBeCloseTo(total.difference, 6);
      const sizes = lines.map((line: Line) => Math.abs(line.difference));
      expect(sizes).toEqual(sizes.toSorted((x: number, y: number) => y - x));
    }
  });

  it('finds no difference between a run and itself', async () => {
    expect((await run('compare', 'one', 's.yaml')).stdout).toMatch(/both take the same cycles/);
  });

  it('writes a table that has every line and the total of each VM', async () => {
    const rows = (await run('compare', 'one', 'two', '--csv')).stdout.trim().split('\n');
    expect(rows[0]).toMatch(/^vm,leaf,detail,a_cycles_per_1000_instructions,/);
    expect(rows.filter((row) => row.includes(',total,'))).toHaveLength(2);
    expect(rows.join()).not.toMatch(/NaN|undefined/);
  });

  it('has no two columns of a line with opposite signs', async () => {
    for (const { unit, lines, total } of (await json('compare', 'one', 'two')).vms) {
      for (const { difference, perUnit } of [...lines, total]) {
        if (!perUnit) continue;
        const signs = [difference, perUnit.b - perUnit.a].map((n) =>
          Math.sign(Number(n.toFixed(6))),
        );
        expect(signs[0], unit).toBe(signs[1]);
      }
    }
    const hog = (await json('run', 's.yaml')).vms.find(({ vm }: { vm: string }) => vm === 'hog-0');
    expect(hog.unit).toBe('million instructions');
    expect(hog.metrics.work).toBe(hog.metrics.user_instructions / 1e6);
  });

  it.each([
    [['one'], /nothing to compare with/],
    [['nowhere', 'one'], /worldswitch: nowhere: cannot read the scenario/],
    [['empty', 'one'], /worldswitch: empty: no results here/],
    [['one', 'other.yaml'], /the groups of VMs differ: loop \(only in A\)/],
    [['broken', 'one'], /ledger\.csv:1:1: error: row 2 has no number in cycles: "x"/],
  ])('refuses %j with exit code 2 and a reason', async (args, message) => {
    const { status, stderr, stdout } = await run('compare', ...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

describe('worldswitch why', () => {
  it('adds up to the cycle, and says who evicted whom', async () => {
    const bill = await json('why', 's.yaml', 'loop-0');
    const sum = (side: 'cycles' | 'native') =>
      bill.lines.reduce((n: number, line: Record<string, number>) => n + line[side]!, 0);
    expect(sum('cycles')).toBe(bill.total);
    expect(sum('native')).toBe(bill.native);
    expect(bill.total).toBeGreaterThan(bill.native);
    const evictors = bill.evictions.map(({ evictor }: { evictor: string }) => evictor);
    expect(evictors).toContain('hog-0');
  });

  it('bills a stored run like the scenario, native run included', async () => {
    const { evictions: none, ...stored } = await json('why', 'one', 'loop-0');
    const { evictions, ...fresh } = await json('why', 's.yaml', 'loop-0');
    expect(stored).toEqual(fresh);
    expect([none.length, evictions.length > 0]).toEqual([0, true]);
    const { stdout } = await run('why', 'one', 'loop-0');
    expect(stdout).toMatch(
      /^loop-0 takes \d\.\d{3} times the cycles of the same work alone and native/,
    );
    expect(stdout).toMatch(/one run, no interval/);
    expect(stdout).toMatch(/output\.evictions=true/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('is what a run with free mechanisms points to, since totals of unequal work mislead', async () => {
    const { stdout } = await run('run', 's.yaml', '--free', 'exit,tlb-flush', '--out', 'free');
    expect(stdout).toMatch(/totals mislead/);
    expect(stdout).toContain('worldswitch why FILE VM --free exit,tlb-flush');
    expect(stdout).toMatch(
      /cycles per 1000 user instructions\n {2}loop-0\s+[\d,]+\n {2}hog-0\s+[\d,]+\n/,
    );
    expect((await run('run', 's.yaml', '--out', 'paid')).stdout).not.toMatch(/totals mislead/);
  });

  it('agrees with the slowdown that run --baseline reports', async () => {
    const bill = await json('why', 's.yaml', 'loop-0');
    const row = (await json('run', 's.yaml', '--baseline')).vms[0];
    expect(bill.total / bill.native).toBeCloseTo(row.metrics.slowdown, 4);
  });

  it('measures mechanisms alone and in pairs', async () => {
    const { twins } = await json('why', 's.yaml', 'loop-0', '--free', 'data-stall,walk');
    expect(twins.map(({ free }: { free: string[] }) => free.join('+'))).toEqual([
      'data-stall',
      'walk',
      'data-stall+walk',
    ]);
    for (const { gained, charged } of twins) {
      expect(gained).toBeGreaterThan(0);
      expect(charged).toBeGreaterThan(0);
    }
    expect(twins[2].interaction).toBeCloseTo(
      twins[2].gained - twins[0].gained - twins[1].gained,
      6,
    );
  });

  it.each([
    [['why', 's.yaml', 'loop'], /there is no VM "loop" — did you mean "loop-0"/],
    [['why', 's.yaml', '--free', 'exits'], /no mechanism "exits" — did you mean "exit"/],
    [['run', 's.yaml', '--free', 'magic'], /no mechanism "magic" — there is exit, /],
  ])('refuses %j with exit code 2 and a reason', async (args, message) => {
    const { status, stderr, stdout } = await run(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

describe('worldswitch why, of a VM that is protected or moves', () => {
  beforeAll(async () => {
    writeFileSync(join(dir, 'moving.yaml'), movingYaml());
    await worldswitchHere(dir, 'run', 'moving.yaml', '-q', '--out', 'moving');
  });

  interface Step {
    readonly added: number;
    readonly lines: readonly { readonly mechanism: string; readonly cycles: number }[];
  }
  const sum = ({ lines }: Step) => lines.reduce((total, { cycles }) => total + cycles, 0);
  const line = ({ lines }: Step, name: string) =>
    lines.find(({ mechanism }) => mechanism === name)?.cycles ?? 0;

  it('gives the bill of protection: paging, recording, and what others spend', async () => {
    const { stdout } = await worldswitchHere(dir, 'why', 'moving', 'db-0', '--json');
    const { protection: bill, total, lines } = JSON.parse(stdout);
    expect(bill.protected).toBe(total);
    expect(bill.unprotected + bill.shadow.added + bill.recording.added).toBe(total);
    for (const step of [bill.shadow, bill.recording]) expect(sum(step)).toBe(step.added);
    // Shadow paging has exits for its tables and no second dimension.
    expect(line(bill.shadow, 'exit page-fault')).toBeGreaterThan(0);
    expect(line(bill.shadow, 'walk.nested')).toBeLessThanOrEqual(0);
    // A clock read is an exit for the log alone, and every entry is written.
    const log = lines.find(({ mechanism }: { mechanism: string }) => mechanism === 'ft log');
    expect(line(bill.recording, 'ft log')).toBe(log.cycles);
    expect(line(bill.recording, 'exit ioio')).toBeGreaterThan(0);
    expect(bill.elsewhere.replay).toBeLessThan(bill.elsewhere.secondary);
    expect(bill.elsewhere.threads.map(({ host }: { host: string }) => host)).toEqual(['a', 'b']);
    expect(bill.outputs.holdCycles / bill.outputs.count).toBeGreaterThan(2 * 50 * 2200);
  });

  it('gives the bill of a migration', async () => {
    const { stdout } = await worldswitchHere(dir, 'why', 'moving', 'web-0', '--json');
    const { migration: bill, total } = JSON.parse(stdout);
    expect([bill.moved, sum(bill.moving)]).toEqual([total, bill.moving.added]);
    expect(line(bill.moving, 'exit dirty-log')).toBe(bill.dirtyLog.cycles);
    expect(bill.heldCycles).toBeGreaterThanOrEqual(bill.downtimeCycles - 1);
    expect(bill.downtimeCycles).toBe(bill.moves[0].downtimeCycles);
  });

  it('says both in sentences', async () => {
    const said = async (vm: string) => (await worldswitchHere(dir, 'why', 'moving', vm)).stdout;
    expect(await said('db-0')).toMatch(
      /For the same work db-0 takes [\d.]+ % more cycles than with nested paging and no protection:\s+shadow paging instead of nested adds [\d.]+ %, and recording adds [\d.]+ %/,
    );
    expect(await said('db-0/secondary')).toMatch(/^db-0\/secondary takes [\d.]+ times/);
  });
});

import { describe, expect, it } from 'vitest';
import { Link } from '../../src/cluster/link.ts';
import { Hold } from '../../src/cluster/migration/hold.ts';
import { migrationPolicies } from '../../src/cluster/migration/index.ts';
import { PAGE } from '../../src/cluster/migration/policy.ts';
import { PostCopy } from '../../src/cluster/migration/post-copy.ts';
import { PreCopy } from '../../src/cluster/migration/pre-copy.ts';
import type { MigrationRecord } from '../../src/cluster/migration/rows.ts';
import type { HostTask } from '../../src/hypervisor/host-task.ts';
import { buildSimulation, disposeOf } from '../../src/scenario/build.ts';
import { type FakeGuest, FakeVm } from '../support/fake-vm.ts';
import fc from '../support/property.ts';
import { load, runs } from '../support/scenarios.ts';

/** The engine of migrations with a VM that is nothing but memory: bytes, order, ends. */

const MHZ = 2200;
const MS = MHZ * 1000;
const GIGABIT = 1e9;

interface Plan extends FakeGuest {
  readonly policy: { readonly kind: string; readonly [param: string]: unknown };
  readonly bandwidth?: number;
  readonly until: number;
  /** The link is cut, or the source dies, at this time. */
  readonly cut?: number;
  readonly sourceDies?: boolean;
}

interface Run {
  readonly vm: FakeVm;
  readonly record: MigrationRecord;
  readonly link: Link;
  readonly tasks: readonly HostTask[];
  readonly ended: number;
  readonly pageBytes: number;
  readonly emptyBytes: number;
  readonly stateBytes: number;
}

/** Both threads on one host of two pCPUs, which is as good as two. */
function migrate({
  policy: choice,
  bandwidth = GIGABIT,
  until,
  cut,
  sourceDies,
  ...guest
}: Plan): Run {
  const tasks: HostTask[] = [];
  const scenario = load({
    host: { pcpus: 2 },
    vms: [{ name: 'idle', memory: '16MiB', workload: { kind: 'idle', hz: 10 } }],
    checks: { translations: false },
  });
  const { engine, hosts } = buildSimulation(scenario, {
    prepare: (hypervisor) => {
      for (const name of ['source', 'target']) {
        tasks.push(hypervisor.tasks.add({ name, weight: 256 }));
      }
    },
  });
  try {
    const vm = new FakeVm(engine, guest);
    const options = { name: 'wire', between: [0, 1], bandwidth, latency: 50e6 } as const;
    const link = new Link(engine, MHZ, options);
    const policy = migrationPolicies.create(migrationPolicies.schema.parse(choice), undefined);
    const record: MigrationRecord = {
      ...{ vm: 'vm', from: 'a', to: 'b', policy: choice.kind, start: MS, end: MS, downtime: 0 },
      ...{ bytes: 0, outcome: 'unfinished', why: '', rounds: [], faults: 0, waited: 0 },
    };
    let ended = 0;
    const ends = { engine, link, from: 0, to: 1, source: tasks[0]!, target: tasks[1]! };
    const common = { ends, vm, policy, record, onEnd: () => ended++ };
    const hold = new Hold(engine, vm, MHZ);
    let current: PreCopy | PostCopy;
    if (policy.preCopy) {
      current = new PreCopy({
        ...{ ...common, mhz: MHZ },
        early: (missing, held, since) => {
          current = new PostCopy({ ...common, hold: held, missing, since });
          current.start();
        },
      });
    } else current = new PostCopy({ ...common, hold });
    engine.schedule(
      MS,
      engine.defineEvent(0, (now) => current.start(now)),
      0,
    );
    link.onCut((now) => current.abort(now, 'the link is cut', sourceDies));
    if (cut !== undefined)
      engine.schedule(
        cut,
        engine.defineEvent(0, (now) => link.cut(now)),
        0,
      );
    engine.run(until);
    const { emptyPage = 0, header, stateBytes } = policy.wire;
    return {
      ...{ vm, record, link, tasks, ended, stateBytes },
      ...{ pageBytes: PAGE + header, emptyBytes: emptyPage },
    };
  } finally {
    disposeOf({ hosts });
  }
}

/** What must hold of any migration: nothing appears from nowhere, nothing is forgotten. */
function check({ vm, record, link, ended, pageBytes, emptyBytes, stateBytes }: Run): void {
  const sum = (pick: (round: MigrationRecord['rounds'][number]) => number) =>
    record.rounds.reduce((total, round) => total + pick(round), 0);
  expect(ended).toBe(record.outcome === 'unfinished' ? 0 : 1);
  expect(link.sentBy(0).sent).toBeGreaterThanOrEqual(record.bytes);
  if (record.outcome !== 'moved') {
    expect(vm.where).toBe('source');
    expect(vm.released).toBe(false);
    expect(vm.stayed).toBe(record.outcome !== 'unfinished');
    return;
  }
  expect([vm.where, vm.held, vm.released, vm.stayed]).toEqual(['target', false, true, false]);
  expect(record.bytes).toBe(link.sentBy(0).sent);
  expect(record.bytes).toBe(link.sentBy(0).arrived);
  const empty = sum(({ emptyPages }) => emptyPages);
  expect(record.bytes).toBe(
    (sum(({ pages }) => pages) - empty) * pageBytes + empty * emptyBytes + stateBytes,
  );
}

const calm = { pages: 1024, used: 1024, hot: 20, period: 100_000 };
const busy = { pages: 1024, used: 700, hot: 300, period: 20_000 };
/** A store every 4 us: twice as fast as a gigabit carries pages. */
const wild = { pages: 1024, used: 1024, hot: 1024, period: 40_000 };

describe('a migration by pre-copy', () => {
  it.each([
    { kind: 'xen-3' },
    { kind: 'xen-3', adaptive: true },
    { kind: 'qemu-0.12', tick: '10ms', downtime: '15ms' },
    { kind: 'vmotion-4', goal: '15ms' },
    { kind: 'vmotion-5', goal: '5ms' },
  ])('of $kind moves every page in its last version', (policy) => {
    for (const guest of [calm, busy]) {
      const run = migrate({ ...guest, policy, until: 400 * MS });
      check(run);
      expect(run.record.outcome).toBe('moved');
      const stale = [...run.vm.target.keys()].filter((gfn) =>
        gfn < guest.hot
          ? run.vm.target[gfn]! < run.vm.source[gfn]!
          : run.vm.target[gfn] !== run.vm.source[gfn],
      );
      expect(stale).toEqual([]);
    }
  });

  it('stands still at least for the time that its last round takes on the wire', () => {
    const { record, link, stateBytes } = migrate({
      ...busy,
      policy: { kind: 'xen-3' },
      until: 400 * MS,
    });
    const last = record.rounds.at(-1)!;
    expect(last.stopped).toBe(true);
    expect(record.downtime).toBeGreaterThan(link.cyclesOf(last.bytes - stateBytes));
    expect(record.downtime).toBeLessThan(link.cyclesOf(last.bytes) + 2 * MS);
  });

  it.each([5, 20])(
    'stands still for the %d ms that the guest takes to suspend, besides',
    (wait) => {
      const policy = { kind: 'xen-3', suspend: `${wait}ms` };
      const run = migrate({ ...busy, policy, until: 400 * MS });
      check(run);
      const { link, record, stateBytes } = run;
      expect(record.outcome).toBe('moved');
      const { bytes } = record.rounds.at(-1)!;
      expect(record.downtime).toBeGreaterThan(wait * MS + link.cyclesOf(bytes - stateBytes));
      expect(record.downtime).toBeLessThan(wait * MS + link.cyclesOf(bytes) + 2 * MS);
    },
  );

  it('sends the writable working set once more in every round, and with the VM stopped', () => {
    // 300 pages, each stored to every 2.7 ms: a round takes 10 ms, less when it passes pages over.
    const { record } = migrate({ ...busy, policy: { kind: 'xen-3' }, until: 400 * MS });
    expect(record.rounds.length).toBeGreaterThan(3);
    for (const { pages, skipped } of record.rounds.slice(1)) {
      expect(pages + skipped).toBeLessThanOrEqual(300);
      expect(pages + skipped).toBeGreaterThan(200);
    }
    expect(record.downtime).toBeGreaterThan((200 * PAGE * 8 * MHZ) / 1000);
  });

  it('of Xen ends at three times the memory when the guest dirties faster than the link', () => {
    const policy = { kind: 'xen-3', rounds: 1000 };
    const { record } = migrate({ ...wild, policy, until: 500 * MS });
    expect([record.outcome, record.why]).toEqual(['moved', 'more than 3 times the memory']);
  });

  it('of QEMU never ends when the guest dirties more than its limit', () => {
    const policy = { kind: 'qemu-0.12', tick: '10ms', downtime: '3ms' };
    const run = migrate({ ...wild, policy, until: 1000 * MS });
    check(run);
    expect(run.record.outcome).toBe('unfinished');
    expect(run.record.rounds.length).toBeGreaterThan(80);
    // 32 MiB/s, a tenth more or less for the last message of a turn.
    const rate = run.link.sentBy(0).sent / 0.999;
    expect(rate).toBeGreaterThan(32 * 2 ** 20);
    expect(rate).toBeLessThan(1.12 * 32 * 2 ** 20);
  });

  it('of ESX 4 gives up, or resumes early and fetches the rest', () => {
    const policy = { kind: 'vmotion-4', goal: '5ms' };
    const run = migrate({ ...wild, policy, until: 500 * MS });
    check(run);
    expect([run.record.outcome, run.record.why]).toEqual(['failed', 'the VM dirties too much']);
    expect(run.vm.held).toBe(false);
    const early = migrate({ ...wild, policy: { ...policy, quickResume: true }, until: 500 * MS });
    expect(early.record.outcome).toBe('moved');
    expect(early.record.faults).toBeGreaterThan(0);
    expect(early.record.downtime).toBeLessThan(5 * MS);
    expect(early.vm.released).toBe(true);
  });

  it('of ESXi 5 slows the guest until it can be moved', () => {
    const run = migrate({ ...wild, policy: { kind: 'vmotion-5', goal: '5ms' }, until: 1000 * MS });
    check(run);
    expect(run.record.outcome).toBe('moved');
    const stuns = run.record.rounds.filter(({ stopped }) => !stopped).map(({ stun }) => stun);
    expect(Math.max(...stuns)).toBeGreaterThan(0.4);
    expect(run.vm.heldCycles).toBeGreaterThan(2 * run.record.downtime);
    expect(run.record.downtime).toBeLessThan(10 * MS);
  });

  it('is undone by a cut: the VM goes on at the source', () => {
    for (const at of [1.2, 5, 30, 60, 90]) {
      const run = migrate({ ...busy, policy: { kind: 'xen-3' }, until: 400 * MS, cut: at * MS });
      check(run);
      expect([run.record.outcome, run.vm.held]).toEqual(['aborted', false]);
      expect(run.vm.stores).toBeGreaterThan((300 * MS) / busy.period);
    }
  });

  it('loses the VM with its source', () => {
    const cut = { cut: 20 * MS, sourceDies: true };
    const run = migrate({ ...busy, policy: { kind: 'xen-3' }, until: 100 * MS, ...cut });
    expect([run.record.outcome, run.vm.stayed]).toEqual(['lost', true]);
  });

  it('balances its bytes and accounts for the work of both threads, whatever the guest does', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Plan['policy']>(
          { kind: 'xen-3' },
          { kind: 'xen-3', adaptive: true, startRate: 300 },
          { kind: 'qemu-0.12', tick: '5ms', downtime: '2ms', rate: 64 },
          { kind: 'vmotion-4', goal: '3ms' },
          { kind: 'vmotion-5', goal: '3ms' },
        ),
        fc.integer({ min: 64, max: 800 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 8_000, max: 400_000 }),
        fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined, freq: 2 }),
        (policy, pages, usedShare, hotShare, period, cutAt) => {
          const used = Math.floor(pages * usedShare);
          const hot = Math.floor(used * hotShare);
          const cut = cutAt === undefined ? {} : { cut: cutAt * MS };
          const plan = { pages, used, hot, period, policy, until: 150 * MS, ...cut };
          const run = migrate(plan);
          check(run);
          for (const task of run.tasks) expect(task.executed).toBeLessThanOrEqual(task.posted);
          if (run.record.outcome === 'moved') {
            for (const task of run.tasks) expect(task.executed).toBe(task.posted);
            for (let gfn = hot; gfn < used; gfn++) expect(run.vm.target[gfn]).toBe(1);
          }
          expect(migrate(plan).record).toEqual(run.record);
        },
      ),
      { numRuns: runs(8) },
    );
  });
});

describe('a migration by post-copy', () => {
  const policy = { kind: 'post-copy' };

  it('sends each page once, and stands still for the state alone', () => {
    const run = migrate({ ...busy, policy, until: 200 * MS });
    check(run);
    expect(run.record.outcome).toBe('moved');
    expect(run.record.rounds).toHaveLength(1);
    expect(run.record.rounds[0]!.pages).toBe(700);
    expect(run.record.downtime).toBeLessThan(1 * MS);
    expect(run.record.faults).toBeGreaterThan(0);
    // Each fault waits for a request and a page, behind what is on the wire.
    expect(run.record.waited / run.record.faults).toBeGreaterThan(0.1 * MS);
    expect(run.vm.pauses).toBeGreaterThanOrEqual(run.record.faults);
  });

  it('brings only what is asked for when told to', () => {
    const run = migrate({ ...busy, policy: { ...policy, prePaging: false }, until: 200 * MS });
    expect(run.record.outcome).toBe('unfinished');
    expect(run.record.faults).toBe(300);
  });

  it('stays when the link is cut before the move, and is lost after it', () => {
    const before = migrate({ ...busy, policy, until: 100 * MS, cut: 1.05 * MS });
    expect([before.record.outcome, before.vm.where, before.vm.held]).toEqual([
      ...['aborted', 'source', false],
    ]);
    const after = migrate({ ...busy, policy, until: 100 * MS, cut: 10 * MS });
    expect([after.record.outcome, after.vm.where]).toEqual(['lost', 'target']);
  });
});

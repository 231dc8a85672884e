import { describe, expect, test } from 'vitest';
import { entitlements } from '../../src/hypervisor/schedulers/esx-entitlements.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import { IPI, MS, SchedulerDriver, SECOND, US, type VmPlan } from '../support/scheduler-driver.ts';
import {
  BVT_SHARE,
  CFS_TURNS,
  CREDIT_CAP,
  type Range,
  RTDS_SHARE,
  SEDF_SLICE,
  SEDF_WEIGHTS,
  TICK_DODGER,
  WAKE_WAIT,
} from '../support/scheduler-figures.ts';

/** What schedulers of real hypervisors are known to do, with the tolerances of scheduler-figures.ts. */

const exponential = (mean: number) => (random: () => number) => -mean * Math.log(1 - random());
const hog: VmPlan = {};

function expectWithin(value: number, { low, high }: Range): void {
  expect(value).toBeGreaterThanOrEqual(low);
  expect(value).toBeLessThanOrEqual(high);
}

const drive = (choice: Record<string, unknown>, vms: VmPlan[], until: number, pcpus = 1) =>
  new SchedulerDriver(choice, { pcpus, vms }).runTo(until);

const meanOf = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
const medianOf = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

describe('credit', () => {
  const TICK = 10 * MS;

  /**
   * Share of a guest that sleeps over every tick but the first, beside a hog. The first one finds it, and it begins to
   * earn: in all versions credits are looked at of those only that a tick has found running.
   */
  function shareOfDodger(accounting: string): number {
    const toTick = () => TICK - (driver.now % TICK);
    const dodger: VmPlan = {
      run: () => (driver.now === 0 ? 1.9 * TICK : Math.max(US, toTick() - 500 * US)),
      sleep: () => toTick() + 50 * US,
    };
    const plan = { pcpus: 1, vms: [dodger, hog] };
    let driver = { now: 0 } as SchedulerDriver;
    driver = new SchedulerDriver({ kind: 'credit', accounting }, plan);
    return driver.runTo(10 * SECOND).shares()[0]!;
  }

  test('lets a guest that dodges the ticks take the pCPU, up to Xen 4.0', () => {
    expectWithin(shareOfDodger('tick'), TICK_DODGER.tick);
  });

  test('gives it its fair share by time stamps, since Xen 4.1', () => {
    expectWithin(shareOfDodger('timestamp'), TICK_DODGER.timestamp);
  });

  test('weighs a VM once, not once for each vCPU, up to Xen 4.0', () => {
    const vms = [
      { weight: 256, vcpus: 1 },
      { weight: 256, vcpus: 3 },
    ];
    const [one] = drive({ kind: 'credit', accounting: 'tick' }, vms, 20 * SECOND).shares();
    expect(one).toBeCloseTo(1 / 2, 1);
    const [stamped] = drive({ kind: 'credit' }, vms, 20 * SECOND).shares();
    expect(stamped).toBeCloseTo(1 / 4, 1);
  });

  // It runs for a period and waits for three, so that single windows of 300 ms hold 20 or 30 %.
  test('holds a cap on average over 300 ms, in bursts of at least an accounting period', () => {
    const { share, burstMs, windowMs } = CREDIT_CAP;
    const driver = new SchedulerDriver({ kind: 'credit' }, { pcpus: 1, vms: [{ cap: 25 }] });
    const bursts: number[] = [];
    let ran = 0;
    let burst = 0;
    for (let ms = 1; ms <= 40 * windowMs; ms++) {
      driver.runTo(ms * MS);
      const now = driver.ranBy(0);
      if (now > ran) burst += now - ran;
      else if (burst > 0) bursts.push(burst);
      if (now === ran) burst = 0;
      ran = now;
    }
    expectWithin(ran / (40 * windowMs * MS), share);
    // The first begins an IPI late.
    expect(Math.min(...bursts)).toBeGreaterThanOrEqual(burstMs * MS - 2 * IPI);
  });
});

describe('credit2', () => {
  const spinner: VmPlan = { run: () => 100 * US, sleep: () => MS, yields: 1 };
  const busy: VmPlan = hog;
  const share = (choice: object, vms: VmPlan[]) =>
    drive({ ...choice } as Record<string, unknown>, vms, 5 * SECOND).shares()[0]!;

  test('takes no notice of a yield before it was mended, and does like credit after', () => {
    const fair = share({ kind: 'credit2', version: 'xen-4.1' }, [busy, hog]);
    const old = share({ kind: 'credit2', version: 'xen-4.1' }, [spinner, hog]);
    const mended = share({ kind: 'credit2', version: 'xen-4.10' }, [spinner, hog]);
    const credit = share({ kind: 'credit' }, [spinner, hog]);
    expect(old).toBeCloseTo(fair, 1);
    expect(mended).toBeLessThan(old - 0.1);
    expect(credit).toBeLessThan(old - 0.1);
  });

  test('caps a VM with several vCPUs as a whole, within each 10 ms', () => {
    const vms = [{ cap: 60, vcpus: 3 }, hog];
    const driver = drive({ kind: 'credit2' }, vms, SECOND, 4);
    for (let window = 0; window < 20; window++) {
      const before = driver.ranBy(0);
      driver.runTo(driver.now + 10 * MS);
      expect((driver.ranBy(0) - before) / (10 * MS)).toBeCloseTo(0.6, 1);
    }
  });

  test('knows no caps before 4.10', () => {
    const { idle, params } = schedulers.find('credit2')!;
    const vm = { vcpus: 1, weight: 256, cap: 50, params: {}, count: 1 };
    expect(idle!(params.parse({ version: 'xen-4.1' }), vm)['cap']).toContain('4.10');
    expect(idle!(params.parse({}), vm)).toEqual({});
    const old = drive({ kind: 'credit2', version: 'xen-4.1' }, [{ cap: 50 }], SECOND);
    expect(old.ranBy(0)).toBe(SECOND - IPI);
  });

  test('leaves a full socket for an empty one when credit is reset', () => {
    // All four start on the first socket; two may leave it.
    const vms = [{ pin: [0] }, { pin: [0, 2] }, { pin: [1] }, { pin: [1, 3] }];
    const plan = { pcpus: 4, pcpusPerSocket: 2, vms };
    const driver = new SchedulerDriver({ kind: 'credit2' }, plan).runTo(10 * SECOND);
    for (let vm = 0; vm < 4; vm++) {
      expect(driver.ranBy(vm) / driver.now).toBeGreaterThan(0.8);
    }
  });

  test('runs for 2 ms at most in Xen 4.1', () => {
    const driver = drive({ kind: 'credit2', version: 'xen-4.1' }, [hog, hog], SECOND);
    expect(driver.ranBy(0) / driver.vcpus[0]!.turns).toBeLessThanOrEqual(2 * MS);
  });
});

describe('cfs', () => {
  test.each(CFS_TURNS)('%s, %i hogs: the turn of the figure', (version, hogs, turn) => {
    const vms = Array.from({ length: hogs }, () => ({ pin: [0] }));
    const driver = drive({ kind: 'cfs', version, hz: 1000 }, vms, SECOND, 8);
    for (const { turnCycles } of driver.vcpus) {
      // The first turns begin together with the machine; the others at a tick.
      for (const cycles of turnCycles.slice(2)) expectWithin(cycles / MS, turn);
    }
  });

  test('ends turns at ticks: 250 of them make them longer than 1000', () => {
    const turn = (hz: number) => {
      const driver = drive({ kind: 'cfs', hz }, [{ pin: [0] }, { pin: [0] }], SECOND, 8);
      return driver.vcpus[0]!.turnCycles.at(-1)! / MS;
    };
    expect(turn(1000)).toBeCloseTo(11, 2);
    expect(turn(250)).toBeCloseTo(12, 2);
  });

  test('shares by VM, however many vCPUs it has', () => {
    const vms = [{ weight: 256 }, { weight: 256, vcpus: 3 }, { weight: 512, vcpus: 2 }];
    const shares = drive({ kind: 'cfs' }, vms, 20 * SECOND).shares();
    for (const [vm, share] of [1 / 4, 1 / 4, 1 / 2].entries()) {
      expect(shares[vm]! / share).toBeGreaterThan(0.97);
      expect(shares[vm]! / share).toBeLessThan(1.03);
    }
  });

  test('divides the shares of a VM between the pCPUs on which it runs', () => {
    const vms = [
      { weight: 256, vcpus: 2 },
      { weight: 256, pin: [0] },
      { weight: 256, pin: [1] },
    ];
    const [both] = drive({ kind: 'cfs' }, vms, 20 * SECOND, 2).shares();
    // One third of the weight on each pCPU: 128 against 256.
    expect(both).toBeCloseTo(1 / 3, 1);
  });

  test('protects one that has just begun its turn from a small lead', () => {
    // Often awake for 3 ms: its lead is small, and its bursts are long.
    const greedy = { run: exponential(3 * MS), sleep: exponential(2 * MS), pin: [0] };
    const others = [{ pin: [0] }, { pin: [0] }];
    const waits = (version: string) => {
      const driver = drive({ kind: 'cfs', version, hz: 1000 }, [greedy, ...others], 5 * SECOND, 8);
      return meanOf(driver.vcpus[0]!.wakeWaits);
    };
    expect(waits('2.6.31')).toBeGreaterThan(waits('2.6.33'));
  });

  test.each([
    [3, 2],
    [4, 3],
    [5, 4],
    [5, 2],
    [7, 4],
  ])('does not leave one of %i hogs a pCPU of its own on %i', (hogs, pcpus) => {
    for (const version of ['2.6.31', '2.6.33']) {
      const vms = Array.from({ length: hogs }, () => hog);
      const shares = drive({ kind: 'cfs', version }, vms, 10 * SECOND, pcpus).shares();
      // Nobody counts who runs where for how long: vCPUs change places at each balance.
      for (const share of shares) {
        expect(share * hogs).toBeGreaterThan(0.7);
        expect(share * hogs).toBeLessThan(1.2);
      }
    }
  });

  test('takes over half of what waits on a full pCPU', () => {
    const vms = [hog, hog, hog, { ...hog, pin: [0] }, { ...hog, pin: [0] }, { ...hog, pin: [0] }];
    const driver = drive({ kind: 'cfs' }, vms, 5 * SECOND, 2);
    expect(driver.vcpus.slice(0, 3).map((vcpu) => vcpu.pcpu)).toEqual([1, 1, 1]);
  });
});

describe('wake-up beside one hog', () => {
  const waits = (choice: Record<string, unknown>) => {
    const sleeper = { run: () => 100 * US, sleep: exponential(100 * MS), pin: [0] };
    const vms = [sleeper, { pin: [0] }];
    return drive(choice, vms, 60 * SECOND, 8).vcpus[0]!.wakeWaits.map((wait) => wait / MS);
  };
  const credit = waits({ kind: 'credit' });
  const cfs = waits({ kind: 'cfs' });
  const roundRobin = waits({ kind: 'round-robin', steal: false });

  test('is at once under credit, for boost', () => {
    expectWithin(meanOf(credit), WAKE_WAIT.credit.mean);
  });

  test('is mostly at once under cfs', () => {
    expectWithin(medianOf(cfs), WAKE_WAIT.cfs.median);
  });

  test('takes half a turn under round-robin', () => {
    expectWithin(meanOf(roundRobin), WAKE_WAIT.roundRobin.mean);
  });

  test('is in this order', () => {
    expect(meanOf(cfs)).toBeLessThan(meanOf(roundRobin));
    expect(meanOf(credit)).toBeLessThan(meanOf(roundRobin));
  });
});

describe('bvt', () => {
  test.each(['allowance', 'gap'])('shares by weight within a percent: turns by %s', (turns) => {
    const weights = [256, 512, 768];
    const vms = weights.map((weight) => ({ weight }));
    const driver = drive({ kind: 'bvt', turns }, vms, 3 * SECOND);
    for (const [vm, share] of driver.shares().entries()) {
      expectWithin(share / (weights[vm]! / 1536), BVT_SHARE);
    }
  });

  test('keeps equals within an allowance and a unit of each other', () => {
    const driver = new SchedulerDriver({ kind: 'bvt' }, { pcpus: 1, vms: [hog, hog, hog] });
    for (let ms = 1; ms < 500; ms++) {
      const ran = [0, 1, 2].map((vm) => driver.runTo(ms * MS).ranBy(vm));
      expect(Math.max(...ran) - Math.min(...ran)).toBeLessThanOrEqual(5 * MS + 100 * US);
    }
  });

  test('lets a VM that blocks often wait, and not when it warps', () => {
    // It wants more than its share, so that its virtual time runs ahead.
    const wait = (warp: string) => {
      const greedy = { run: () => 3 * MS, sleep: exponential(2 * MS), scheduler: { warp } };
      return meanOf(drive({ kind: 'bvt' }, [greedy, hog], 10 * SECOND).vcpus[0]!.wakeWaits);
    };
    expect(wait('100ms')).toBeLessThan(wait('0us'));
  });

  test('lets a VM warp no longer than its limit', () => {
    const share = (warpLimit: string, unwarp: string) => {
      const greedy = { scheduler: { warp: '10s', warpLimit, unwarp } };
      return drive({ kind: 'bvt' }, [greedy, hog], 20 * SECOND).shares()[0]!;
    };
    // A hog wakes once: it borrows 1 s of the pCPU, and pays it back.
    expect(share('1s', '1s')).toBeCloseTo(1 / 2, 1);
    expect(share('20s', '1s')).toBeGreaterThan(0.7);
  });

  test('leaves vCPUs on their pCPUs', () => {
    const driver = drive({ kind: 'bvt' }, [hog, hog, hog], SECOND, 2);
    expect(driver.vcpus.map((vcpu) => vcpu.migrations)).toEqual([0, 0, 0]);
    expect(driver.shares()[1]).toBeCloseTo(1 / 2, 2);
  });
});

describe('sedf', () => {
  const kind = 'sedf';
  const slice = { period: '20ms', slice: '5ms', extratime: false };

  test('gives a slice and never more, alone and beside others', () => {
    for (const others of [[], [hog], [hog, hog, hog]]) {
      const driver = drive({ kind }, [{ scheduler: slice }, ...others], 10 * SECOND);
      expectWithin(driver.ranBy(0) / driver.now, SEDF_SLICE);
    }
  });

  test.each([false, true])('divides what slices leave by weight: extra time %s', (extratime) => {
    const reserved = { scheduler: { period: '10ms', slice: '3ms', extratime: false } };
    const weighted = [2, 7, 3].map((weight) => ({
      weight: weight * 128,
      scheduler: { extratime },
    }));
    const driver = drive({ kind }, [reserved, ...weighted], 20 * SECOND);
    // Without extra time 5 ms in 100 ms are kept in reserve.
    const part = extratime ? 1 : 0.65 / 0.7;
    for (const [i, { low, high }] of SEDF_WEIGHTS.entries()) {
      expectWithin(driver.ranBy(i + 1) / driver.now, { low: low * part, high: high * part });
    }
  });

  test('parks a VM that has had its slice and may have no more', () => {
    const driver = new SchedulerDriver({ kind }, { pcpus: 1, vms: [{ scheduler: slice }] });
    const parked = [2, 7, 12, 22, 27, 32].map((ms) => {
      driver.runTo(ms * MS);
      return driver.scheduler.isParked(0 as never);
    });
    // Its first deadline is a slice after power-on, and that is too late for the first period.
    expect(parked).toEqual([true, false, true, true, false, true]);
  });

  test('makes up in extra time for a slice that was lost by sleeping', () => {
    const sleeper = (extratime: boolean): VmPlan => ({
      run: () => MS,
      sleep: () => 2 * MS,
      scheduler: { period: '20ms', slice: '10ms', extratime },
    });
    const ran = (extratime: boolean) =>
      drive({ kind }, [sleeper(extratime), hog], 10 * SECOND).ranBy(0);
    expect(ran(true)).toBeGreaterThan(2 * ran(false));
  });

  test('leaves vCPUs on their pCPUs', () => {
    const driver = drive({ kind }, [hog, hog, hog], SECOND, 2);
    expect(driver.vcpus.map((vcpu) => vcpu.migrations)).toEqual([0, 0, 0]);
  });
});

describe('rtds', () => {
  const kind = 'rtds';
  const budget = (ms: number, period: number, extratime = false) => ({
    scheduler: { budget: `${ms}ms`, period: `${period}ms`, extratime },
  });

  test('gives a budget and no more beside a hog', () => {
    const driver = drive({ kind }, [budget(4, 10), hog], 10 * SECOND);
    expectWithin(driver.ranBy(0) / driver.now, RTDS_SHARE);
    expect(driver.ranBy(1) / driver.now).toBeCloseTo(0.6, 2);
  });

  test('gives every budget in every period when they fit on a pCPU', () => {
    const budgets = [budget(3, 10), budget(8, 40), budget(10, 20, true)];
    const driver = new SchedulerDriver({ kind }, { pcpus: 1, vms: budgets });
    driver.runTo(40 * MS + IPI);
    for (let period = 0; period < 50; period++) {
      const before = budgets.map((_, vm) => driver.ranBy(vm));
      driver.runTo(driver.now + 40 * MS);
      const [first, second, third] = before.map((ran, vm) => (driver.ranBy(vm) - ran) / MS);
      expect(first).toBeCloseTo(12, 0);
      expect(second).toBeCloseTo(8, 0);
      expect(third).toBeGreaterThan(19.9);
    }
  });

  test('shares spare time in proportion to budget over period', () => {
    const vms = [budget(1, 10, true), budget(2, 10, true), budget(1, 10, false)];
    const driver = drive({ kind }, vms, 10 * SECOND);
    expect(driver.shares()[0]).toBeCloseTo(0.3, 1);
    expect(driver.shares()[1]).toBeCloseTo(0.6, 1);
    expect(driver.shares()[2]).toBeCloseTo(0.1, 2);
  });

  test('runs the earliest deadline on any pCPU', () => {
    const driver = drive({ kind }, [budget(9, 10), budget(9, 10), budget(9, 10)], SECOND, 3);
    for (let vm = 0; vm < 3; vm++) expect(driver.ranBy(vm) / driver.now).toBeCloseTo(0.9, 2);
  });
});

describe('esx', () => {
  const kind = 'esx';

  test('divides capacity by shares, within reservation and limit', () => {
    const claim = (shares: number, reservation = 0, limit = 1) => ({ shares, reservation, limit });
    const round = (list: readonly number[]) => list.map((value) => Math.round(value * 1000) / 1000);
    expect(round(entitlements([claim(1), claim(1), claim(2)], 1))).toEqual([0.25, 0.25, 0.5]);
    expect(round(entitlements([claim(1), claim(1), claim(1), claim(9)], 2))).toEqual([
      0.333, 0.333, 0.333, 1,
    ]);
    expect(round(entitlements([claim(1, 0.5), claim(1), claim(1)], 1))).toEqual([0.5, 0.25, 0.25]);
    expect(round(entitlements([claim(1, 0, 0.1), claim(1), claim(1)], 1))).toEqual([
      0.1, 0.45, 0.45,
    ]);
    expect(round(entitlements([claim(1), claim(5)], 4))).toEqual([1, 1]);
    expect(round(entitlements([claim(1, 1), claim(1, 1)], 1))).toEqual([0.5, 0.5]);
    expect(round(entitlements([claim(1, 0.5, 0.5), claim(2, 0, 0.2), claim(1)], 1))).toEqual([
      0.5, 0.2, 0.3,
    ]);
    expect(entitlements([], 2)).toEqual([]);
  });

  test('shares several pCPUs by weight, none above one pCPU', () => {
    const vms = [256, 256, 512, 1024].map((weight) => ({ weight }));
    const driver = drive({ kind }, vms, 20 * SECOND, 2);
    for (const [vm, share] of [1 / 8, 1 / 8, 2 / 8, 4 / 8].entries()) {
      expect(driver.shares()[vm]! / share).toBeGreaterThan(0.93);
      expect(driver.shares()[vm]! / share).toBeLessThan(1.07);
    }
  });

  test('gives a VM its reservation, whatever its weight', () => {
    const vms = [{ weight: 100, scheduler: { reservation: 40 } }, hog, hog, hog];
    const driver = drive({ kind }, vms, 20 * SECOND);
    expect(driver.shares()[0]).toBeCloseTo(0.4, 1.7);
    expect(driver.shares()[1]).toBeCloseTo(0.2, 1.7);
  });

  test('lets a waking VM that is behind go first, at once', () => {
    const sleeper = { run: () => 100 * US, sleep: exponential(5 * MS) };
    const waits = drive({ kind }, [sleeper, hog, hog], 5 * SECOND).vcpus[0]!.wakeWaits;
    expect(medianOf(waits)).toBe(IPI);
  });

  test('lets none that woke wait for a whole quantum, not even right after power-on', () => {
    const sleeper = { run: () => 300 * US, sleep: exponential(3 * MS) };
    const vms = [hog, sleeper, hog, sleeper, hog];
    const driver = drive({ kind, quantum: '200ms' }, vms, SECOND);
    for (const vm of [1, 3]) {
      expect(Math.max(...driver.vcpus[vm]!.wakeWaits)).toBeLessThan(10 * MS);
      expect(driver.vcpus[vm]!.wakeWaits.length).toBeGreaterThan(100);
    }
  });

  test('forgets what a VM did not use beyond a few quanta', () => {
    // Asleep for 20 s, it may run alone for 8 quanta of 50 ms by what it is entitled to, not for 10 s.
    let woken = false;
    const late: VmPlan = {
      run: () => {
        const first = !woken;
        woken = true;
        return first ? US : 1000 * SECOND;
      },
      sleep: () => 20 * SECOND,
    };
    const driver = drive({ kind }, [late, hog], 20 * SECOND + 100 * MS);
    const before = driver.ranBy(0);
    driver.runTo(driver.now + 5 * SECOND);
    const share = (driver.ranBy(0) - before) / (5 * SECOND);
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.75);
  });
});

test('parameters of VMs that cannot be are refused by the scheduler that takes them', () => {
  const plan = (kind: string, params: object, cap = 0) => {
    const { check, vmParams } = schedulers.find(kind)!;
    const vm = {
      vcpus: 1,
      weight: 256,
      cap,
      params: vmParams!.parse(params),
      count: 1,
    };
    return check!(vm, { pcpus: 4, vms: [vm] })?.key;
  };
  expect(plan('sedf', { period: '10ms', slice: '20ms' })).toBe('slice');
  expect(plan('sedf', { period: '20ms', slice: '20ms' })).toBeUndefined();
  expect(plan('rtds', { budget: '20ms' })).toBe('budget');
  expect(plan('rtds', {})).toBeUndefined();
  expect(plan('esx', { reservation: 150 })).toBe('reservation');
  expect(plan('esx', { reservation: 50 }, 40)).toBe('reservation');
  expect(plan('esx', { reservation: 50 }, 60)).toBeUndefined();
});

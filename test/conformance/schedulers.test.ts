import { describe, expect, test } from 'vitest';
import type { PcpuId, VcpuId } from '../../src/base/ids.ts';
import { CreditAccounts, Priority } from '../../src/hypervisor/schedulers/credit-accounts.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import {
  type HostPlan,
  IPI,
  MS,
  SchedulerDriver,
  SECOND,
  US,
  type VmPlan,
} from '../support/scheduler-driver.ts';

const exponential = (mean: number) => (random: () => number) => -mean * Math.log(1 - random());
const hog: VmPlan = {};
/** Short bursts, mostly asleep. */
const io: VmPlan = { run: exponential(200 * US), sleep: exponential(2 * MS) };
const mixed: VmPlan = { run: exponential(8 * MS), sleep: exponential(6 * MS), yields: 0.3 };

/** Every scheduler with its defaults, and again where a parameter makes it another policy. */
const choices = [
  ...schedulers.definitions.map(({ name }) => ({ kind: name })),
  { kind: 'credit', accounting: 'tick' },
  { kind: 'credit2', version: 'xen-4.1' },
  { kind: 'cfs', version: '2.6.31', hz: 1000 },
  { kind: 'cfs', version: '3.2.0' },
  { kind: 'esx', quantum: '200ms' },
].map((choice) => [Object.values(choice).join(' '), choice] as const);

/** What a scheduler needs to be told so that it can keep a promise: rtds makes none beyond the budgets. */
const fitting = (kind: string, vms: readonly VmPlan[]): VmPlan[] =>
  vms.map((vm) => (kind === 'rtds' ? { ...vm, scheduler: { budget: '100us' } } : vm));

describe.each(choices)('%s', (_, choice) => {
  const { kind } = choice;
  const definition = schedulers.find(kind)!;
  const plain = {
    vcpus: 1,
    weight: 256,
    cap: 0,
    params: definition.vmParams?.parse({}) ?? {},
    count: 1,
  };
  const lacks = definition.idle?.(definition.params.parse(choice), plain) ?? {};
  const run = (plan: HostPlan, until: number) =>
    new SchedulerDriver(choice, { ...plan, vms: fitting(kind, plan.vms) }).runTo(until);

  test('forgets who leaves the host, whether it ran or waited, and takes it back', () => {
    const caps = [0, 0, 30, 0, 30].map((cap) => ({ cap }));
    const plan = { pcpus: 2, vms: fitting(kind, [...caps, io]) };
    const driver = new SchedulerDriver(choice, plan);
    for (let n = 0; n < 24; n++)
      driver.send(n % 5, 41 * MS + n * 10_300_001, 66 * MS + n * 10_300_001);
    driver.runTo(SECOND);
    const before = driver.shares();
    for (const id of [0, 2, 3, 4]) driver.send(id, 1.1 * SECOND);
    driver.runTo(1.2 * SECOND);
    const ran = driver.vcpus.map((_vcpu, vm) => driver.ranBy(vm));
    driver.runTo(1.6 * SECOND);
    const after = driver.vcpus.map((_vcpu, vm) => driver.ranBy(vm) - ran[vm]);
    expect(before.slice(0, 5).every((share) => share > 0)).toBe(true);
    expect([0, 2, 3, 4].map((id) => after[id])).toEqual([0, 0, 0, 0]);
    // Alone with one that sleeps most of the time: all that it may have.
    if (kind !== 'rtds') expect(after[1]).toBeGreaterThan(0.35 * SECOND);
  });

  test.each([2, 3, 7])('gives %i hogs on one of two pCPUs no longer turns than it says', (hogs) => {
    const says = definition.turn?.(definition.params.parse(choice), 2, hogs);
    if (says === undefined) return;
    const vms = Array.from({ length: hogs }, () => ({ pin: [0] }));
    // Those of the beginning are shaped by the first tick, or by a history that is still short.
    const { vcpus } = run({ pcpus: 2, vms }, 2 * SECOND);
    const turns = vcpus.flatMap(({ turnCycles }) => turnCycles.slice(2));
    const longest = (Math.max(...turns) / MS) * 1e9;
    expect(longest).toBeLessThanOrEqual(1.01 * says);
    expect(longest).toBeGreaterThan(0.5 * says);
  });

  // The driver throws when a vCPU runs twice, runs asleep, parked or off its pCPUs, or is ready beside a pCPU that
  // idles for longer than the policy says it may.
  test.each([1, 2, 4, 8])('keeps its promises on %i pCPUs with a changing load', (pcpus) => {
    const vms = [hog, { ...io, vcpus: 3 }, { ...mixed, vcpus: 4 }, { ...io, vcpus: 2 }, mixed];
    const driver = run({ pcpus, vms, pcpusPerSocket: 4, seed: 'a' }, SECOND);
    for (const vcpu of driver.vcpus) {
      expect(vcpu.ranCycles + driver.ranSinceCharge(vcpu.pcpu as PcpuId, SECOND)).toBeGreaterThan(
        vcpu.plan === io ? 0 : MS,
      );
      expect(vcpu.worstWait).toBeLessThan(SECOND);
    }
  });

  test('keeps its promises when VMs are pinned to overlapping sets of pCPUs', () => {
    const vms = [
      { ...mixed, pin: [0], vcpus: 2 },
      { ...mixed, pin: [0, 1], cap: lacks['cap'] ? 0 : 40 },
      { ...io, pin: [1, 2], vcpus: 3 },
      { ...hog, pin: [2] },
      { ...mixed, vcpus: 2 },
      { ...io, pin: [3] },
    ];
    run({ pcpus: 4, pcpusPerSocket: 2, vms, seed: 'a' }, SECOND);
  });

  test('runs a lone vCPU all the time', () => {
    const driver = run({ pcpus: 1, vms: [hog] }, SECOND);
    expect(driver.ranBy(0)).toBe(SECOND - IPI);
  });

  test('divides a pCPU evenly between equals', () => {
    const driver = run({ pcpus: 1, vms: [hog, hog, hog, hog] }, 12 * SECOND);
    for (const share of driver.shares()) expect(share).toBeCloseTo(0.25, 2);
  });

  const withWeights = 'weight' in lacks ? [] : [1, 2, 4, 8];
  test.each(withWeights)('shares %i pCPUs by weight', (pcpus) => {
    const of = (weight: number) => Array.from({ length: pcpus }, () => ({ weight }));
    const driver = run({ pcpus, vms: [...of(256), ...of(512)] }, 8 * SECOND);
    const [light, heavy] = [1 / 3, 2 / 3].map((share) => share / pcpus);
    for (const [vm, share] of driver.shares().entries()) {
      const expected = vm < pcpus ? light! : heavy!;
      expect(share / expected).toBeGreaterThan(0.95);
      expect(share / expected).toBeLessThan(1.05);
    }
  });

  const withCaps = 'cap' in lacks ? [] : [1, 2, 4, 8];
  test.each(withCaps)('holds a cap on %i pCPUs', (pcpus) => {
    const vms = [{ cap: 25 }, ...Array.from({ length: pcpus - 1 }, () => hog)];
    const driver = run({ pcpus, vms }, 2 * SECOND);
    const before = driver.ranBy(0);
    driver.runTo(26 * SECOND);
    expect((driver.ranBy(0) - before) / (24 * SECOND)).toBeCloseTo(0.25, 1.7);
  });

  test('lets no runnable vCPU starve', () => {
    const driver = run({ pcpus: 1, vms: [{ ...hog, vcpus: 3 }, io, mixed, mixed] }, 3 * SECOND);
    for (const vcpu of driver.vcpus) expect(vcpu.worstWait).toBeLessThan(SECOND);
  });

  test('does the same twice', () => {
    const plan = { pcpus: 2, vms: [hog, { ...io, vcpus: 3 }, { ...mixed, vcpus: 3 }] };
    const [first, second] = [1, 2].map(() =>
      run(plan, SECOND / 2).vcpus.map((vcpu) => vcpu.ranCycles),
    );
    expect(second).toEqual(first);
  });
});

describe('round-robin', () => {
  const order = (driver: SchedulerDriver, turns: number, slice: number) =>
    Array.from({ length: turns }, (_, turn) => {
      driver.runTo(IPI + turn * slice + slice / 2);
      return driver.runningOn(0 as never);
    });

  test('rotates in the order of insertion on one pCPU', () => {
    const driver = new SchedulerDriver({ kind: 'round-robin' }, { pcpus: 1, vms: [hog, hog, hog] });
    expect(order(driver, 7, 30 * MS)).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  test('takes another timeslice', () => {
    const choice = { kind: 'round-robin', timeslice: '5ms' };
    const driver = new SchedulerDriver(choice, { pcpus: 1, vms: [hog, hog] });
    expect(order(driver, 4, 5 * MS)).toEqual([0, 1, 0, 1]);
  });

  test('counts turns in references when asked to', () => {
    const choice = { kind: 'round-robin', references: 100_000 };
    const driver = new SchedulerDriver(choice, { pcpus: 1, vms: [hog, hog] });
    driver.runTo(SECOND);
    expect(driver.scheduler.sliceReferences).toBe(100_000);
    expect(driver.vcpus.map((vcpu) => vcpu.turns)).toEqual([1, 0]);
  });

  test('leaves vCPUs where they are without stealing', () => {
    const choice = { kind: 'round-robin', steal: false };
    const vms = [hog, hog, hog, hog];
    const driver = new SchedulerDriver(choice, { pcpus: 2, vms }).runTo(SECOND);
    expect(driver.vcpus.map((vcpu) => vcpu.pcpu)).toEqual([0, 1, 0, 1]);
    expect(driver.vcpus.map((vcpu) => vcpu.migrations)).toEqual([0, 0, 0, 0]);
  });

  test('refuses a timeslice of nothing', () => {
    expect(() => schedulers.schema.parse({ kind: 'round-robin', timeslice: 0 })).toThrow('1us');
  });
});

describe('credit', () => {
  const kind = 'credit';
  const run = (pcpus: number, vms: VmPlan[], more = {}, until = 20 * SECOND) =>
    new SchedulerDriver({ kind, ...more }, { pcpus, vms }).runTo(until);

  const expectShares = (driver: SchedulerDriver, expected: number[]) => {
    for (const [vm, share] of driver.shares().entries()) {
      expect(share / expected[vm]).toBeGreaterThan(0.96);
      expect(share / expected[vm]).toBeLessThan(1.04);
    }
  };

  test('shares one pCPU by weight', () => {
    const vms = [{ weight: 256 }, { weight: 512 }, { weight: 768 }];
    expectShares(run(1, vms), [1 / 6, 2 / 6, 3 / 6]);
  });

  test('shares several pCPUs by weight, none above one pCPU', () => {
    const vms = [{ weight: 256 }, { weight: 256 }, { weight: 512 }, { weight: 1024 }];
    expectShares(run(2, vms), [1 / 8, 1 / 8, 2 / 8, 4 / 8]);
  });

  test('shares by weight between VMs of two vCPUs', () => {
    // In Xen 4.1 a VM counts with its weight once for each active vCPU.
    const vms = [
      { weight: 256, vcpus: 2 },
      { weight: 768, vcpus: 2 },
    ];
    expectShares(run(2, vms), [1 / 4, 3 / 4]);
  });

  test('shares each pCPU by weight when VMs are pinned in equal measure', () => {
    const vms = [
      { weight: 256, pin: [0] },
      { weight: 512, pin: [0] },
      { weight: 256, pin: [1] },
      { weight: 512, pin: [1] },
    ];
    expectShares(run(2, vms), [1 / 6, 2 / 6, 1 / 6, 2 / 6]);
  });

  test('leaves what a capped VM may not use to the others, by weight', () => {
    const others = [256, 256, 512, 512].map((weight) => ({ weight }));
    const driver = run(1, [{ weight: 1024, cap: 20 }, ...others]);
    expectShares(driver, [0.2, 0.8 / 6, 0.8 / 6, 1.6 / 6, 1.6 / 6]);
  });

  test('hands out the credits that a cap holds back in the same period', () => {
    const vms = [{ weight: 256 }, { weight: 512 }, { weight: 1024, cap: 20 }];
    const parking = {
      park: () => {},
      unpark: () => {},
      isParked: () => false,
      isBlocked: () => false,
    };
    const accounts = new CreditAccounts(run(1, vms, {}, 0), { period: 30e9 }, parking);
    for (const vcpu of [0, 1, 2]) accounts.activate(vcpu as VcpuId);
    // 300 credits: the capped VM gets 60 instead of 171, the others 80 and 160 instead of 43 and 86.
    accounts.charge(0 as VcpuId, 8 * MS);
    accounts.charge(1 as VcpuId, 16 * MS);
    accounts.charge(2 as VcpuId, 6.1 * MS);
    accounts.distribute();
    expect([...accounts.priority]).toEqual([Priority.Under, Priority.Under, Priority.Over]);
  });

  test.each([5, 10, 25, 50, 80])('holds a cap of %i per cent on an idle host', (cap) => {
    const driver = run(2, [{ cap }]);
    expect(driver.ranBy(0) / (20 * SECOND)).toBeCloseTo(cap / 100, 2);
  });

  test('holds the cap of a VM with two vCPUs', () => {
    const driver = run(4, [{ cap: 100, vcpus: 2 }, hog]);
    const used = driver.ranBy(0) / (20 * SECOND);
    expect(used).toBeGreaterThan(0.97);
    expect(used).toBeLessThan(1.02);
  });

  test('parks a capped vCPU and lets it run again', () => {
    const driver = new SchedulerDriver({ kind }, { pcpus: 1, vms: [{ cap: 25 }] });
    const parked = [10, 40, 70, 100, 130, 160].map((ms) => {
      driver.runTo(ms * MS);
      return driver.scheduler.isParked(0 as never);
    });
    // Debited 300 in the first period and given 75 at its end, it waits until it is out of debt.
    expect(parked).toEqual([false, true, true, true, false, true]);
  });

  test('keeps a capped VM parked while it sleeps and wakes', () => {
    const sleeper = { cap: 20, run: exponential(20 * MS), sleep: exponential(5 * MS) };
    const driver = run(1, [sleeper, hog]);
    expect(driver.ranBy(0) / (20 * SECOND)).toBeLessThan(0.22);
  });

  const wakeWaits = (more: object, others: VmPlan[] = [hog, hog]) => {
    const sleeper = { run: () => 100 * US, sleep: exponential(5 * MS) };
    const waits = run(1, [sleeper, ...others], more, 5 * SECOND).vcpus[0].wakeWaits.sort(
      (a, b) => a - b,
    );
    return { median: waits[waits.length >> 1], tail: waits[Math.floor(waits.length * 0.95)] };
  };

  test('gives a waking vCPU the pCPU within one IPI, thanks to boost', () => {
    expect(wakeWaits({})).toEqual({ median: IPI, tail: IPI });
  });

  test('makes a waking vCPU wait its turn without boost', () => {
    expect(wakeWaits({ boost: false }).median).toBeGreaterThan(5 * MS);
  });

  test('ends a boost at the next tick', () => {
    const waitOfWakeUpAt = (at: number) => {
      const sleeper = { run: () => 100 * US, sleep: () => at };
      const worker = { run: () => 25 * MS, sleep: () => SECOND };
      return run(1, [sleeper, worker], {}, 50 * MS).vcpus[0].wakeWaits[1];
    };
    // Both boosted, neither preempts the other; the tick at 10 ms demotes the one that runs.
    expect(waitOfWakeUpAt(5 * MS)).toBeGreaterThan(10 * MS);
    expect(waitOfWakeUpAt(15 * MS)).toBe(IPI);
  });

  test('gives no boost to a VM beyond its budget', () => {
    // It wants 70 % of a pCPU and is due a quarter: out of credits it waits behind the hogs.
    const greedy = { run: exponential(7 * MS), sleep: exponential(3 * MS) };
    const driver = run(1, [greedy, hog, hog, hog]);
    const waits = driver.vcpus[0].wakeWaits;
    // With boost at every wake-up none would wait, and it would get its 70 %.
    expect(waits.filter((wait) => wait > 10 * MS).length / waits.length).toBeGreaterThan(0.1);
    expectShares(driver, [1 / 4, 1 / 4, 1 / 4, 1 / 4]);
  });

  test('keeps a running vCPU until the rate limit', () => {
    const limited = wakeWaits({ ratelimit: '2ms' });
    expect(limited.tail).toBeGreaterThan(IPI);
    expect(limited.tail).toBeLessThanOrEqual(2 * MS + IPI);
  });

  describe('that moves preempted vCPUs away as Xen 4.3 to 4.6 did', () => {
    const sleeper = { run: () => 100 * US, sleep: exponential(5 * MS), pin: [0] };
    const waits = (more: object, pcpus = 2, other: VmPlan = { ...hog, pin: [0] }) =>
      run(pcpus, [sleeper, other], more, 2 * SECOND).vcpus[0].wakeWaits;
    const share = (long: number[]) => long.filter((wait) => wait > 5 * MS).length / long.length;
    const old = { boostPreempted: true };

    test('boosts the one that a pinned vCPU has preempted, and so lets it finish its turn', () => {
      expect(share(waits({}))).toBeLessThan(0.01); // once, while the hog has just started
      // At its next wake-up the hog has the same priority, unless a tick has come in between.
      expect(share(waits(old))).toBeGreaterThan(0.3);
    });

    test('overrules the rate limit', () => {
      const soon = (wait: number) => wait > 2 * IPI && wait <= 3 * MS;
      expect(waits({ ratelimit: '3ms' }).some(soon)).toBe(true);
      expect(waits({ ...old, ratelimit: '3ms' }).filter(soon).length).toBeLessThan(
        waits({ ratelimit: '3ms' }).filter(soon).length,
      );
    });

    test('does nothing while no other pCPU is idle', () => {
      expect(waits(old, 1)).toEqual(waits({}, 1));
    });

    test('moves the one that is not pinned to an idle pCPU', () => {
      expect(share(waits(old, 2, hog))).toBeLessThan(0.01);
    });

    test('boosts nobody where waking vCPUs are not boosted', () => {
      const expected = waits({ boost: false });
      expect(waits({ ...old, boost: false })).toEqual(expected);
    });
  });

  test('lets a vCPU that yields fall behind one of lower priority', () => {
    const spinner = { run: () => 1 * MS, sleep: () => MS, yields: 1 };
    const [yielding] = run(1, [spinner, hog]).shares();
    // Without the skip it would get its half: it stays within budget, the hog does not.
    expect(yielding).toBeLessThan(0.2);
  });

  test('moves a vCPU to an emptier socket', () => {
    const plan = {
      pcpus: 8,
      pcpusPerSocket: 4,
      vms: [0, 1, 2, 3].map((pcpu) => ({ pin: [pcpu === 0 ? 0 : pcpu, 4 + pcpu] })),
    };
    const driver = new SchedulerDriver({ kind }, plan).runTo(SECOND);
    const onFirst = driver.vcpus.filter((vcpu) => vcpu.pcpu < 4).length;
    expect(onFirst).toBeLessThan(4);
    expect(onFirst).toBeGreaterThan(0);
  });

  test.each(['500us', '2s'])('refuses a timeslice of %s as Xen does', (timeslice) => {
    expect(() => schedulers.schema.parse({ kind, timeslice })).toThrow('1ms to 1s');
  });
});

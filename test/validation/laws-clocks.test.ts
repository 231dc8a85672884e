import { describe, expect, it } from 'vitest';
import type { RecordReplay } from '../../src/cluster/fault-tolerance/record-replay-pair.ts';
import { runBaseline } from '../../src/scenario/baseline.ts';
import { buildSimulation, disposeOf } from '../../src/scenario/build.ts';
import { runScenario } from '../../src/scenario/run.ts';
import { inClocksOfVms, inOneClock } from '../../src/stats/clocks.ts';
import { LEAVES, Leaf } from '../../src/stats/leaves.ts';
import type { LedgerRow, RunResult } from '../../src/stats/result.ts';
import fc from '../support/property.ts';
import { pairScenario } from '../support/protected-pair.ts';
import { load, metric, type Overrides, run, runs } from '../support/scenarios.ts';

/** Hosts of unlike clocks in one scenario. */
const at = (clock: string, more: Overrides = {}): Overrides => ({
  ...{ processor: 'opteron-1354', cpu: { clock }, pcpus: 2, memory: '1GiB' },
  ...more,
});

/** Stores to a few pages all the time and computes; never asks what time it is. */
const WRITER: Overrides = {
  kind: 'synthetic',
  regions: [
    { name: 'text', kind: 'code', size: '64KiB', share: 1 },
    { name: 'hot', kind: 'anon', size: '256KiB', share: 1, stores: 0.5 },
  ],
  per1M: { mmap: { calls: 20, pages: 3, live: 4 } },
  visit: { instructions: 200 },
  hz: 0,
};
const SERVER: Overrides = {
  ...WRITER,
  hz: 250,
  requests: { arrivals: { kind: 'open', rate: '2000/s' }, instructions: 100_000 },
};

const two = (a: string, b: string, more: Overrides): Overrides => ({
  duration: '20ms',
  host: undefined,
  hosts: { a: at(a), b: at(b) },
  links: [{ name: 'wire', between: ['a', 'b'], bandwidth: '10Gb/s', latency: '20us' }],
  ...more,
});
const vm = (name: string, host: string, workload: Overrides, more: Overrides = {}): Overrides => ({
  ...{ name, host, memory: '16MiB', workload },
  ...more,
});
const move = (when: string, to: string, kind = 'vmotion-5'): Overrides => ({
  ...{ at: when, kind: 'migrate', vm: 'vm-0', to, link: 'wire' },
  policy: kind === 'post-copy' ? { kind } : { kind, goal: '2ms' },
});
const whole = (result: RunResult) => result.migrations!.filter(({ round }) => round === undefined);
const executed = (result: RunResult, name: string) =>
  (['user_instructions', 'visits', 'references', 'guest_faults', 'work'] as const).map((one) =>
    metric(result, one, name),
  );

/** Cycles of a VM and a leaf in the ledger, by host. */
const charged = (result: RunResult, host: string, name: string, leaf: string) =>
  result.ledger
    .filter((row) => row.host === host && row.vm === name && row.leaf === leaf)
    .reduce((sum, { cycles }) => sum + cycles, 0);

describe('hosts of unlike clocks', () => {
  it('have windows of the same time, each in cycles of its own', async () => {
    const vms = [vm('vm', 'a', WRITER), vm('other', 'b', SERVER)];
    const result = await run(two('2.2GHz', '2.3GHz', { warmup: '1ms', vms }));
    expect(result.hosts!.map(({ mhz }) => mhz)).toEqual([2200, 2300]);
    expect([result.mhz, result.windowCycles]).toEqual([2200, 19_000 * 2200]);
    for (const [host, mhz] of [
      ['a', 2200],
      ['b', 2300],
    ] as const) {
      for (const pcpu of [0, 1]) {
        const rows = result.ledger.filter((row) => row.host === host && row.pcpu === pcpu);
        expect(rows.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(19_000 * mhz);
      }
    }
    expect(metric(result, 'elapsed_cycles', 'vm-0')).toBe(19_000 * 2200);
    expect(metric(result, 'elapsed_cycles', 'other-0')).toBe(19_000 * 2300);
  });

  it('whose clocks have no edge at that of the window begin with the next one', async () => {
    // 1001 ns are 2302.3 cycles, and 5000 ns 11500.
    const vms = [vm('vm', 'b', WRITER)];
    const result = await run(
      two('2.2GHz', '2.3GHz', { duration: '5us', warmup: '1001ns', vms, output: {} }),
    );
    const elapsed = result.metrics.filter(
      ({ scope, metric: name }) => scope === 'host' && name === 'elapsed_cycles',
    );
    // 2202.2 of the first one.
    expect(elapsed.map(({ value }) => value)).toEqual([11000 - 2203, 11500 - 2303]);
  });

  it('that share a link and nothing else do not feel how fast the other is', async () => {
    const vms = [vm('vm', 'a', SERVER), vm('other', 'b', SERVER)];
    const single = (clock: string) => ({
      hosts: { a: at('2.2GHz', { pcpus: 1 }), b: at(clock, { pcpus: 1 }) },
      vms,
    });
    const [first, ...others] = await Promise.all(
      ['2.2GHz', '2.3GHz', '4.4GHz'].map((clock) => run(two('', '', single(clock)))),
    );
    const own = ({ metrics, ledger, latencies }: RunResult) =>
      [metrics, ledger, latencies].map((rows) => rows.filter(({ host }) => host === 'a'));
    for (const other of others) expect(own(other)).toEqual(own(first!));
    // The other one computes the same, with more time left.
    const idle = [first!, ...others].map((result) => charged(result, 'b', 'host', 'idle'));
    expect(idle[1]).toBeGreaterThan(idle[0]!);
    expect(idle[2]).toBeGreaterThan(idle[1]!);
  });
});

describe('a VM that moves to a host of another clock', () => {
  const there = { ...{ duration: 'work' }, vms: [vm('vm', 'a', { ...WRITER, work: 60 })] };

  it.each([
    ['2.2GHz', '2.6GHz', 'vmotion-5'],
    ['2.6GHz', '2.2GHz', 'post-copy'],
  ])('and back executes what it does without: %s, %s, %s', async (a, b, kind) => {
    const events = [move('1ms', 'b', kind), move('25ms', 'a', kind)];
    const still = await run(two(a, b, there));
    const [once, again] = [
      await run(two(a, b, { ...there, events })),
      await run(two(a, b, { ...there, events })),
    ];
    expect(again).toEqual(once);
    expect(whole(once).map(({ from, to, outcome }) => [from, to, outcome])).toEqual([
      ['a', 'b', 'moved'],
      ['b', 'a', 'moved'],
    ]);
    expect(executed(once, 'vm-0')).toEqual(executed(still, 'vm-0'));
    // Its own instructions take as many cycles, wherever they are executed.
    const user = (result: RunResult) =>
      ['a', 'b'].map((host) => charged(result, host, 'vm-0', 'guest.user'));
    const [onA, onB] = user(once) as [number, number];
    expect(onA).toBeGreaterThan(0);
    expect(onB).toBeGreaterThan(0);
    expect(onA + onB).toBe(user(still)[0]);
    // Its row is in cycles of the host where it ends, the time elsewhere included.
    const ratio = Number.parseFloat(a) / Number.parseFloat(b);
    const own = once.vms[0]!;
    expect(own.host).toBe('a');
    expect(Math.abs(own.ledger['guest.user']! - (onA + onB * ratio))).toBeLessThan(2);
    const states = Object.entries(own.metrics).filter(([name]) =>
      /^(?:running|ready|blocked|costopped|parked|paused|off)_cycles$/.test(name),
    );
    const sum = states.reduce((all, [, cycles]) => all + cycles!, 0);
    expect(sum).toBe(own.metrics.elapsed_cycles);
    const leaves = Object.values(own.ledger).reduce((all, cycles) => all + cycles, 0);
    expect(leaves).toBe(own.metrics.running_cycles);
    // Sums over both hosts weigh what is on each.
    const cyclesIn = (rows: readonly LedgerRow[]) =>
      rows.filter((row) => row.vm === 'vm-0').reduce((all, { cycles }) => all + cycles, 0);
    expect(cyclesIn(inClocksOfVms(once, once.vms))).toBeCloseTo(own.metrics.running_cycles!, -1);
    expect(cyclesIn(inOneClock(once))).toBeCloseTo(own.metrics.running_cycles!, -1);
    expect(cyclesIn(once.ledger)).not.toBeCloseTo(own.metrics.running_cycles!, -3);
  });

  it('is compared with itself alone and native on the host where it ends', async () => {
    const scenario = load(two('2.2GHz', '2.6GHz', { ...there, events: [move('1ms', 'b')] }));
    const result = await runBaseline(scenario, await runScenario(scenario));
    const { slowdown, overhead } = result.vms[0]!.metrics;
    expect(result.vms[0]!.host).toBe('b');
    expect(overhead).toBeGreaterThan(1);
    expect(overhead).toBeLessThan(1.3);
    expect(slowdown).toBeGreaterThanOrEqual(overhead!);
  });

  it('balances its bytes, and stands still for what the last round takes', async () => {
    const xen = { ...move('1ms', 'b'), policy: { kind: 'xen-3', rounds: 3 } };
    const result = await run(two('2.2GHz', '2.6GHz', { ...there, events: [xen] }));
    const [row] = whole(result);
    const rounds = result.migrations!.filter(({ round }) => round !== undefined);
    expect(row!.bytes).toBe(rounds.reduce((sum, { bytes }) => sum + bytes, 0));
    const wire = ((rounds.at(-1)!.pages * 4096 * 8) / 10e9) * 2.2e9;
    expect(rounds.at(-1)!.pages).toBeGreaterThanOrEqual(64);
    expect(row!.downtimeCycles).toBeGreaterThan(wire);
    // Paused in cycles of the target, stopped in those of the first host.
    const paused = metric(result, 'paused_cycles', 'vm-0') * (2200 / 2600);
    expect(Math.abs(paused - row!.downtimeCycles)).toBeLessThan(20_000);
  });

  it('keeps its clock: it ticks as often, and its clients wait no longer', async () => {
    const vms = [vm('vm', 'a', { ...SERVER, hz: 1000 })];
    const events = [move('2ms', 'b')];
    const arms = await Promise.all(
      [[], events].map((list) =>
        run(two('2.2GHz', '2.5GHz', { duration: '60ms', vms, events: list })),
      ),
    );
    const [stays, moves] = arms as [RunResult, RunResult];
    expect(whole(moves)[0]!.outcome).toBe('moved');
    const ticks = (result: RunResult) => metric(result, 'timer_ticks', 'vm-0');
    expect(Math.abs(ticks(moves) - ticks(stays))).toBeLessThanOrEqual(3);
    const arrived = (result: RunResult) => metric(result, 'requests_arrived', 'vm-0');
    expect(arrived(moves)).toBe(arrived(stays));
    expect(metric(moves, 'requests', 'vm-0')).toBeGreaterThan(
      0.95 * metric(stays, 'requests', 'vm-0'),
    );
    // It reads a clock that is not the host's: the hypervisor answers.
    const reads = ({ exits }: RunResult) =>
      exits.reduce((sum, { count, reason }) => sum + (reason === 'ioio' ? count : 0), 0);
    expect(reads(moves)).toBeGreaterThan(reads(stays));
  });
});

describe('a protected VM', () => {
  /** Computes; a timer interrupt each millisecond is all that the log tells. */
  const BUSY = { kind: 'tlb-thrash', pages: 8, instructions: 20_000, hz: 1000 };
  /** A hundredth of the product's times: more than 8 ms of lag is too much, 10 % less each 100 ms. */
  const timed = { timeScale: 0.01, logTimeout: '800s', hostTimeout: '200s' };

  /** Lag in ms each 5 ms of so many, and instructions of both copies so far. */
  function follow(a: string, b: string, ms: number, params: Overrides) {
    const scenario = pairScenario({
      workload: BUSY,
      params: { ...timed, ...params },
      memory: '32MiB',
    });
    const simulation = buildSimulation(load({ ...scenario, hosts: { a: at(a), b: at(b) } }));
    try {
      const { engine, protections, mhz, hosts } = simulation;
      const { pair } = protections[0] as RecordReplay;
      const looks: { lag: number; limit: number; done: number[] }[] = [];
      for (let time = 5; time <= ms; time += 5) {
        engine.run(time * mhz * 1000);
        const done = hosts.map(({ hypervisor }, i) => hypervisor.ledger.countSoFar(i, 0));
        const { lag } = pair.primary!;
        looks.push({ lag: lag / mhz / 1000, limit: pair.control.limit, done });
      }
      return looks;
    } finally {
      disposeOf(simulation);
    }
  }

  const ratio = ({ done }: { done: number[] }) => done[1]! / done[0]!;
  const rate = (looks: ReturnType<typeof follow>) => {
    const [from, to] = [looks.at(-21)!, looks.at(-1)!];
    return (to.done[0]! - from.done[0]!) / (to.done[1]! - from.done[1]!);
  };

  it('on a slower host falls behind, and the product slows the primary as it did', () => {
    const looks = follow('2.6GHz', '2.2GHz', 300, {});
    // Unhindered, the second copy executes 85 % of what the first does.
    const before = looks[5]!;
    expect(before.limit).toBe(1);
    expect(before.lag).toBeGreaterThan(30 * (1 - 2.2 / 2.6) - 1.1);
    expect(before.lag).toBeLessThan(30 * (1 - 2.2 / 2.6) + 3.1);
    // Continuous arithmetic of its rule: 0.8 s at 0.9 of the speed, 1.9 s at 0.8.
    const peak = Math.max(...looks.map(({ lag }) => lag));
    expect(peak).toBeGreaterThan(8);
    expect(peak).toBeLessThan(19);
    expect(looks.at(-1)!.limit).toBeCloseTo(0.729);
    expect(looks.at(-1)!.lag).toBeLessThan(peak / 2);
    expect(ratio(looks.at(-1)!)).toBeGreaterThan(ratio(before) + 0.1);
  });

  it('on a slower host gets as fast as that with a proportional control', () => {
    const looks = follow('2.6GHz', '2.2GHz', 200, { lagControl: { kind: 'proportional' } });
    expect(rate(looks)).toBeCloseTo(1, 1);
    expect(Math.abs(looks.at(-1)!.limit - 2.2 / 2.6)).toBeLessThan(0.03);
    for (const { lag } of looks.slice(20)) expect(lag).toBeLessThan(4);
  });

  it('on a faster host is followed closely, and on an equal one', () => {
    for (const secondary of ['2.2GHz', '2.6GHz']) {
      const looks = follow('2.2GHz', secondary, 100, {});
      expect(looks.at(-1)!.limit).toBe(1);
      // A timer interrupt each millisecond, and the one before that is not known in whole yet.
      for (const { lag } of looks) expect(lag).toBeLessThan(3.2);
    }
  });

  const web = (a: string, b: string): Overrides => ({
    ...pairScenario({ workload: SERVER, params: { timeScale: 0.005 }, memory: '32MiB' }),
    hosts: { a: at(a), b: at(b) },
    duration: '60ms',
  });

  it('executes on both hosts in the same cycles of its own', () => {
    const simulation = buildSimulation(load(web('2.3GHz', '2.2GHz')));
    try {
      const { engine, hosts, members, protections, mhz } = simulation;
      const { pair } = protections[0] as RecordReplay;
      const marks = [new Map<number, number[]>(), new Map<number, number[]>()];
      for (const [i, { kernel: guest, vcpu }] of members.entries()) {
        const { hypervisor, machine } = hosts[i]!;
        const interrupt = guest.interrupt.bind(guest);
        guest.interrupt = (cpu, vectors) => {
          const core = machine.cores[vcpu.pcpu]!;
          core.settle();
          hypervisor.ledger.drain(core);
          const spent = [Leaf.GuestUser, Leaf.GuestKernel].map((leaf) =>
            machine.cores.reduce(
              (sum, { id }) => sum + hypervisor.ledger.of(id)[vcpu.vm.id * LEAVES + leaf]!,
              0,
            ),
          );
          marks[i]!.set(guest.steps, spent);
          interrupt(cpu, vectors);
        };
      }
      engine.run(40 * mhz * 1000);
      expect(pair.state).toBe('running');
      const both = [...marks[0]!].filter(([steps]) => marks[1]!.has(steps));
      expect(both.length).toBeGreaterThan(10);
      for (const [steps, spent] of both) expect(marks[1]!.get(steps)).toEqual(spent);
    } finally {
      disposeOf(simulation);
    }
  });

  it.each([
    ['2.2GHz', '2.5GHz'],
    ['2.5GHz', '2.2GHz'],
  ])('is taken over on a host of another clock with all its clients: %s, %s', async (a, b) => {
    const events = [{ at: '20ms', kind: 'fail', host: 'a' }];
    const [once, again] = [
      await run({ ...web(a, b), events }),
      await run({ ...web(a, b), events }),
    ];
    expect(again).toEqual(once);
    const rows = once.faultTolerance!;
    const when = (state: string) =>
      rows.find((row) => row.state === state)!.cycle / once.mhz / 1000;
    expect(when('go-live')).toBeGreaterThan(29);
    expect(when('go-live')).toBeLessThan(31);
    expect(when('alone')).toBeLessThan(47);
    const { served, unfinished } = once.vms[0]!.requests!;
    expect(served.length).toBeGreaterThan(80);
    expect(Math.max(0, ...unfinished)).toBeLessThan(8e6);
    // From then on it is as quick as before: the last answers wait for nothing.
    expect(served[Math.floor(served.length / 4)]).toBeLessThan(3e6);
  });
});

describe('with any clocks', () => {
  const clock = fc.integer({ min: 1500, max: 3200 }).map((mhz) => `${mhz}MHz`);
  it('every account balances, and a run is the same twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(clock, { minLength: 2, maxLength: 3 }),
        fc.integer({ min: 1, max: 3_999_999 }),
        fc.boolean(),
        fc.constantFrom('vmotion-5', 'post-copy'),
        async (clocks, ns, linked, kind) => {
          const names = ['a', 'b', 'c'].slice(0, clocks.length);
          const scenario: Overrides = {
            duration: `${8_000_000 + ns}ns`,
            warmup: `${ns}ns`,
            host: undefined,
            hosts: Object.fromEntries(names.map((name, i) => [name, at(clocks[i]!)])),
            ...(linked && {
              links: [{ name: 'wire', between: ['a', 'b'], bandwidth: '10Gb/s', latency: '3us' }],
              events: [move('333333ns', 'b', kind), move('6ms', 'a', kind)],
            }),
            vms: names.map((host, i) => vm(i === 0 ? 'vm' : `${host}s`, host, SERVER)),
          };
          // Cycles that do not add up to the window of their host throw.
          const once = await run(scenario);
          for (const { metrics, ledger } of once.vms) {
            const leaves = Object.values(ledger).reduce((sum, cycles) => sum + cycles, 0);
            expect(leaves).toBe(metrics.running_cycles);
          }
          for (const [i, name] of names.entries()) {
            const { value } = once.metrics.find(
              ({ scope, id, metric: one }) =>
                scope === 'host' && id === name && one === 'elapsed_cycles',
            )!;
            expect(Math.abs(value - 8000 * Number.parseInt(clocks[i]!, 10))).toBeLessThanOrEqual(1);
          }
          expect(await run(scenario)).toEqual(once);
        },
      ),
      { numRuns: runs(6) },
    );
  });
});

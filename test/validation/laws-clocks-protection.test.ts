import { describe, expect, it } from 'vitest';
import { migrationBill, protectionBill } from '../../src/explain/moving.ts';
import { type Observer, silent } from '../../src/observe/observer.ts';
import { runScenario } from '../../src/scenario/run.ts';
import type { RunResult } from '../../src/stats/result.ts';
import { load, metric, type Overrides, run } from '../support/scenarios.ts';

/** Protected VMs on hosts of unlike clocks: by checkpoints, and with a copy that is made as they run. */
const SERVER = {
  kind: 'synthetic',
  hz: 1000,
  regions: [
    { name: 'text', kind: 'code', size: '128KiB', share: 1 },
    { name: 'heap', kind: 'anon', size: '600KiB', share: 1, stores: 0.3 },
  ],
  ioLatency: '50us',
  requests: {
    arrivals: { kind: 'open', rate: '3000/s' },
    ...{ instructions: 20_000, syscalls: { other: 3 }, ioProbability: 0.5, ioWrites: 0.5 },
    responseBytes: 9000,
  },
};

/** A server on the first of some hosts, each with a wire and a disk for all VMs. */
const guarded = (
  clocks: Readonly<Record<string, string>>,
  faultTolerance: Overrides,
  more: Overrides = {},
): Overrides => {
  const names = Object.keys(clocks);
  const host = (clock: string) => ({
    ...{ processor: 'opteron-1354', cpu: { clock }, pcpus: 2, memory: '256MiB' },
    network: { bandwidth: '1Gb/s' },
    disk: { bandwidth: '4Gb/s', serviceTime: '5us' },
  });
  const hosts = Object.fromEntries(names.map((name) => [name, host(clocks[name]!)]));
  const links = names.flatMap((one, i) =>
    names.slice(i + 1).map((other) => ({
      ...{ name: `${one}${other}`, between: [one, other], bandwidth: '10Gb/s', latency: '20us' },
    })),
  );
  return {
    ...{ host: undefined, hosts, links, duration: '30ms', hypervisor: { profile: 'esx-4' } },
    vms: [{ ...{ name: 'vm', host: 'a', memory: '32MiB', workload: SERVER }, faultTolerance }],
    ...more,
  };
};

const REMUS = {
  ...{ kind: 'checkpoint', secondary: 'b', link: 'ab', policy: { kind: 'remus', interval: '5ms' } },
  ...{ timeScale: 0.1, clientRetransmit: '20ms' },
};
const VSPHERE_6 = { ...REMUS, policy: { kind: 'vsphere-6', hostTimeout: '25ms' } };
const LOG = {
  ...{ kind: 'record-replay', secondary: 'b', link: 'ab', timeScale: 0.001, goLive: '500us' },
};

const mhzOf = ({ hosts }: RunResult, host: string) => hosts!.find(({ name }) => name === host)!.mhz;

/** What must hold of every such run that measures the last `ms`. */
function expectSound(result: RunResult, ms: number, end = ms): void {
  for (const { name, mhz } of result.hosts!) {
    const of = (one: string) =>
      result.metrics.find((row) => row.host === name && row.scope === 'host' && row.metric === one)!
        .value;
    expect(Math.abs(of('elapsed_cycles') - ms * mhz * 1000)).toBeLessThanOrEqual(1);
    for (const pcpu of [0, 1]) {
      const rows = result.ledger.filter((row) => row.host === name && row.pcpu === pcpu);
      expect(rows.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(of('elapsed_cycles'));
    }
    // A byte takes 8 ns on its wire, in cycles of that host; one answer may be cut short.
    const wire = (of('network_out_bytes') * 8 * mhz) / 1000;
    expect(Math.abs(of('network_out_cycles') - wire)).toBeLessThan(0.01 * wire + 80 * mhz);
  }
  for (const { ledger, metrics } of result.vms) {
    const leaves = Object.values(ledger).reduce((sum, cycles) => sum + cycles, 0);
    expect(Math.abs(leaves - metrics.running_cycles!)).toBeLessThanOrEqual(1);
  }
  for (const { cycle } of result.faultTolerance!) {
    expect(cycle).toBeLessThanOrEqual(end * result.mhz * 1000);
  }
}

const statesOf = ({ faultTolerance = [] }: RunResult): string[] =>
  faultTolerance
    .map(({ state }) => (state === 'lagging' ? 'running' : state))
    .filter((state, i, all) => state !== all[i - 1]);

const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

const MEASURED = ['ft_lag_mean_ns', 'ft_hold_mean_ns', 'answer_gap_max_ns'] as const;
const measured = (result: RunResult) => MEASURED.map((name) => metric(result, name, 'vm-0'));

describe('a VM with checkpoints on another host', () => {
  const pairOf = (a: string, b: string, protection: Overrides, more: Overrides = {}) =>
    run(guarded({ a, b }, protection, more));

  it('of another clock waits as long as with one of the same, in ns', async () => {
    const warmup = { warmup: '10ms', duration: '40ms' };
    const [same, ...others] = await Promise.all(
      [
        ['2.2GHz', '2.2GHz'],
        ['2.2GHz', '2.3GHz'],
        ['2.3GHz', '2.2GHz'],
      ].map(([a, b]) => pairOf(a!, b!, REMUS, warmup)),
    );
    const [lag, hold, gap] = measured(same!);
    // The VM is behind by what it executes in an epoch or two; an output waits for half of one.
    expect(lag).toBeLessThan(6e6);
    expect(hold).toBeGreaterThan(2.5e6);
    expect(hold).toBeLessThan(5.5e6);
    expect(gap).toBeGreaterThan(4.5e6);
    expect(gap).toBeLessThan(8e6);
    for (const other of others) {
      expectSound(other, 30, 40);
      expect(statesOf(other)).toEqual(['running']);
      for (const [i, value] of measured(other).entries()) {
        expect(Math.abs(value / measured(same!)[i]! - 1)).toBeLessThan(0.12);
      }
      const epochs = other.faultTolerance!.flatMap(({ epochCycles }) => epochCycles ?? []);
      expect(mean(epochs) / other.mhz / 1000).toBeCloseTo(5, 1);
      const pauses = other.faultTolerance!.flatMap(({ pauseCycles }) => pauseCycles ?? []);
      // That is held in cycles of its host, and told in those of the first, which it is.
      const held = metric(other, 'paused_cycles', 'vm-0');
      expect(held).toBeGreaterThan(0.6 * mean(pauses) * 6);
      expect(held).toBeLessThan(1.5 * mean(pauses) * 6);
    }
  });

  it.each([
    ['2.2GHz', '2.3GHz', 'remus', REMUS],
    ['2.3GHz', '2.2GHz', 'vsphere-6', VSPHERE_6],
  ])('of another clock goes on there when the first is lost: %s, %s, %s', async (a, b, _, how) => {
    const more = {
      ...{ duration: '90ms', events: [{ at: '20ms', kind: 'fail', host: 'a' }] },
      output: { timeseries: '10ms' },
    };
    const [once, again] = [await pairOf(a, b, how, more), await pairOf(a, b, how, more)];
    expect(again).toEqual(once);
    expectSound(once, 90);
    expect(statesOf(once)).toEqual(['running', 'go-live', 'alone']);
    const live = once.faultTolerance!.find(({ state }) => state === 'alone')!;
    const at = live.cycle / once.mhz / 1000;
    expect(at).toBeGreaterThan(22);
    expect(at).toBeLessThan(55);
    const { served, unfinished } = once.vms[0]!.requests!;
    // 3000 a second, as many after the loss as before.
    expect(served.length).toBeGreaterThan(200);
    expect(Math.max(0, ...unfinished)).toBeLessThan(8e6);
    const second = once.vms.find(({ vm }) => vm === 'vm-0/secondary')!;
    expect(second.host).toBe('b');
    expect(second.metrics.running_cycles).toBeGreaterThan(0);
    // The first answer after the loss is the end of the gap.
    const gap = metric(once, 'answer_gap_max_ns', 'vm-0') / 1e6;
    expect(gap).toBeGreaterThan(at - 20);
    expect(gap).toBeLessThan(at - 20 + 25);
  });

  it('of another clock ticks there at the rate that its guest has measured before', async () => {
    const busy = { kind: 'tlb-thrash', pages: 8, instructions: 20_000, hz: 1000 };
    const vm = { name: 'vm', host: 'a', memory: '32MiB', workload: busy, faultTolerance: REMUS };
    const result = await pairOf('2.6GHz', '2.0GHz', REMUS, {
      ...{ duration: '80ms', vms: [vm] },
      // Late enough: a time of the guest, taken for one of this host, would be 12 ms off.
      events: [{ at: '40ms', kind: 'fail', host: 'a' }],
    });
    const live = result.faultTolerance!.find(({ state }) => state === 'alone')!;
    const ms = 80 - live.cycle / result.mhz / 1000;
    const ticks = metric(result, 'timer_ticks', 'vm-0/secondary');
    expect(ms).toBeGreaterThan(20);
    expect(Math.abs(ticks - ms)).toBeLessThan(2);
    // It reads a clock that is not the host's: the hypervisor answers.
    const reads = result.exits.filter(({ host, reason }) => host === 'b' && reason === 'ioio');
    expect(reads[0]!.count).toBeGreaterThan(ticks / 2);
  });
});

describe('a second copy that is made on a host of another clock', () => {
  const clocks = [
    { a: '2.2GHz', b: '2.3GHz', c: '2.4GHz' },
    { a: '2.4GHz', b: '2.3GHz', c: '2.2GHz' },
  ];
  const both = {
    events: [
      { at: '5ms', kind: 'fail', host: 'a' },
      { at: '18ms', kind: 'fail', host: 'b' },
    ],
  };

  it.each(clocks)(
    'takes over when the host of the first one is lost too: $a, $b, $c',
    async (all) => {
      const once = await run(guarded(all, LOG, both));
      expect(await run(guarded(all, LOG, both))).toEqual(once);
      expectSound(once, 30);
      const taken = ['go-live', 'alone'];
      expect(statesOf(once)).toEqual(['running', ...taken, 'cloning', 'running', ...taken]);
      const whole = once.migrations!.find(({ round }) => round === undefined)!;
      expect([whole.from, whole.to, whole.outcome]).toEqual(['b', 'c', 'cloned']);
      const { served, unfinished } = once.vms[0]!.requests!;
      expect(served.length).toBeGreaterThan(50);
      expect(Math.max(0, ...unfinished)).toBeLessThan(5e6);
      const lag = metric(once, 'ft_lag_max_ns', 'vm-0');
      expect(lag).toBeLessThan(4e6);
      expect(metric(once, 'ft_hold_mean_ns', 'vm-0')).toBeGreaterThan(40e3);
      expect(metric(once, 'ft_hold_mean_ns', 'vm-0')).toBeLessThan(1e6);
      // Time on c is that from its arrival on.
      const { off_cycles: off = 0, elapsed_cycles: elapsed = 0 } = once.vms.find(
        ({ vm }) => vm === 'vm-0/secondary-2',
      )!.metrics;
      const arrived = (whole.cycle + whole.cycles) / once.mhz / 1000;
      expect(elapsed).toBe(30 * mhzOf(once, 'c') * 1000);
      expect(off / mhzOf(once, 'c') / 1000).toBeCloseTo(arrived, 0);
    },
  );

  it('shows in traces and bills in one clock', async () => {
    const [all] = clocks as [(typeof clocks)[0], ...typeof clocks];
    const spans: { what: string; from: number; to: number }[] = [];
    const observer: Observer = {
      ...silent,
      onSpan: (_lane, what, from, to) => void spans.push({ what, from, to }),
    };
    const scenario = load(guarded(all, LOG, { events: both.events.slice(0, 1) }));
    const result = await runScenario(scenario, { observer });
    const end = 30 * result.mhz * 1000;
    for (const { from, to } of spans) {
      expect(from).toBeLessThanOrEqual(to);
      expect(to).toBeLessThanOrEqual(end + 1);
    }
    const whole = result.migrations!.find(({ round }) => round === undefined)!;
    const span = spans.find(({ what }) => what === 'b to c: cloned')!;
    expect(span.from).toBe(whole.cycle);
    expect(Math.abs(span.to - whole.cycle - whole.cycles)).toBeLessThanOrEqual(1);
    const alone = result.faultTolerance!.find(({ state }) => state === 'alone')!;
    expect(spans.some(({ what, from }) => what === 'secondary alone' && from === alone.cycle)).toBe(
      true,
    );
    // A bill has one clock too: threads of all hosts in cycles of the host of the VM.
    const paging = { now: 'shadow', usual: 'nested' };
    const { elsewhere } = protectionBill(result, 'vm-0', result, undefined, paging);
    for (const { cycles, host } of elsewhere.threads) {
      const own = result.ledger
        .filter((row) => row.host === host && row.leaf === 'host' && row.detail === 'ft')
        .reduce((sum, row) => sum + row.cycles, 0);
      const there = (own * mhzOf(result, result.vms[0]!.host!)) / mhzOf(result, host);
      expect(Math.abs(cycles - there)).toBeLessThan(1);
    }
    expect(migrationBill(result, 'vm-0', result).moving.added).toBe(0);
  });
});

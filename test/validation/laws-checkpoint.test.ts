import { describe, expect, it } from 'vitest';
import type { Checkpointing } from '../../src/cluster/fault-tolerance/checkpoint/checkpointing.ts';
import { sentAgain } from '../../src/cluster/fault-tolerance/checkpoint/standby-vm.ts';
import { Runstate } from '../../src/hypervisor/vm.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import type { FaultToleranceRow } from '../../src/stats/result.ts';
import { tablesOf } from '../support/guest-tables.ts';
import { checkpointedPair, loseHost, pairScenario } from '../support/protected-pair.ts';
import { metric, type Overrides, run } from '../support/scenarios.ts';

/** A VM that is protected by checkpoints, and its second copy, on two simulated hosts. */
const MS = 2_200_000;
/** Silence of 10 ms instead of 125 ms. */
const fast = { timeScale: 0.08 };
const web = { kind: 'web-server' };
/** Answers of some packets, and few pages that are stored to. */
const small = (rate: string, instructions = 20_000): Overrides => ({
  kind: 'synthetic',
  hz: 100,
  regions: [
    { name: 'text', kind: 'code', size: '64KiB', share: 1 },
    { name: 'heap', kind: 'anon', size: '128KiB', share: 1, stores: 0.3 },
  ],
  requests: {
    arrivals: { kind: 'open', rate },
    instructions,
    syscalls: { other: 2 },
    ioProbability: 0,
    responseBytes: 3000,
  },
});

type Row = FaultToleranceRow & { readonly dirtyPages: number };
const checkpointsOf = ({ rows }: Checkpointing): readonly Required<Row>[] =>
  rows.filter((row): row is Required<Row> => row.dirtyPages !== undefined);
const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describe('a VM with a checkpoint every 25 ms', () => {
  const params = { policy: { kind: 'remus' } };
  const options = { workload: small('2000/s'), params, bandwidth: '10Gb/s' };
  const { rows, hold, sent, acks, held, paused, standby } = checkpointedPair(
    options,
    ({ engine, links, members }, pair) => {
      engine.run(300 * MS);
      const { outputs } = pair.pair.primary!;
      return {
        rows: checkpointsOf(pair),
        hold: outputs.heldCycles / outputs.released,
        held: outputs.released,
        sent: links[0]!.sentBy(0).sent,
        acks: links[0]!.sentBy(1).sent,
        paused: members[0]!.vcpu.statesAt(300 * MS)[Runstate.Paused]!,
        standby: members[1]!,
      };
    },
  );

  it('makes outputs wait for half an epoch, the way over the link, and back', () => {
    expect(held).toBeGreaterThan(100);
    // The pause, the pages at the speed of the sender's network stack, there and back.
    const ship = (row: Required<Row>) => row.pauseCycles + row.checkpointBytes + 150 * 2200;
    const expected = mean(rows.map((row) => row.epochCycles / 2 + ship(row)));
    expect(hold / expected).toBeGreaterThan(0.75);
    expect(hold / expected).toBeLessThan(1.25);
  });

  it('has epochs of that length, the pages of each on the link, and nothing else', () => {
    expect(rows.length).toBeGreaterThan(9);
    for (const { epochCycles } of rows) expect(epochCycles / MS).toBeCloseTo(25, 1);
    for (const { checkpointBytes, dirtyPages } of rows) {
      expect(checkpointBytes).toBe(dirtyPages * (4096 + 8) + 12_288);
    }
    const checkpoints = rows.reduce((sum, { checkpointBytes }) => sum + checkpointBytes, 0);
    // Heartbeats, every 12.5 ms; the last checkpoint may be on its way.
    expect(sent - checkpoints).toBeGreaterThanOrEqual(23 * 90);
    expect(sent - checkpoints).toBeLessThan(25 * 90 + rows.at(-1)!.checkpointBytes * 1.5);
    expect(acks).toBeGreaterThanOrEqual(rows.length * 90);
    expect(acks).toBeLessThan(checkpoints / 50);
  });

  it('is stopped for each of them, longer for more pages, and its copy for all the time', () => {
    const stopped = rows.reduce((sum, { pauseCycles }) => sum + pauseCycles, 0);
    expect(paused).toBeGreaterThanOrEqual(stopped);
    // The way into the hold and out of it comes on top.
    expect(paused).toBeLessThan(1.2 * stopped + 0.2 * MS);
    expect(standby.vcpu.statesAt(standby.vcpu.since)[Runstate.Running]).toBe(0);
    expect(standby.kernel.steps).toBe(0);
  });
});

describe('more pages', () => {
  it('stop the VM for longer', () => {
    const points = [8, 128, 512].map((pages) => {
      const workload = { kind: 'page-fault-loop', pages, hz: 100 };
      return checkpointedPair({ workload, bandwidth: '10Gb/s' }, ({ engine }, pair) => {
        engine.run(110 * MS);
        const rows = checkpointsOf(pair).slice(1);
        const pause = mean(rows.map((row) => row.pauseCycles));
        return { pages: mean(rows.map((row) => row.dirtyPages)), pause };
      });
    });
    const [few, some, many] = points as [(typeof points)[0], ...typeof points];
    expect(some!.pages).toBeGreaterThan(few.pages + 60);
    expect(many!.pages).toBeGreaterThan(some!.pages + 200);
    const perPage = (many!.pause - few.pause) / (many!.pages - few.pages);
    // 64 lines of 64 cycles, 500 for the page, and what the log takes to be read.
    expect(perPage).toBeGreaterThan(64 * 64 + 500);
    expect(perPage).toBeLessThan(1.2 * (64 * 64 + 500));
  });
});

describe('a guest that takes its time to suspend', () => {
  it('is stopped for so much longer at each checkpoint of Remus, and 1 ms if nothing is said', () => {
    const workload = { kind: 'page-fault-loop', pages: 8, hz: 100 };
    const [none, usual, long] = [{ suspend: '0us' }, {}, { suspend: '4ms' }].map((said) => {
      const params = { policy: { kind: 'remus', interval: '10ms', ...said } };
      return checkpointedPair({ workload, params, bandwidth: '10Gb/s' }, ({ engine }, pair) => {
        engine.run(60 * MS);
        return mean(checkpointsOf(pair).map(({ pauseCycles }) => pauseCycles)) / MS;
      });
    }) as [number, number, number];
    expect(usual - none).toBeCloseTo(1, 1);
    expect(long - none).toBeCloseTo(4, 1);
  });
});

describe('a host is lost', () => {
  /** What the primary was like at each checkpoint. */
  function watch(simulation: Simulation) {
    const states = new Map<number, readonly string[]>();
    const { hosts, members } = simulation;
    const { pause } = hosts[0]!.hypervisor;
    hosts[0]!.hypervisor.pause = (vm, held) =>
      pause.call(hosts[0]!.hypervisor, vm, (now) => {
        if (vm === members[0]!.vm) {
          states.set(members[0]!.kernel.steps, tablesOf(simulation));
        }
        held?.(now);
      });
    return states;
  }

  it('and the second copy goes on from the last checkpoint: clients notice a gap', () => {
    const options = { workload: web, params: fast, bandwidth: '10Gb/s' };
    checkpointedPair(options, (simulation, pair) => {
      const { engine, members } = simulation;
      const [primary, secondary] = members as [(typeof members)[0], (typeof members)[0]];
      const states = watch(simulation);
      const requests = primary.requests!;
      engine.run(110 * MS);
      const before = requests.finishedBy(110 * MS);
      loseHost(simulation, pair, 0);
      const { committed } = pair.pair.secondary!;
      expect(committed.epoch).toBeGreaterThan(1);
      expect(primary.kernel.steps).toBeGreaterThan(committed.image.position.steps);
      while (pair.pair.state !== 'alone') engine.run(engine.now + 1000);
      // Its program has come to there, with the tables that the primary had then.
      expect(secondary.kernel.steps).toBe(committed.image.position.steps);
      expect(tablesOf(simulation, 1)).toEqual(states.get(secondary.kernel.steps));
      const alone = engine.now / MS - 110;
      // Silence of 10 ms, the disk's word, and 10 ms of work.
      expect(alone).toBeGreaterThan(18);
      expect(alone).toBeLessThan(24);
      expect(requests.finishedBy(engine.now)).toBe(before);
      const lost = pair.rows.find(({ state }) => state === 'go-live')!;
      expect(lost.lagCycles).toBeGreaterThan(0);
      engine.run(300 * MS);
      expect(primary.vcpu.state).toBe(Runstate.Off);
      expect(secondary.vm.counters.requests).toBeGreaterThan(20);
      // All that was asked before 200 ms has been answered, once: what was lost was sent again.
      const { unfinished } = requests.latencies(0, 300 * MS);
      expect(Math.max(0, ...unfinished)).toBeLessThan(60e6);
      expect(requests.finishedBy(300 * MS)).toBeGreaterThan(before + 30);
      expect(primary.vm.counters.requests_arrived).toBe(requests.arrived);
    });
  });

  it('that of the second copy: the VM goes on, and nothing waits any more', () => {
    const options = { workload: web, params: fast };
    checkpointedPair(options, (simulation, pair) => {
      const { engine, members } = simulation;
      engine.run(30 * MS);
      loseHost(simulation, pair, 1);
      engine.run(90 * MS);
      expect(pair.pair.state).toBe('alone');
      expect(pair.pair.primary!.outputs.held).toBe(0);
      expect(members[1]!.vcpu.state).toBe(Runstate.Off);
      const faults = members[0]!.vm.counters.dirty_log_faults;
      engine.run(110 * MS);
      expect(members[0]!.vm.counters.dirty_log_faults).toBe(faults);
      expect(members[0]!.requests!.finishedBy(110 * MS)).toBeGreaterThan(20);
    });
  });

  it.each(['nested', 'shadow'])('with %s paging, and only the link: one survivor', (kind) => {
    const hypervisor = { profile: 'kvm-2.6.33', mmu: { kind } };
    const options = { workload: web, params: fast, hypervisor };
    checkpointedPair(options, (simulation, pair) => {
      const { engine, links, members } = simulation;
      engine.run(40 * MS);
      links[0]!.cut(engine.now);
      engine.run(120 * MS);
      const states = [pair.pair.primary!.state, pair.pair.secondary!.state].toSorted();
      expect(states).toEqual(['alone', 'halted']);
      const lost = pair.pair.primary!.state === 'halted' ? 0 : 1;
      expect(members[lost]!.vcpu.state).toBe(Runstate.Paused);
      expect(members[0]!.requests!.finishedBy(120 * MS)).toBeGreaterThan(8);
    });
  });
});

describe('a run with checkpoints', () => {
  it('balances, and a failover in it does', async () => {
    const protection = { kind: 'checkpoint', workload: web, params: fast, bandwidth: '10Gb/s' };
    const result = await run({
      ...pairScenario({ ...protection, hypervisor: { profile: 'xen-3.4' } }),
      ...{ duration: '120ms', warmup: '10ms' },
      events: [{ at: '60ms', kind: 'failover', vm: 'db-0' }],
    });
    const states = new Set(result.faultTolerance!.map(({ state }) => state));
    expect([...states]).toEqual(['running', 'go-live', 'alone']);
    // Every state of both vCPUs adds up to the window: collect() would throw otherwise.
    expect(metric(result, 'paused_cycles', 'db-0')).toBeGreaterThan(55 * MS);
    expect(metric(result, 'paused_cycles', 'db-0/secondary')).toBeGreaterThan(40 * MS);
    expect(metric(result, 'running_cycles', 'db-0/secondary')).toBeGreaterThan(0);
  });

  it('is shorter in its epochs under the rule of vSphere 6 where few pages are stored to', () => {
    const policy = { kind: 'vsphere-6' };
    const lengthOf = (workload: Overrides) =>
      checkpointedPair(
        { workload, params: { policy }, bandwidth: '10Gb/s' },
        ({ engine }, pair) => {
          engine.run(100 * MS);
          return mean(
            checkpointsOf(pair)
              .slice(1)
              .map(({ epochCycles }) => epochCycles / MS),
          );
        },
      );
    expect(lengthOf(small('500/s'))).toBeLessThan(5);
    expect(lengthOf({ kind: 'page-fault-loop', pages: 2000, hz: 100 })).toBeGreaterThan(15);
  });
});

describe('a client without an answer', () => {
  it('sends again after its timeout, then twice as late each time', () => {
    expect(sentAgain(100, 10, 105)).toBe(110);
    expect(sentAgain(100, 10, 110)).toBe(130);
    expect(sentAgain(100, 10, 131)).toBe(170);
  });
});

import { describe, expect, it } from 'vitest';
import { Runstate } from '../../src/hypervisor/vm.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { LEAVES, Leaf } from '../../src/stats/leaves.ts';
import { loseHost, pairScenario, protectedPair } from '../support/protected-pair.ts';
import { type Overrides, run } from '../support/scenarios.ts';
import { cyclesPerInstruction } from './published/ledger.ts';

/** A protected VM and its second copy on two simulated hosts. */
const MS = 2_200_000;
/** Detection within 10 ms instead of 2 s. */
const fast = { timeScale: 0.005 };

/** Cycles of a VM under a leaf, with what its host's cores have not handed over. */
function spent({ hosts, members }: Simulation, vm: number, leaf: number): number {
  const { ledger } = hosts[members[vm]!.vm.host.index]!.hypervisor;
  const { cores } = hosts[members[vm]!.vm.host.index]!.machine;
  for (const core of cores) {
    core.settle();
    ledger.drain(core);
  }
  return cores.reduce((sum, { id }) => sum + ledger.of(id)[vm * LEAVES + leaf]!, 0);
}

describe('a protected web server', () => {
  it('holds answers for a round trip at least, and the vCPU goes on meanwhile', () => {
    protectedPair({ workload: { kind: 'web-server' } }, (simulation, { pair }) => {
      simulation.engine.run(20 * MS);
      const { outputs } = pair.primary!;
      const held = outputs.heldCycles / outputs.released / 2200;
      expect(outputs.released).toBeGreaterThan(8);
      expect(held).toBeGreaterThanOrEqual(150);
      expect(held).toBeLessThan(150 + 200);
      // Waits of the vCPU itself would be of this order, for each answer.
      const paused = simulation.members[0]!.vcpu.statesAt(20 * MS)[Runstate.Paused]!;
      expect(paused).toBe(0);
      // The second copy has a host's full share of work, in guest cycles of its own.
      expect(spent(simulation, 1, Leaf.GuestUser)).toBeGreaterThan(
        0.5 * spent(simulation, 0, Leaf.GuestUser),
      );
      for (const vm of [0, 1]) expect(spent(simulation, vm, Leaf.FtLog)).toBeGreaterThan(0);
    });
  });

  it('is taken over with everything that clients have asked, when its host is lost', () => {
    const options = { workload: { kind: 'web-server' }, params: fast };
    protectedPair(options, (simulation, pair) => {
      const { engine, members } = simulation;
      const [primary, secondary] = members as [(typeof members)[0], (typeof members)[0]];
      const requests = primary.requests!;
      engine.run(20 * MS);
      const before = requests.finishedBy(20 * MS);
      loseHost(simulation, pair, 0);
      engine.run(30 * MS);
      expect(requests.finishedBy(30 * MS)).toBe(before);
      engine.run(70 * MS);
      expect(pair.pair.state).toBe('alone');
      const [goLive, alone] = ['go-live', 'alone'].map(
        (state) => pair.rows.find((row) => row.state === state)!.cycle / MS,
      );
      // Silence of 10 ms, the disk's word; replay of the rest and 10 ms of work.
      expect(goLive).toBeGreaterThan(29);
      expect(goLive).toBeLessThan(31);
      expect(alone! - goLive!).toBeGreaterThanOrEqual(10);
      expect(alone! - goLive!).toBeLessThan(16);
      // All that arrived before 50 ms has been answered by the survivor, once.
      const { unfinished } = requests.latencies(0, 70 * MS);
      expect(Math.max(0, ...unfinished)).toBeLessThan(20e6);
      expect(requests.finishedBy(70 * MS)).toBeGreaterThan(before + 8);
      expect(primary.vcpu.state).toBe(Runstate.Off);
      expect(secondary.vm.counters.packets_received).toBeGreaterThan(0);
      expect(primary.vm.counters.requests_arrived).toBe(requests.arrived);
    });
  });

  it('goes on alone when the host of the second copy is lost', () => {
    const options = { workload: { kind: 'web-server' }, params: fast };
    protectedPair(options, (simulation, pair) => {
      const { engine, members } = simulation;
      engine.run(10 * MS);
      loseHost(simulation, pair, 1);
      engine.run(40 * MS);
      expect(pair.pair.state).toBe('alone');
      expect(pair.pair.primary!.outputs.held).toBe(0);
      expect(members[0]!.requests!.finishedBy(40 * MS)).toBeGreaterThan(8);
      expect(members[1]!.vcpu.state).toBe(Runstate.Off);
    });
  });

  it('has one survivor when only the link is cut', () => {
    const options = { workload: { kind: 'web-server' }, params: fast };
    protectedPair(options, (simulation, pair) => {
      const { engine, links, members } = simulation;
      engine.run(10 * MS);
      links[0]!.cut(engine.now);
      engine.run(45 * MS);
      expect(pair.pair.state).toBe('alone');
      const [a, b] = [pair.pair.primary!.state, pair.pair.secondary!.state].toSorted();
      expect([a, b]).toEqual(['alone', 'halted']);
      const lost = pair.pair.primary!.state === 'halted' ? 0 : 1;
      expect(members[lost]!.vcpu.state).toBe(Runstate.Paused);
      expect(members[0]!.requests!.finishedBy(45 * MS)).toBeGreaterThan(8);
    });
  });
});

describe('a log that comes too slowly', () => {
  it('stops the primary when its buffer is full', () => {
    const options = {
      workload: { kind: 'web-server' },
      params: { log: { buffer: '4KiB', window: '2KiB' } },
      bandwidth: '1Mb/s',
    };
    protectedPair(options, ({ engine, members }, { pair }) => {
      engine.run(60 * MS);
      expect(pair.state).toBe('running');
      const paused = members[0]!.vcpu.statesAt(60 * MS)[Runstate.Paused]!;
      expect(paused).toBeGreaterThan(5 * MS);
      expect(pair.primary!.bufferedBytes).toBeLessThan(3 * 4096);
    });
  });
});

describe('a second copy without time', () => {
  it('falls behind, and the primary is slowed by the host', () => {
    const hog = { kind: 'tlb-thrash', pages: 8, instructions: 20_000, hz: 0 };
    const options = {
      workload: { kind: 'kernel-compile', hz: 1000 },
      // Its host gives the thread of the log no time either, for turns of 50 ms.
      params: { timeScale: 0.002, logTimeout: '200s' },
      pcpus: 1,
      vms: [{ name: 'hog', host: 'b', memory: '16MiB', count: 2, workload: hog }],
    };
    protectedPair(options, ({ engine, members }, pair) => {
      engine.run(100 * MS);
      const { control, state } = pair.pair;
      expect(state).toBe('lagging');
      expect(control.limit).toBeLessThan(0.7);
      const paused = members[0]!.vcpu.statesAt(100 * MS)[Runstate.Paused]!;
      expect(paused).toBeGreaterThan(10 * MS);
    });
  });
});

describe('protection', () => {
  it('costs at least what shadow paging costs against nested paging', async () => {
    const base = pairScenario({ workload: { kind: 'kernel-compile' } });
    const [vm] = base['vms'] as [Overrides];
    const { faultTolerance: _, ...plain } = vm;
    const shadow = { kind: 'shadow', profile: 'vmware-trace' };
    const arms = [{ ...plain, mmu: { kind: 'nested' } }, { ...plain, mmu: shadow }, vm];
    // Cycles of an instruction: the same program in all three.
    const [nested, traced, guarded] = await Promise.all(
      arms.map(async (one) => {
        const window = { duration: '40ms', warmup: '10ms' };
        const result = await run({ ...base, ...window, vms: [one] });
        return cyclesPerInstruction(result, 'db-0');
      }),
    );
    expect(traced!).toBeGreaterThan(nested!);
    expect(guarded!).toBeGreaterThanOrEqual(traced!);
  });
});

describe('the disk of a pair', () => {
  // As the preset, but half of the statements wait for the disk, and half of the waits read.
  const oltp = { kind: 'oltp', hz: 100, requests: { ioWrites: 0.5, ioProbability: 0.5 } };
  const pairWith = (disk: string) =>
    protectedPair({ workload: oltp, params: { disk } }, ({ engine, hosts, members }, { pair }) => {
      engine.run(60 * MS);
      expect(pair.state).toBe('running');
      // Both have executed about the same, whoever reads.
      const [a, b] = members.map(({ vm }) => vm.counters.syscalls);
      expect(b).toBeGreaterThan(0.5 * a!);
      const [ours, theirs] = hosts.map(({ hypervisor }) => hypervisor.disk.count);
      return {
        logged: pair.primary!.bytesLogged,
        released: pair.primary!.outputs.released,
        ours: ours!,
        theirs: theirs!,
      };
    });

  it('is read once for both when the primary ships what it reads, and twice otherwise', () => {
    const shared = pairWith('shared');
    const backup = pairWith('backup-reads');
    // Reads of 8 KiB are most of this log.
    expect(backup.logged).toBeLessThan(0.5 * shared.logged);
    expect(shared.theirs).toMatchObject({ reads: 0, writes: 0 });
    // Both hosts read from one disk, and the primary alone writes to it.
    expect(backup.theirs).toMatchObject({ reads: 0, writes: 0 });
    expect(backup.ours.reads).toBeGreaterThan(1.5 * shared.ours.reads);
    expect(backup.ours.writes).toBe(shared.ours.writes);

    const apart = pairWith('non-shared');
    expect(apart.logged).toBeLessThanOrEqual(backup.logged);
    expect(apart.theirs.reads + apart.theirs.writes).toBeGreaterThan(0);
    // Where each has its own, writes are no outputs: only answers wait.
    expect(apart.released).toBeLessThan(shared.released);
  });
});

describe('a protected stream', () => {
  it.each(['receive', 'send'])('to %s goes on with each packet of it told', (direction) => {
    const workload = { kind: 'net-stream', direction, connections: 1, message: '4000B', hz: 1000 };
    protectedPair({ workload }, ({ engine, members }, { pair }) => {
      engine.run(12 * MS);
      expect(pair.state).toBe('running');
      const [a, b] = members.map(({ vm }) => vm.counters.work);
      expect(a).toBeGreaterThan(20);
      // One event behind, and what is on its way.
      expect(b).toBeGreaterThan(0.6 * a!);
    });
  });
});

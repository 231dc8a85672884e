import { describe, expect, it } from 'vitest';
import type { Choice } from '../../src/base/registry.ts';
import { mmuModes } from '../../src/hypervisor/mmu/index.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import { tagPolicies } from '../../src/hypervisor/tags/index.ts';
import { VcpuPort } from '../../src/hypervisor/vcpu-port.ts';
import { Runstate } from '../../src/hypervisor/vm.ts';
import { K } from '../../src/machine/counters.ts';
import type { Member, Simulation } from '../../src/scenario/build.ts';
import { checkTranslations } from '../../src/scenario/translations.ts';
import { LEAVES, Leaf } from '../../src/stats/leaves.ts';
import {
  BUSY_WORKLOADS,
  modeName,
  type Overrides,
  simulate,
  VIRTUALIZED_MODES,
} from '../support/scenarios.ts';

/** A VM that leaves one host and goes on at another executes what it would have executed at home. */

const STEP = 150_000;
const LONG = 4e8;

const scenario = (hypervisor: Overrides, workload: Overrides, others = 0): Overrides => ({
  duration: 'work',
  host: undefined,
  hosts: {
    a: { processor: 'opteron-1354', pcpus: 1, memory: '512MiB' },
    b: { processor: 'opteron-1354', pcpus: 2, memory: '512MiB' },
  },
  hypervisor,
  vms: [
    { name: 'vm', host: 'a', memory: '32MiB', workload },
    ...(others > 0
      ? ['a', 'b'].map((host) => {
          const program = { kind: 'idle', period: '100us', hz: 1000 };
          return { name: `other-${host}`, host, memory: '32MiB', workload: program };
        })
      : []),
  ],
});

const choiceOf = (mmu: Overrides): Choice => mmuModes.schema.parse(mmu) as Choice;

/** What a guest has done in all, whichever host it was on. */
function deeds({ hosts }: Simulation, { vm, guest }: Member) {
  const { id, counters } = vm;
  const count = (k: number) =>
    hosts.reduce((sum, { hypervisor }) => sum + hypervisor.ledger.countSoFar(id, k), 0);
  const { guest_faults, guest_pte_writes, syscalls, forks, execs, cow_breaks, work } = counters;
  const used: number[] = [];
  guest.memory.eachUsed((gfn) => used.push(gfn));
  return {
    ...{ guest_faults, guest_pte_writes, syscalls, forks, execs, cow_breaks, work },
    visits: count(K.visits),
    instructions: count(K.instructions),
    user: count(K.user_instructions),
    used: used.join(),
  };
}

/** Cycles of its programs on all hosts. */
const userCycles = ({ hosts }: Simulation, { vm }: Member) =>
  hosts.reduce((sum, { hypervisor: { ledger }, machine: { cores } }) => {
    for (const core of cores) ledger.drain(core);
    return (
      sum + cores.reduce((n, { id }) => n + ledger.of(id)[vm.id * LEAVES + Leaf.GuestUser]!, 0)
    );
  }, 0);

/** Takes a VM from its host to another, under that paging mode. Returns what gives its memory back. */
function move(simulation: Simulation, member: Member, to: number, choice: Choice): () => void {
  const { hosts, engine } = simulation;
  const { vm, requests } = member;
  const target = hosts[to]!;
  const { hypervisor } = target;
  const release = hosts[vm.host.index]!.hypervisor.detach(vm);
  const mmu = mmuModes.create(choice, hypervisor.mmuDeps(vm));
  const nested = mmuModes.of(choice.kind).walk === 'two';
  const wire = (vcpu: Member['vcpu']) => ({
    port: new VcpuPort(hypervisor, vcpu, mmu, requests),
    faults: mmu,
  });
  // Clocks of hosts without a link run apart: it is there when both have come so far.
  const now = Math.max(engine.now, hypervisor.engine.now);
  hypervisor.attach(vm, { host: target, mmu, nested, home: 0, wire }, now);
  return release;
}

/** Runs the first VM to its end; every so often it moves to the other host, under the next mode. */
function travel(over: Overrides, modes: readonly Overrides[], moves: number) {
  return simulate(over, (simulation) => {
    const { engine, hosts, members, tables } = simulation;
    const member = members[0]!;
    const { vm, vcpu } = member;
    let moving = false;
    const act = engine.defineEvent(0, () => {
      if (moving) return;
      moving = true;
      const { hypervisor } = hosts[vm.host.index]!;
      // The host's clock may be behind that of the engine, which has gone on to its next event.
      hypervisor.pause(vm, (held) => {
        engine.schedule(Math.max(engine.now, Math.ceil(held)), leave, 0);
      });
    });
    let moved = 0;
    const leave = engine.defineEvent(0, (now) => {
      const from = hosts[vm.host.index]!;
      move(simulation, member, 1 - from.index, choiceOf(modes[++moved % modes.length]!))();
      if (members.length === 1) {
        // Nothing of it is left, but what the host needs for itself.
        expect(from.machine.memory.free).toBe(empty[from.index]);
      }
      const { hypervisor } = hosts[vm.host.index]!;
      hypervisor.unpause(vm, Math.max(now, hypervisor.engine.now) + STEP / 10);
      moving = false;
    });
    const footprint = hosts[1]!.machine.memory.free;
    const empty = [footprint, footprint];
    // A step of the guest can be long: a fork, say. Then moves are fewer.
    for (let n = 1; n <= moves; n++) engine.schedule(n * STEP, act, 0);
    for (let time = STEP; !vcpu.done && time < LONG; time += STEP) {
      engine.run(time);
      if (time < (moves + 3) * STEP) checkTranslations(simulation);
    }
    expect(vcpu.done).toBe(true);
    const states = vcpu.statesAt(engine.now);
    expect(states.reduce((sum, cycles) => sum + cycles, 0)).toBe(engine.now);
    if (moves > 0) expect(states[Runstate.Paused]).toBeGreaterThan(0);
    if (moves > 0 && members.length === 1) {
      // In the end it leaves for nowhere: the pool has its own tables and no others.
      engine.run(engine.now + (moves + 1) * STEP);
      const { hypervisor } = hosts[vm.host.index]!;
      hypervisor.pause(vm);
      engine.run(engine.now + STEP);
      hypervisor.detach(vm)();
      expect(hosts.map(({ machine }) => machine.memory.free)).toEqual(empty);
      const own = hosts.reduce((sum, host) => sum + host.hypervisor.world.ownTables, 0);
      expect(tables.count - own).toBe(new Set(vm.nodeOfFrame).size - 1);
    }
    return { moved, ...deeds(simulation, member), cycles: userCycles(simulation, member) };
  });
}

function compare(over: Overrides, modes: readonly Overrides[], moves: number): void {
  const { moved: none, cycles: own, ...atHome } = travel(over, modes, 0);
  const { moved, cycles, ...away } = travel(over, modes, moves);
  expect(none).toBe(0);
  expect(moved).toBeGreaterThan(0);
  expect(away).toEqual(atHome);
  // Each core carries a part of a cycle over.
  expect(Math.abs(cycles - own)).toBeLessThanOrEqual(moved + 1);
}

const pairs = VIRTUALIZED_MODES.flatMap((from, i) =>
  VIRTUALIZED_MODES.slice(i).map((to) => [modeName(from), modeName(to), from, to] as const),
);

describe('a VM that moves to and fro', () => {
  it.each(pairs)('between %s and %s does what it does at home', (_, _to, mmu, other) => {
    compare(scenario({ mmu }, BUSY_WORKLOADS['forks']!), [mmu, other], 4);
  });

  it.each(Object.keys(BUSY_WORKLOADS))('with the program %s, memory up front', (name) => {
    const modes = [{ kind: 'nested', pageSize: '2MiB' }, { kind: 'shadow' }];
    compare(scenario({ mmu: modes[0], backing: 'up-front' }, BUSY_WORKLOADS[name]!), modes, 4);
  });

  it.each(schedulers.definitions.map(({ name }) => name))('among others under %s', (kind) => {
    const mmu = { kind: 'nested' };
    const timeslice = kind === 'round-robin' || kind === 'credit' ? { timeslice: '1ms' } : {};
    const scheduler = { kind, ...timeslice };
    compare(scenario({ mmu, scheduler }, BUSY_WORKLOADS['server']!, 1), [mmu], 4);
  });

  it.each(
    tagPolicies.definitions.map(({ name }) => name).filter((name) => name !== 'flush-by-asid'),
  )('with tags %s', (kind) => {
    const mmu = { kind: 'shadow' };
    compare(scenario({ mmu, tags: { kind } }, BUSY_WORKLOADS['ring']!, 1), [mmu], 4);
  });

  it('does not leave unless it is held', () => {
    simulate(scenario({}, BUSY_WORKLOADS['ring']!), ({ engine, hosts, members }) => {
      engine.run(STEP);
      expect(() => hosts[0]!.hypervisor.detach(members[0]!.vm)).toThrow('vm-0 is to leave a');
    });
  });
});

import { describe, expect, it } from 'vitest';
import { GuestCopy } from '../../src/cluster/copy/guest-copy.ts';
import { GuestHistory, type Position, Told } from '../../src/cluster/copy/history.ts';
import { NotedGuest } from '../../src/cluster/copy/noted-guest.ts';
import { Runstate } from '../../src/hypervisor/vm.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { tablesOf } from '../support/guest-tables.ts';
import { type Overrides, simulate } from '../support/scenarios.ts';

/**
 * A guest that is told everything that another was told comes to the same state, and that costs
 * nothing. What tells two states apart: the guest's tables, whose frames were taken in the order in
 * which pages were touched, and whatever it does later with the same inputs.
 */
const scenario = (workload: Overrides, mmu: Overrides): Overrides => ({
  duration: '60ms',
  host: { pcpus: 1, memory: '1GiB' },
  hypervisor: { profile: 'esx-4', mmu },
  vms: [{ name: 'vm', memory: '256MiB', workload }],
  checks: { translations: false },
});

const WORKLOADS: Readonly<Record<string, Overrides>> = {
  compile: { kind: 'kernel-compile', hz: 1000 },
  oltp: { kind: 'oltp', hz: 1000 },
  java: { kind: 'java-server', hz: 1000 },
  web: { kind: 'web-server' },
  sessions: { kind: 'terminal-server', hz: 1000 },
};
const MODES: Readonly<Record<string, Overrides>> = {
  shadow: { kind: 'shadow', profile: 'vmware-trace' },
  nested: { kind: 'nested' },
};

interface State extends Position {
  readonly root: number;
  readonly tables: readonly string[];
}

const stateOf = (simulation: Simulation, at: Position): State => {
  const { kernel } = simulation.members[0]!;
  const { frame } = simulation.tables;
  return { ...at, root: frame[kernel.root]!, tables: tablesOf(simulation) };
};

/** Runs the VM and stops it at given times: where it was then. */
function original(overrides: Overrides, times: readonly number[]) {
  return simulate(overrides, (simulation) => {
    const { engine, hosts, members } = simulation;
    const { hypervisor } = hosts[0]!;
    const { kernel, vcpu, vm } = members[0]!;
    const noted = new NotedGuest(kernel);
    vcpu.guest = noted;
    const states = times.map((time) => {
      engine.run(time);
      let held = false;
      hypervisor.pause(vm, () => {
        held = true;
      });
      while (!held) engine.run(engine.now + 1000);
      const state = stateOf(simulation, noted.position);
      hypervisor.unpause(vm, engine.now);
      return state;
    });
    return { states, history: noted.history };
  });
}

/** The same VM, on no host. */
function withCopy<T>(overrides: Overrides, use: (copy: GuestCopy, simulation: Simulation) => T): T {
  return simulate(overrides, (simulation) => {
    const { hosts, members } = simulation;
    const { vcpu, vm } = members[0]!;
    vcpu.enter(Runstate.Paused, 0);
    hosts[0]!.hypervisor.detach(vm)();
    return use(new GuestCopy(members[0]!, hosts[0]!), simulation);
  });
}

/** Each workload under one of the modes in every run of the tests, under both in a full one. */
const cases = Object.keys(WORKLOADS).flatMap((workload, w) =>
  Object.keys(MODES)
    .filter((_, m) => process.env['VALIDATE'] === 'full' || (w + m) % 2 === 0)
    .map((mode) => [workload, mode] as const),
);
const MS = 2_200_000;

describe.each(cases)('a copy of %s, %s', (workload, mode) => {
  const chosen = scenario(WORKLOADS[workload]!, MODES[mode]!);
  const times = [1.37, 3.01, 3.02, 5.7].map((ms) => Math.round(ms * MS));
  const { history, states } = original(chosen, times);

  it('is the original wherever that is stopped, made at once or in pieces', () => {
    expect(states.at(-1)!.length).toBeGreaterThan(5);
    withCopy(chosen, (copy, simulation) => {
      const before = { ...simulation.members[0]!.vm.counters };
      for (const state of states) {
        copy.catchUp(history, state);
        const now = stateOf(simulation, { steps: simulation.members[0]!.kernel.steps, length: 0 });
        expect(now.steps).toBe(state.steps);
        expect(now.root).toBe(state.root);
        expect(now.tables).toEqual(state.tables);
      }
      expect(simulation.members[0]!.vm.counters).toEqual(before);
    });
    withCopy(chosen, (copy, simulation) => {
      copy.catchUp(history, states.at(-1)!);
      expect(tablesOf(simulation)).toEqual(states.at(-1)!.tables);
    });
  });
});

describe('the comparison', () => {
  const chosen = scenario(WORKLOADS['web']!, MODES['nested']!);
  const { history, states } = original(chosen, [3 * MS]);
  const last = states[0]!;
  const altered = (change: (kind: Told, steps: number, value: number, i: number) => void) => {
    for (let i = 0; i < last.length; i++) {
      change(history.kindAt(i), history.stepsAt(i), history.valueAt(i), i);
    }
  };
  const copied = (other: GuestHistory, to: Position) =>
    withCopy(chosen, (copy, simulation) => {
      copy.catchUp(other, to);
      return tablesOf(simulation);
    });

  it('finds an interrupt that comes a step late, and one that is missing', () => {
    const late = new GuestHistory();
    const short = new GuestHistory();
    altered((kind, steps, value, i) => {
      const moved = kind === Told.Interrupt && i > 5;
      late.note(kind, moved ? steps + 1 : steps, value);
      if (!moved) short.note(kind, steps, value);
    });
    expect(() => copied(late, last)).toThrow(/history/);
    expect(() => copied(short, { ...last, length: short.length })).toThrow(/history/);
  });

  it('finds an answer that is another', () => {
    const other = new GuestHistory();
    altered((kind, steps, value) =>
      other.note(kind, steps, kind === Told.Request ? Number.NaN : value),
    );
    const outcome = () => expect(copied(other, last)).toEqual(last.tables);
    expect(outcome).toThrow();
  });
});

import { describe, expect, it } from 'vitest';
import type { Cycles } from '../../src/base/ids.ts';
import { Edges } from '../../src/hypervisor/edges.ts';
import { schedulers } from '../../src/hypervisor/schedulers/index.ts';
import { Runstate, type Vcpu } from '../../src/hypervisor/vm.ts';
import { K } from '../../src/machine/counters.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { LEAVES, Leaf } from '../../src/stats/leaves.ts';
import { modeName, type Overrides, PAGING_MODES, simulate } from '../support/scenarios.ts';

/** Holding VMs: what runs, waits, sleeps or is parked is held, and goes on as if nothing had been. */

const MS = 2_200_000;

const scenario = (hypervisor: Overrides = {}): Overrides => ({
  host: { pcpus: 2 },
  // How long a step can be is looked at: exits are warm.
  hypervisor: { footprint: { touches: false }, ...hypervisor },
  vms: [
    { name: 'busy', count: 3, memory: '32MiB', workload: { kind: 'tlb-thrash', pages: 64 } },
    { name: 'quiet', memory: '32MiB', workload: { kind: 'idle', period: '300us' } },
  ],
  checks: { translations: false },
});

/** Does something at a time, as an event. */
function at({ engine }: Simulation, time: Cycles, action: (now: Cycles) => void): void {
  engine.schedule(time, engine.defineEvent(0, action), 0);
}

const hostOf = ({ hosts }: Simulation) => hosts[0]!;
const total = (states: Float64Array) => states.reduce((sum, cycles) => sum + cycles, 0);
const kinds = schedulers.definitions.map(({ name }) => name);

describe.each(kinds)('under %s', (kind) => {
  it('each vCPU is held, whatever it does, and its run states add up', () => {
    simulate(scenario({ scheduler: { kind } }), (simulation) => {
      const { engine, members } = simulation;
      const { hypervisor } = hostOf(simulation);
      const from = new Set<number>();
      const held: number[] = [];
      const instructions = (vm: number) => hypervisor.ledger.countSoFar(vm, K.instructions);
      let before: number[] = [];
      const vms = hypervisor.vms;
      for (let n = 0; n < 40; n++) {
        const start = MS + n * 300_001;
        const vm = vms[n % vms.length]!;
        const [vcpu] = hypervisor.vcpus.filter((one) => one.vm === vm) as [Vcpu];
        at(simulation, start, (now) => {
          from.add(vcpu.state);
          hypervisor.pause(vm, (when) => {
            held.push(n);
            expect(when).toBeGreaterThanOrEqual(now);
            expect(when).toBeLessThan(now + 40_000);
            expect(vcpu.state).toBe(Runstate.Paused);
          });
        });
        at(simulation, start + 30_000, () => {
          expect(vcpu.state).toBe(Runstate.Paused);
          before = vms.map((_, i) => instructions(i));
        });
        at(simulation, start + 250_000, (now) => {
          expect(vcpu.state).toBe(Runstate.Paused);
          expect(instructions(vm.id)).toBe(before[vm.id]);
          hypervisor.unpause(vm, now);
        });
      }
      engine.run(MS + 40 * 300_001);
      expect(held.length).toBe(40);
      expect(from.size).toBeGreaterThan(1);
      const all = () => total(Float64Array.from(vms, (_, i) => instructions(i)));
      const after = all();
      engine.run(engine.now + MS);
      expect(all()).toBeGreaterThan(after + MS / 10);
      for (const { vcpu } of members) {
        expect(vcpu.state).not.toBe(Runstate.Paused);
        const states = vcpu.statesAt(engine.now);
        expect(total(states)).toBe(engine.now);
        expect(states[Runstate.Paused]).toBeGreaterThan(2_000_000);
      }
    });
  });
});

describe('a VM that is held', () => {
  it('gets the interrupts that have come meanwhile when it is let go', () => {
    simulate({ ...scenario(), host: { pcpus: 4 } }, (simulation) => {
      const { engine } = simulation;
      const { hypervisor } = hostOf(simulation);
      const vcpu = hypervisor.vcpus[3]!;
      let delivered = 0;
      at(simulation, MS, () => hypervisor.pause(vcpu.vm));
      at(simulation, MS + 60_000, () => {
        delivered = vcpu.vm.counters.interrupts;
      });
      at(simulation, 5 * MS, (now) => {
        expect(vcpu.pending).not.toBe(0);
        expect(vcpu.vm.counters.interrupts).toBe(delivered);
        hypervisor.unpause(vcpu.vm, now);
      });
      engine.run(6 * MS);
      expect(vcpu.vm.counters.interrupts).toBeGreaterThan(delivered);
    });
  });

  it('sleeps on if nothing has come', () => {
    simulate({ ...scenario(), host: { pcpus: 4 } }, (simulation) => {
      const { engine } = simulation;
      const { hypervisor } = hostOf(simulation);
      const vcpu = hypervisor.vcpus[3]!;
      let tried = 0;
      for (let time = MS; time < 4 * MS; time += 100_000) {
        at(simulation, time, () => {
          if (vcpu.state !== Runstate.Blocked) return;
          tried++;
          const { turns } = vcpu.vm.counters;
          hypervisor.pause(vcpu.vm, (now) => {
            if (vcpu.pending !== 0) return;
            hypervisor.unpause(vcpu.vm, now);
            at(simulation, now + 1, () => {
              expect(vcpu.state).toBe(Runstate.Blocked);
              expect(vcpu.vm.counters.turns).toBe(turns);
            });
          });
        });
      }
      engine.run(5 * MS);
      expect(tried).toBeGreaterThan(5);
    });
  });

  it('may be held twice, and let go before it was held', () => {
    simulate(scenario(), (simulation) => {
      const { engine } = simulation;
      const { hypervisor } = hostOf(simulation);
      const vcpu = hypervisor.vcpus.find(({ state }) => state !== Runstate.Blocked)!;
      const told: string[] = [];
      at(simulation, MS, (now) => {
        hypervisor.pause(vcpu.vm, () => told.push('never'));
        hypervisor.unpause(vcpu.vm, now);
      });
      at(simulation, 2 * MS, () => {
        hypervisor.pause(vcpu.vm, () => told.push('first'));
        hypervisor.pause(vcpu.vm, () => told.push('second'));
      });
      at(simulation, 3 * MS, () => hypervisor.pause(vcpu.vm, () => told.push('third')));
      at(simulation, 4 * MS, (now) => hypervisor.unpause(vcpu.vm, now));
      engine.run(8 * MS);
      expect(told).toEqual(['first', 'second', 'third']);
      expect(vcpu.state).not.toBe(Runstate.Paused);
      expect(vcpu.statesAt(engine.now)[Runstate.Paused]).toBeGreaterThan(2 * MS - 50_000);
    });
  });

  it('is held at once where its cap holds it back already', () => {
    const vms = [{ name: 'capped', memory: '32MiB', cap: 20, workload: { kind: 'tlb-thrash' } }];
    for (const scheduler of [{ kind: 'credit' }, { kind: 'cfs', version: '3.2.0' }]) {
      simulate({ ...scenario({ scheduler }), host: { pcpus: 1 }, vms }, (simulation) => {
        const { engine } = simulation;
        const { hypervisor } = hostOf(simulation);
        const [vcpu] = hypervisor.vcpus as [Vcpu];
        let seen = false;
        for (let time = 10 * MS; time < 120 * MS; time += MS) {
          at(simulation, time, (now) => {
            if (seen || vcpu.state !== Runstate.Parked) return;
            seen = true;
            hypervisor.pause(vcpu.vm, (when) => {
              expect(when).toBe(now);
              hypervisor.unpause(vcpu.vm, when + MS);
            });
          });
        }
        engine.run(200 * MS);
        expect(seen).toBe(true);
        const states = vcpu.statesAt(engine.now);
        expect(states[Runstate.Paused]).toBe(MS);
        expect(states[Runstate.Parked]).toBeGreaterThan(50 * MS);
        expect(states[Runstate.Running]).toBeGreaterThan(20 * MS);
      });
    }
  });
});

it.each(PAGING_MODES.map((mmu) => [modeName(mmu), mmu] as const))(
  'a request to forget is answered once nobody runs under the old tag, %s',
  (_, mmu) => {
    simulate(
      scenario({ mmu, scheduler: { kind: 'round-robin', timeslice: '1ms' } }),
      (simulation) => {
        const { engine } = simulation;
        const { hypervisor } = hostOf(simulation);
        let asked = 0;
        let answered = 0;
        for (let time = MS; time < 4 * MS; time += 77_777) {
          at(simulation, time, (now) => {
            for (const vcpu of hypervisor.vcpus) {
              asked++;
              hypervisor.requests.forget([vcpu], (when) => {
                answered++;
                expect(when).toBeGreaterThanOrEqual(now);
                expect(when).toBeLessThan(now + 80_000);
              });
            }
          });
        }
        engine.run(5 * MS);
        expect(answered).toBe(asked);
      },
    );
  },
);

describe('a host that loses power', () => {
  it.each(kinds)('stops for good; ledger and run states balance: %s', (kind) => {
    simulate(scenario({ scheduler: { kind } }), (simulation) => {
      const { engine } = simulation;
      const { hypervisor, machine } = hostOf(simulation);
      const edges = new Edges([hypervisor]);
      const death = 3 * MS + 12_345;
      for (const time of [MS, 6 * MS]) edges.add(time, false);
      at(simulation, death, (now) => hypervisor.stop(now));
      engine.run(MS);
      const start = edges.accounts(MS);
      engine.run(6 * MS);
      const end = edges.accounts(6 * MS);
      const done = hypervisor.vms.map((_, vm) => hypervisor.ledger.countSoFar(vm, K.instructions));
      const size = end.hosts[0]!.ledger.length / machine.cores.length;
      for (const { id } of machine.cores) {
        const part = end.hosts[0]!.ledger.subarray(id * size, (id + 1) * size);
        const before = start.hosts[0]!.ledger.subarray(id * size, (id + 1) * size);
        expect(total(part) - total(before)).toBe(5 * MS);
        const off = part[size - LEAVES + Leaf.Off]!;
        expect(off).toBeLessThanOrEqual(6 * MS - death);
        expect(off).toBeGreaterThan(6 * MS - death - 20_000);
      }
      for (const [i, states] of end.states.entries()) {
        expect(total(states) - total(start.states[i]!)).toBe(5 * MS);
        expect(states[Runstate.Off]).toBeGreaterThan(6 * MS - death - 20_000);
      }
      engine.run(9 * MS);
      expect(
        hypervisor.vms.map((_, vm) => hypervisor.ledger.countSoFar(vm, K.instructions)),
      ).toEqual(done);
    });
  });
});

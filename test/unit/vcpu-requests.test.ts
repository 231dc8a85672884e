import { expect, it } from 'vitest';
import { Request } from '../../src/hypervisor/vcpu-requests.ts';
import { Runstate } from '../../src/hypervisor/vm.ts';
import type { Simulation } from '../../src/scenario/build.ts';
import { ExitReason } from '../../src/stats/leaves.ts';
import { simulate } from '../support/scenarios.ts';

/** Two busy VMs on a pCPU each, and one that sleeps nearly all the time. */
const vms = [
  { name: 'busy', count: 2, memory: '32MiB', workload: { kind: 'tlb-thrash', pages: 64, hz: 0 } },
  { name: 'quiet', memory: '32MiB', workload: { kind: 'idle', period: '5ms' } },
];
/** Handlers take their cycles alone: the first exit of a vCPU finds nothing in the caches. */
const hypervisor = { footprint: { touches: false } };
const scenario = { host: { pcpus: 2 }, hypervisor, vms, checks: { translations: false } };
const IPI = 5_000;

/** Runs up to `time`, does something there as a pCPU would, and runs on. */
function at({ engine }: Simulation, time: number, action: () => void): void {
  engine.schedule(time, engine.defineEvent(0, action), 0);
}

it('a request to a running vCPU forces an exit within an IPI, and is served before the next entry', () => {
  simulate(scenario, (simulation) => {
    const { engine, hosts } = simulation;
    const { hypervisor } = hosts[0]!;
    const vcpu = hypervisor.vcpus[1]!;
    const seen: number[] = [];
    at(simulation, 1_000_000, () => {
      expect(vcpu.state).toBe(Runstate.Running);
      const exits = vcpu.exitCounts[ExitReason.Intr]!;
      const flushes = vcpu.vm.counters.tlb_flushes;
      hypervisor.requests.ask(vcpu, Request.FlushTags, (now) => {
        seen.push(now, vcpu.exitCounts[ExitReason.Intr]! - exits);
        expect(vcpu.requests).toBe(0);
        expect(vcpu.vm.counters.tlb_flushes).toBe(flushes);
      });
      expect(seen).toEqual([]);
    });
    at(simulation, 1_100_000, () => {
      const [served, exits] = seen as [number, number];
      expect(served).toBeGreaterThanOrEqual(1_000_000);
      expect(served).toBeLessThan(1_000_000 + IPI);
      expect(exits).toBe(1);
      expect(vcpu.vm.counters.tlb_flushes).toBeGreaterThan(0);
    });
    engine.run(2_000_000);
    expect(seen.length).toBe(2);
  });
});

it('a sleeping vCPU is left asleep and serves its requests, all at once, when it enters', () => {
  simulate({ ...scenario, host: { pcpus: 3 } }, (simulation) => {
    const { engine, hosts } = simulation;
    const { hypervisor } = hosts[0]!;
    const vcpu = hypervisor.vcpus[2]!;
    const seen: string[] = [];
    hypervisor.mmuOf[2]!.onRequest = (asked, core) => {
      expect(asked).toBe(vcpu);
      expect(core.id).toBe(vcpu.pcpu);
      seen.push('mmu');
    };
    let vmruns = 0;
    at(simulation, 5_000_000, () => {
      expect(vcpu.state).toBe(Runstate.Blocked);
      vmruns = vcpu.vm.counters.vmruns;
      hypervisor.requests.ask(vcpu, Request.Mmu, () => seen.push('first'));
      hypervisor.requests.ask(vcpu, Request.FlushTags | Request.Mmu, () => seen.push('second'));
    });
    at(simulation, 8_000_000, () => {
      expect(vcpu.vm.counters.vmruns).toBe(vmruns);
      expect(seen).toEqual([]);
    });
    engine.run(40_000_000);
    expect(vcpu.vm.counters.vmruns).toBeGreaterThan(vmruns);
    expect(seen).toEqual(['mmu', 'first', 'second']);
  });
});

it('a request is served where the vCPU enters next, when it stops running before the IPI arrives', () => {
  const hypervisor = { scheduler: { kind: 'round-robin', timeslice: '1ms' } };
  simulate({ ...scenario, host: { pcpus: 1 }, hypervisor }, (simulation) => {
    const { engine, hosts } = simulation;
    const { hypervisor: host } = hosts[0]!;
    const served: number[] = [];
    let asked = 0;
    for (let time = 500_000; time < 10_000_000; time += 777_777) {
      at(simulation, time, () => {
        for (const vcpu of host.vcpus) {
          asked++;
          host.requests.ask(vcpu, Request.FlushTags, (now) => served.push(now - time));
        }
      });
    }
    engine.run(30_000_000);
    expect(served.length).toBe(asked);
    expect(Math.min(...served)).toBeGreaterThanOrEqual(0);
  });
});

it('a paging mode can do something at regular times', () => {
  simulate(scenario, ({ engine, hosts }) => {
    const { hypervisor } = hosts[0]!;
    const times: number[] = [];
    hypervisor.mmuDeps(hypervisor.vms[0]!).every(300_000, (now) => times.push(now));
    engine.run(1_000_000);
    expect(times).toEqual([300_000, 600_000, 900_000]);
  });
});

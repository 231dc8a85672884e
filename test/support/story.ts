import type { GuestCpu } from '../../src/hypervisor/guest-port.ts';
import type { softCounters } from '../../src/hypervisor/vm.ts';
import { type Core, SIDE_D, SIDE_I, Verdict } from '../../src/machine/core.ts';
import { FLAGS, FRAME, IN_L1 } from '../../src/machine/entries.ts';
import { find } from '../../src/machine/hash.ts';
import { readItem } from '../../src/machine/items.ts';
import type { Member, Simulation } from '../../src/scenario/build.ts';
import { checkTranslations } from '../../src/scenario/translations.ts';
import { type Overrides, simulate } from './scenarios.ts';

/** What the guest does: counted by the guest itself. */
const GUEST_SIDE = [
  'guest_faults',
  'guest_pte_writes',
  'cow_breaks',
  'syscalls',
  'forks',
  'execs',
  'process_exits',
  'guest_process_switches',
  'work',
] as const satisfies readonly (typeof softCounters)[number][];

/** All that a guest can tell about a run. */
export interface Story {
  /** One number per visit (operation, page, guest frame) and per true fault (negative). */
  readonly steps: number[];
  readonly counters: Record<string, number>;
}

/** The host frame that the L1 TLB has for `vpn`, as the visit just made used it; -1 = none. */
function hostFrame(core: Core, vpn: number, side: number): number {
  const { heads, shift } = core.tlb.sides[side]!;
  for (let size = 0; size < 3; size++) {
    const entry = find(heads, shift, vpn >>> (9 * size), (core.asid << 2) | size);
    if ((FLAGS[entry]! & IN_L1) !== 0) return FRAME[entry]! + (vpn & ((1 << (9 * size)) - 1));
  }
  return -1;
}

/** Runs the VM's work one visit at a time; writes down and checks every access and every fault of it. */
export function tell(workload: Overrides, mmu: Overrides, more: Overrides = {}): Story {
  const scenario = {
    ...more,
    duration: 'work',
    hypervisor: { ...(more['hypervisor'] as Overrides | undefined), mmu },
    vms: [{ name: 'vm', memory: '64MiB', workload }],
  };
  return simulate(scenario, (simulation) => {
    const steps: number[] = [];
    const [member] = simulation.members;
    listen(simulation, member!, steps);
    simulation.engine.run(1e10);
    const { counters } = member!.vm;
    if (Number.isNaN(member!.vm.finishedAt)) throw new Error('the work was not finished');
    return {
      steps,
      counters: Object.fromEntries(GUEST_SIDE.map((name) => [name, counters[name]])),
    };
  });
}

function listen(simulation: Simulation, { vcpu, kernel, vm }: Member, steps: number[]): void {
  const { port } = vcpu.context;
  const { engine } = simulation;
  vcpu.context.port = {
    onWalkFault(core, vpn, write, fault) {
      const verdict = port.onWalkFault(core, vpn, write, fault);
      if (verdict === Verdict.GuestFault) steps.push(-2 * vpn - (write ? 1 : 0));
      return verdict;
    },
  };
  // All translations after 51 visits, and after every operation; after every fourth in a quick run.
  const operation = process.env['VALIDATE'] === 'full' ? 51 : 13;
  let unchecked = 0;
  vcpu.guest = {
    root: kernel.root,
    steps: 0,
    stopAt: () => {},
    grantReferences: (references) => kernel.grantReferences(references),
    interrupt: (cpu, vectors) => kernel.interrupt(cpu, vectors),
    run(cpu: GuestCpu) {
      const { core } = cpu;
      engine.horizon = Math.min(engine.horizon, core.time + 1);
      const stop = kernel.run(cpu);
      const [vpn, word] = readItem(core.item - 1);
      const op = word & 255;
      if (op <= 2) {
        const { frame } = kernel.translate(vpn);
        steps.push((frame * 4 + op) * 2 ** 24 + (vpn % 2 ** 24));
        const host = hostFrame(core, vpn, op === 0 ? SIDE_I : SIDE_D);
        if (frame >= 0 && host !== -1 && host !== vm.p2m[frame]) {
          throw new Error(`a visit to page ${vpn} went to frame ${host}, not ${vm.p2m[frame]}`);
        }
      }
      unchecked += op > 2 ? operation : 1;
      if (unchecked > 50) {
        checkTranslations(simulation);
        unchecked = 0;
      }
      return stop;
    },
  };
}

/** Index of the first step in which two stories differ; -1 = none. */
export function firstDifference(a: Story, b: Story): number {
  const length = Math.max(a.steps.length, b.steps.length);
  for (let i = 0; i < length; i++) if (a.steps[i] !== b.steps[i]) return i;
  return -1;
}

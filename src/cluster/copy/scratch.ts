import type { VcpuId, VmId } from '../../base/ids.ts';
import { Engine } from '../../engine/engine.ts';
import { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { Mmu } from '../../hypervisor/mmu/mmu.ts';
import { tagPolicies } from '../../hypervisor/tags/index.ts';
import { Vcpu, Vm } from '../../hypervisor/vm.ts';
import { type FaultPort, Verdict } from '../../machine/core.ts';
import { buildMachine } from '../../machine/machine.ts';
import { ExitReason } from '../../stats/leaves.ts';
import type { Resident } from '../cluster.ts';
import type { Host } from '../host.ts';

/**
 * Bytes for a VM on each of the nodes, as if it were the only one: its memory, 1/8 of that and 64
 * MiB
 * for tables of the hypervisor, and what may be lost before the first aligned page of 1 GiB.
 */
function memoryFor({ pageBytes, vm: { memoryPages } }: Resident, nodes: number): number {
  const aligned = pageBytes >= 2 ** 30 && pageBytes < Infinity ? 2 ** 18 : 0;
  return nodes * (memoryPages + memoryPages / 8 + 16_384 + aligned) * 4096;
}

const nowhere: FaultPort = { onWalkFault: () => Verdict.GuestFault };

/** A machine of its own that executes one guest, and is seen by nobody. */
export interface Scratch {
  readonly hypervisor: Hypervisor;
  readonly vcpu: Vcpu;
  readonly mmu: Mmu;
  dispose(): void;
}

/**
 * Puts the guest of a VM that runs nowhere on a core of a new machine, of the kind of a host and
 * with its hypervisor: faults, tables and accessed bits come from where they always come from. The
 * guest's tables stay in the pool that all machines share; accounts and clock are the machine's
 * own.
 */
export function scratchFor(member: Resident, like: Host): Scratch {
  const { hypervisor: own, machine: hardware } = like;
  const { processor, tables } = hardware;
  const { vm, vcpu: real } = member;
  const { asids, erratum170, flushByAsid } = processor.svm;
  const engine = new Engine(1);
  const machine = buildMachine({
    ...{ name: `${vm.name} off the clock`, processor, sockets: 1, pcpus: 1, tables },
    ...{
      memoryBytes: memoryFor(member, processor.diesPerSocket),
      dataLines: false,
      vcpuCount: 1,
      items: 16,
    },
    vmOf: Int32Array.from([0, -1]),
  });
  try {
    const host = { name: 'off the clock', index: 0 };
    const { memoryPages, name, nodeOfFrame, program, weight, cap } = vm;
    const plain = { name, program, host, memoryPages, weight, cap, nodeOfFrame };
    const twin = new Vm(0 as VmId, plain);
    twin.devices = vm.devices;
    const vcpu = new Vcpu(0 as VcpuId, twin, 0, false, nowhere);
    const tags = tagPolicies.create(
      { kind: 'kvm' },
      { pcpuCount: 1, vcpuCount: 1, asids, flushByAsid, erratum170 },
    );
    const hypervisor = new Hypervisor({
      ...{ host, machine, engine, tags, vms: [twin], vcpus: [vcpu], upFront: false },
      ...{ costs: own.costs, virtualized: own.world.virtualized },
      footprint: { ...own.footprint, touches: false },
    });
    const { mmu, nested, wire } = member.arriveAt({ hypervisor }, twin);
    const { cpiQ8, exposedQ8 } = real.context;
    vcpu.context = { ...vcpu.context, nested, cpiQ8, exposedQ8, port: wire(vcpu).faults };
    vcpu.guestRoot = real.guestRoot;
    hypervisor.mmuOf[0] = mmu;
    mmu.start(vcpu);
    const [core] = machine.cores as [(typeof machine.cores)[0]];
    Object.assign(core, { vm: 0, vcpu: 0 });
    vcpu.pcpu = 0;
    hypervisor.world.resume(vcpu, core, ExitReason.Hlt);
    const dispose = () => {
      mmu.dispose(twin.p2m);
      machine.dispose();
    };
    return { hypervisor, vcpu, mmu, dispose };
  } catch (error) {
    machine.dispose();
    throw error;
  }
}

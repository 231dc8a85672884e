import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';
import { ExitReason, Leaf } from '../stats/leaves.ts';
import type { GuestCpu } from './guest-port.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { Vcpu } from './vm.ts';

/**
 * A vCPU's privileged operations: each becomes what it is under the VM's paging mode, an exit or a few
 * cycles of hardware.
 */
export class VcpuPort implements GuestCpu {
  readonly #hv: Hypervisor;
  readonly #vcpu: Vcpu;
  readonly #mmu: Mmu;

  constructor(hypervisor: Hypervisor, vcpu: Vcpu, mmu: Mmu) {
    this.#hv = hypervisor;
    this.#vcpu = vcpu;
    this.#mmu = mmu;
  }

  get core(): Core {
    return this.#hv.machine.cores[this.#vcpu.pcpu]!;
  }

  get until(): Cycles {
    return this.#hv.engine.horizon;
  }

  loadCr3(root: number): void {
    const vcpu = this.#vcpu;
    const same = vcpu.guestRoot === root;
    vcpu.guestRoot = root;
    this.#mmu.onCr3Write(vcpu, this.core, root, same);
  }

  loadTagged(root: number, space: number): void {
    const { core } = this;
    this.#vcpu.guestRoot = root;
    this.#vcpu.context.space = space;
    this.#mmu.useRoot(this.#vcpu, core);
    core.asid = (core.asid & 0xffff) | (space << 16);
  }

  invlpg(vpn: number): void {
    this.#mmu.onInvlpg(this.#vcpu, this.core, vpn);
  }

  flushGlobal(): void {
    this.#mmu.onGlobalFlush(this.#vcpu, this.core);
  }

  storePte(slot: number, entry: number): void {
    this.#vcpu.vm.counters.guest_pte_writes++;
    this.#mmu.storePte(this.#vcpu, this.core, slot, entry);
  }

  startIo(_bytes: number, latency: Cycles): void {
    const hv = this.#hv;
    const { core } = this;
    this.#vcpu.vm.counters.io_requests++;
    this.#device(core);
    hv.completeIo(this.#vcpu, core.now + latency);
  }

  sendPacket(_bytes: number): void {
    this.#device(this.core);
  }

  /** One doorbell write: exit, the part in the hypervisor, the device model in user space. */
  #device(core: Core): void {
    const hv = this.#hv;
    if (!hv.virtualized) return;
    const vcpu = this.#vcpu;
    hv.exit(vcpu, core, ExitReason.Ioio);
    hv.handle(vcpu, core, ExitReason.Ioio, hv.costs.deviceKernel);
    core.charge(Leaf.HostDevice, hv.costs.deviceUser);
    hv.resume(vcpu, core, ExitReason.Ioio);
  }

  endOfInterrupt(): void {
    const hv = this.#hv;
    if (!hv.virtualized || !hv.costs.eoiExits) return;
    const vcpu = this.#vcpu;
    const { core } = this;
    hv.exit(vcpu, core, ExitReason.ApicAccess);
    hv.decode(vcpu, core, ExitReason.ApicAccess);
    hv.handle(vcpu, core, ExitReason.ApicAccess, hv.costs.apicAccess);
    hv.resume(vcpu, core, ExitReason.ApicAccess);
  }

  setTimer(cyclesFromNow: Cycles): void {
    this.#hv.armTimer(this.#vcpu, this.core.now + cyclesFromNow);
  }

  clearTimer(): void {
    this.#hv.disarmTimer(this.#vcpu);
  }
}

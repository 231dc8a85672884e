import * as z from 'zod';
import type { Core } from '../../machine/core.ts';
import { Verdict } from '../../machine/core.ts';
import type { Vcpu, Vm } from '../vm.ts';
import { giveBack } from './backing.ts';
import { invlpgInGuest, loadCr3InGuest, storeInGuest } from './guest-owned.ts';
import type { Mmu, MmuDefinition, MmuDeps } from './mmu.ts';

/**
 * No hypervisor: the guest owns the machine, and the hardware walks its tables. Every other mode is
 * measured against this one. Each VM gets one contiguous piece of host memory.
 */
class Native implements Mmu {
  readonly #deps: MmuDeps;
  readonly #vm: Vm;
  #base = 0;

  constructor(deps: MmuDeps) {
    this.#deps = deps;
    this.#vm = deps.vm;
  }

  start(vcpu: Vcpu): void {
    const vm = this.#vm;
    if (this.#base === 0) {
      this.#base = this.#deps.memory.takeSpan(vm.home, vm.id, vm.memoryPages, 512);
      for (let gfn = 0; gfn < vm.memoryPages; gfn++) vm.p2m[gfn] = this.#base + gfn;
    }
    vcpu.context.frameBase = this.#base;
    vcpu.context.root = vcpu.guestRoot;
  }

  dispose(p2m: Int32Array): void {
    giveBack(p2m, this.#deps.memory);
    this.#base = 0;
  }

  populate(): void {}

  warm(): void {}

  onWalkFault(): Verdict {
    return Verdict.GuestFault;
  }

  onCr3Write(vcpu: Vcpu, core: Core, root: number): void {
    loadCr3InGuest(this.#deps, vcpu, core, root);
  }

  useRoot(vcpu: Vcpu, core: Core): void {
    vcpu.context.root = core.root = vcpu.guestRoot;
  }

  onInvlpg(_vcpu: Vcpu, core: Core, vpn: number): void {
    invlpgInGuest(this.#deps, core, vpn);
  }

  storePte(_vcpu: Vcpu, core: Core, slot: number, entry: number): void {
    storeInGuest(this.#deps, core, slot, entry);
  }

  inspect(): undefined {}
}

export const native: MmuDefinition = {
  name: 'native',
  summary: 'no hypervisor; the baseline every slowdown is measured against',
  params: z.object({}),
  walk: 'one',
  virtualized: false,
  largestPage: () => Infinity,
  create: (_params, deps) => new Native(deps),
};

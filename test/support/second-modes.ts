import { type MmuDefinition, mmuRegistry } from '../../src/hypervisor/mmu/mmu.ts';
import { nested } from '../../src/hypervisor/mmu/nested.ts';

/** Paging modes as a user would add them, each a definition in a file of its own. */

/** Nested paging under another name. */
export const again: MmuDefinition = { ...nested, name: 'nested-again' };

/** Nested paging with all of guest memory mapped before the guest starts. */
export const warm: MmuDefinition = {
  ...nested,
  name: 'nested-warm',
  create(params, deps) {
    const mmu = nested.create(params as never, deps);
    const start = mmu.start.bind(mmu);
    mmu.start = (vcpu) => {
      start(vcpu);
      for (let gfn = 0; gfn < deps.vm.memoryPages; gfn++) mmu.populate(gfn);
    };
    return mmu;
  },
};

/** Walks two dimensions and says one. */
export const lying: MmuDefinition = { ...nested, name: 'nested-lying', walk: 'one' };

/** Works under one hypervisor only. */
export const picky: MmuDefinition = {
  ...nested,
  name: 'nested-picky',
  requires: (params, host) => [
    ...nested.requires!(params as never, host),
    ...(host.profile.startsWith('xen')
      ? []
      : [{ message: `only Xen has it, not ${host.profile}`, suggestion: 'use profile: xen-4.1' }]),
  ],
};

/** The list with a line for each of them. */
export const withSecondModes = (definitions: readonly MmuDefinition[]) => ({
  mmuModes: mmuRegistry([...definitions, again, warm, lying, picky]),
});

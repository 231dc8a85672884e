import { AsidGenerations, asidParams } from './asid-generations.ts';
import type { TagDefinition } from './tag-policy.ts';

/**
 * KVM on processors without flush-by-ASID (Linux 2.6.33, arch/x86/kvm/svm.c: new_asid, pre_svm_run,
 * svm_vcpu_load). Host-side switches leave guest tags alone, so a vCPU that comes back to its pCPU
 * finds what others have not evicted. Forgetting the number is the only flush there is; one flush
 * of everything follows each time a pCPU has handed out all its numbers.
 */
export const kvm: TagDefinition<typeof asidParams> = {
  name: 'kvm',
  summary: 'KVM: tags survive VM switches; a flush or a migration takes a new ASID',
  params: asidParams,
  create: ({ asids }, deps) => new AsidGenerations(deps, asids, 'keep'),
};

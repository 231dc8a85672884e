import { AsidGenerations, asidParams } from './asid-generations.ts';
import type { TagDefinition } from './tag-policy.ts';

/**
 * KVM on processors without flush-by-ASID (Linux 2.6.33, arch/x86/kvm/svm.c: new_asid, pre_svm_run,
 * svm_vcpu_load). Switches in the host leave guest tags alone, so a vCPU that returns to its pCPU
 * finds whatever others have not evicted. Forgetting the number is the only way to flush; each time
 * a pCPU has used all its numbers, everything is flushed once.
 */
export const kvm: TagDefinition<typeof asidParams> = {
  name: 'kvm',
  summary: 'KVM: tags survive VM switches; a flush or a migration takes a new ASID',
  params: asidParams,
  create: ({ asids }, deps) => new AsidGenerations(deps, asids, 'keep'),
};

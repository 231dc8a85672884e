import type { z } from 'zod';
import { AsidGenerations, asidParams, type SwitchEffect } from './asid-generations.ts';
import { none } from './none.ts';
import type { TagDefinition, TagDeps, TagPolicy } from './tag-policy.ts';

/** Where erratum 170 makes ASIDs unreliable Xen does without them (svm/asid.c: svm_asid_init). */
function create(
  params: z.output<typeof asidParams>,
  deps: TagDeps,
  atSwitch: SwitchEffect,
): TagPolicy {
  if (deps.erratum170) return none.create({ flush: 'every-vmrun' }, deps);
  return new AsidGenerations(deps, params.asids, atSwitch);
}

/**
 * Xen up to 4.0 (3.3: xen/arch/x86/hvm/svm/asid.c). A switch between two vCPUs loads Xen's own CR3,
 * and that voids all guests' numbers on the pCPU and starts again at number 1, which comes with a
 * flush of everything, the host's translations included.
 */
export const xen3: TagDefinition<typeof asidParams> = {
  name: 'xen-3',
  summary: 'Xen 3.3-4.0: each vCPU switch voids all tags and flushes the TLBs',
  params: asidParams,
  create: (params, deps) => create(params, deps, 'restart'),
};

/**
 * Xen 4.1 and later (xen/arch/x86/hvm/asid.c). A switch still voids all guests' numbers, but
 * numbering goes on: guests start cold after each switch, and the hardware is flushed only when
 * numbers run out.
 */
export const xen41: TagDefinition<typeof asidParams> = {
  name: 'xen-4.1',
  summary: 'Xen 4.1 and later: each vCPU switch voids all tags; flushed only on exhaustion',
  params: asidParams,
  create: (params, deps) => create(params, deps, 'void'),
};

import type { Choice } from '../base/registry.ts';
import { protections } from '../cluster/fault-tolerance/index.ts';
import { mmuModes } from '../hypervisor/mmu/index.ts';
import type { ParsedScenario } from './schema.ts';

/**
 * How the memory of a group of VMs is virtualized: as the group says, as its protection demands, or
 * as the hypervisor does it for all.
 */
export function pagingOf(
  { hypervisor }: Pick<ParsedScenario, 'hypervisor'>,
  { faultTolerance, mmu }: Pick<ParsedScenario['vms'][number], 'faultTolerance' | 'mmu'>,
): Choice {
  if (mmu) return mmu;
  const demanded = faultTolerance && protections.of(faultTolerance.kind).mmu;
  return demanded ? mmuModes.schema.parse(demanded) : hypervisor.mmu;
}

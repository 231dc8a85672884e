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
  if (mmu) return completed(mmu, hypervisor);
  const demanded = faultTolerance && protections.of(faultTolerance.kind).mmu;
  return completed(demanded ? mmuModes.schema.parse(demanded) : hypervisor.mmu, hypervisor);
}

/** With the parameters that the hypervisor's profile gives where nobody else does. */
export function completed(mmu: Choice, hypervisor: ParsedScenario['hypervisor']): Choice {
  const given = Object.entries(mmuModes.of(mmu.kind).fromProfile ?? {})
    .filter(([param]) => mmu[param] === undefined)
    .map(([param, key]) => [param, hypervisor[key]] as const);
  return given.length === 0 ? mmu : { ...mmu, ...Object.fromEntries(given) };
}

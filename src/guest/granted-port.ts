import { softWalk, walkSoftly } from '../hypervisor/mmu/guest-tables.ts';
import type { Mmu } from '../hypervisor/mmu/mmu.ts';
import { type FaultPort, Verdict } from '../machine/core.ts';
import { Fault } from '../machine/fault.ts';
import { Pte, target } from '../machine/page-tables.ts';
import type { AddressSpace } from './address-space.ts';
import { pagesAt } from './memory.ts';
import { grantAccess } from './page-faults.ts';

/**
 * The fault port of a guest whose kernel takes no time: the first touch of a page finds it mapped,
 * backed and shadowed, as in a long-running program. What the hypervisor has dropped since then
 * faults as usual. `running` returns the address space in CR3.
 */
export function grantedPort(port: FaultPort, mmu: Mmu, running: () => AddressSpace): FaultPort {
  const walk = softWalk();
  return {
    onWalkFault(core, vpn, write, fault) {
      const space = running();
      const { tables, vm } = space.guest;
      const { level, entry } = walkSoftly(tables, space.root, vpn, walk);
      const allowed = level !== 0 && (!write || (entry & Pte.Writable) !== 0);
      if (fault !== Fault.Table || allowed) return port.onWalkFault(core, vpn, write, fault);
      grantAccess(vm.name, space, null, vpn, true);
      walkSoftly(tables, space.root, vpn, walk);
      for (const node of walk.nodes.slice(0, walk.depth)) mmu.populate(tables.frame[node]!);
      const first = target(walk.entry);
      for (let i = 0; i < pagesAt(walk.level); i++) mmu.populate(first + i);
      mmu.warm(space.root, vpn);
      return Verdict.Retry;
    },
  };
}

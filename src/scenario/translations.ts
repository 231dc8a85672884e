import { ModelError } from '../base/errors.ts';
import type { Simulation } from './build.ts';

/**
 * Equivalence law: what the TLBs hold for a vCPU is what its guest tables say, composed with where the hypervisor
 * put the guest's frames. The guest kernel flushes whenever it removes or restricts a mapping, so there is
 * no legal staleness to allow for.
 */
export function checkTranslations(simulation: Simulation): void {
  const { hypervisor, machine, members } = simulation;
  for (const pcpu of hypervisor.pcpus) {
    const vcpu = pcpu.current;
    if (!vcpu) continue;
    const { kernel, vm } = members[vcpu.vm.id]!;
    for (const { vpn, frame, writable } of machine.cores[pcpu.core.id]!.held()) {
      const expected = kernel.translate(vpn);
      const host = expected.frame < 0 ? -1 : vm.p2m[expected.frame]!;
      if (host !== frame || (writable && !expected.writable)) {
        throw new ModelError(
          `${vm.name}: page ${vpn.toString(16)} is cached as host frame ${frame}${writable ? ' writable' : ''}, ` +
            `the guest tables say ${host}${expected.writable ? ' writable' : ''}`,
        );
      }
    }
  }
}

import type { FaultPort } from '../machine/core.ts';
import type { Observer } from '../observe/observer.ts';

/** A paging mode's fault port that tells an observer of every failed walk. */
export function observedPort(port: FaultPort, observer: Observer): FaultPort {
  return {
    onWalkFault(core, vpn, write, fault) {
      const now = core.now;
      const verdict = port.onWalkFault(core, vpn, write, fault);
      observer.onFault(now, core.id, core.vcpu, vpn, verdict);
      return verdict;
    },
  };
}

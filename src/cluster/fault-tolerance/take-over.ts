import type { Cycles } from '../../base/ids.ts';
import type { IoRequest } from '../../hypervisor/device-work.ts';
import type { DiskService } from '../../hypervisor/disk.ts';
import type { Hypervisor } from '../../hypervisor/hypervisor.ts';
import type { Vcpu } from '../../hypervisor/vm.ts';

/**
 * The devices of a host take a guest over at `now`. I/Os that it waits for: requests that the disk
 * has not answered are done again, everything else is over (TCP finds out what has arrived).
 */
export function takeOver(
  { disk: own, work }: Hypervisor,
  vcpu: Vcpu,
  waits: { readonly ios: ReadonlySet<number>; readonly disk: readonly IoRequest[] },
  now: Cycles,
  disk: DiskService = own,
  answered: (request: IoRequest, now: Cycles) => void = () => {},
): void {
  const { ios } = waits;
  for (const request of waits.disk) {
    if (ios.has(request.io)) {
      work.serve(vcpu, request, disk, now + 1, (at) => answered(request, at));
    }
  }
  const again = new Set(waits.disk.map(({ io }) => io));
  for (const io of ios) if (!again.has(io)) vcpu.completed.push(io);
}

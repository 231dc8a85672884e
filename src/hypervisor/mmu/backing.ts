import type { HostMemory } from '../../machine/host-memory.ts';
import type { Vm } from '../vm.ts';

/** Whose memory it is, and what backs it so far. */
export type Backed = Pick<Vm, 'id' | 'home' | 'memoryPages' | 'p2m' | 'missed'>;

/**
 * Backs the 4 KiB, 2 MiB or 1 GiB block around `gfn` with host memory, in one piece if possible:
 * the block must lie inside the VM, and no part of it be backed yet. Returns the page shift of what
 * was allocated (12, 21 or 30), or 0 when `gfn` was already backed.
 */
export function back(
  vm: Backed,
  memory: HostMemory,
  gfn: number,
  pageBytes: number,
): 0 | 12 | 21 | 30 {
  if (vm.p2m[gfn] !== 0) return 0;
  if (vm.missed) {
    // Its content is elsewhere: page by page.
    vm.p2m[gfn] = memory.take(vm.home, vm.id);
    vm.missed(gfn);
    return 12;
  }
  for (const [shift, pages] of [
    [30, 1 << 18],
    [21, 512],
  ] as const) {
    if (pageBytes < 2 ** shift) continue;
    const first = gfn & ~(pages - 1);
    if (first + pages > vm.memoryPages || vm.p2m[first] !== 0) continue;
    // After a post-copy migration, single pages of a block may be backed.
    if (vm.p2m.subarray(first, first + pages).some((frame) => frame !== 0)) continue;
    const frame = memory.takeRange(vm.home, vm.id, pages, pages);
    for (let i = 0; i < pages; i++) vm.p2m[first + i] = frame + i;
    return shift;
  }
  vm.p2m[gfn] = memory.take(vm.home, vm.id);
  return 12;
}

/** Backs everything at once (Xen builds a domain with all its memory). */
export function backAll(vm: Vm, memory: HostMemory, pageBytes: number): void {
  for (let gfn = 0; gfn < vm.memoryPages; gfn++) back(vm, memory, gfn, pageBytes);
}

/** Gives all that backs a VM back to the host, pieces that lie together as such. */
export function giveBack(p2m: Int32Array, memory: HostMemory): void {
  for (let gfn = 0; gfn < p2m.length; ) {
    let count = 1;
    const frame = p2m[gfn]!;
    if (frame !== 0) {
      while (gfn + count < p2m.length && p2m[gfn + count] === frame + count) count++;
      memory.giveRange(frame, count);
    }
    gfn += count;
  }
  p2m.fill(0);
}

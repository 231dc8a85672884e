import type { Cycles, VmId } from '../../base/ids.ts';
import { toCycles } from '../../base/units.ts';
import type { GroupEntity } from './cfs-queue.ts';
import type { SchedulerHost } from './scheduler.ts';

/** cfs_period_us and sched_cfs_bandwidth_slice_us of Linux 3.2: recalled. */
const PERIOD_PS = 100e9;
const SLICE_PS = 5e9;
/** min_cfs_rq_quota: what a pCPU keeps when its group sleeps; recalled. */
const KEPT_PS = 1e9;

/**
 * CPU bandwidth control of Linux 3.2: a VM with a cap has cap times 100 ms in a pool, filled up
 * each 100 ms; pCPUs take 5 ms of it at a time. One that finds the pool empty throttles the VM
 * there until the next period; what it has run over is owed.
 */
export class Bandwidth {
  /** By VM; Infinity without a cap. */
  readonly #quota: Float64Array;
  readonly #pool: Float64Array;
  readonly #left = new Map<GroupEntity, Cycles>();
  readonly #slice: Cycles;
  readonly #kept: Cycles;

  /** `released` is told of groups that may run again. */
  constructor(host: SchedulerHost, hasCaps: boolean, released: (group: GroupEntity) => void) {
    const { vmCount, mhz } = host;
    const period = toCycles(PERIOD_PS, mhz);
    this.#slice = toCycles(SLICE_PS, mhz);
    this.#kept = toCycles(KEPT_PS, mhz);
    this.#quota = Float64Array.from({ length: vmCount }, (_, vm) => {
      const cap = hasCaps ? host.capOf(vm as VmId) : 0;
      return cap > 0 ? Math.round((period * cap) / 100) : Infinity;
    });
    this.#pool = this.#quota.slice();
    if (this.#quota.every((quota) => quota === Infinity)) return;
    host.every(period, () => this.#refill(released));
  }

  /** The VM has run `cycles` on the pCPU of the group. True when it may not go on there. */
  use(group: GroupEntity, cycles: Cycles): boolean {
    if (this.#quota[group.vm] === Infinity) return false;
    const left = (this.#left.get(group) ?? 0) - cycles;
    this.#left.set(group, left > 0 ? left : left + this.#take(group.vm, this.#slice - left));
    return this.#left.get(group)! <= 0;
  }

  /** Nothing of the VM is active on the pCPU any more: all but a little goes back. */
  giveBack(group: GroupEntity): void {
    const left = this.#left.get(group) ?? 0;
    if (left <= this.#kept) return;
    this.#pool[group.vm]! += left - this.#kept;
    this.#left.set(group, this.#kept);
  }

  #take(vm: VmId, wanted: Cycles): Cycles {
    const taken = Math.min(wanted, this.#pool[vm]!);
    this.#pool[vm]! -= taken;
    return taken;
  }

  #refill(released: (group: GroupEntity) => void): void {
    this.#pool.set(this.#quota);
    for (const [group, left] of this.#left) {
      if (!group.throttled) continue;
      this.#left.set(group, left + this.#take(group.vm, 1 - left));
      if (this.#left.get(group)! > 0) released(group);
    }
  }
}

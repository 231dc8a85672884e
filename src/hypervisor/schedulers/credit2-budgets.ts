import type { Cycles, VcpuId, VmId } from '../../base/ids.ts';
import { toCycles } from '../../base/units.ts';
import type { SchedulerHost } from './scheduler.ts';

/** CSCHED2_BDGT_REPL_PERIOD, Xen 4.10 xen/common/sched_credit2.c. */
const PERIOD_PS = 10e9;
/** CSCHED2_MIN_TIMER: a vCPU takes no less at a time. */
const MIN_QUOTA_PS = 500e6;

/**
 * Caps of credit2: each capped VM has a pool that is filled up to cap times period every 10 ms and
 * not carried over; overdrafts are. A vCPU that is picked takes its part of the pool along and
 * brings back what it has not used.
 */
export class Budgets {
  readonly #host: SchedulerHost;
  /** By VM; Infinity without a cap. */
  readonly #pool: Float64Array;
  readonly #full: Float64Array;
  readonly #quota: Float64Array;
  /** By vCPU: what it has taken and not used. */
  readonly #taken: Float64Array;

  /** `refilled` is told of each capped VM after its pool was filled up. */
  constructor(host: SchedulerHost, hasCaps: boolean, refilled: (vm: VmId, now: Cycles) => void) {
    const { vmCount, vcpuCount, mhz } = host;
    this.#host = host;
    const period = toCycles(PERIOD_PS, mhz);
    const vcpus = new Array<number>(vmCount).fill(0);
    for (let vcpu = 0; vcpu < vcpuCount; vcpu++) vcpus[host.vmOf(vcpu as VcpuId)]!++;
    this.#full = Float64Array.from(vcpus, (_, vm) => {
      const cap = hasCaps ? host.capOf(vm as VmId) : 0;
      return cap > 0 ? Math.round((period * cap) / 100) : Infinity;
    });
    this.#pool = this.#full.slice();
    const least = toCycles(MIN_QUOTA_PS, mhz);
    // Whole cycles: a part of one would be no time to run.
    this.#quota = this.#full.map((full, vm) =>
      Math.max(least, Math.ceil(full / Math.max(1, vcpus[vm]!))),
    );
    this.#taken = new Float64Array(vcpuCount);
    if (this.#full.every((full) => full === Infinity)) return;
    host.every(period, (now) => {
      for (const [vm, full] of this.#full.entries()) {
        if (full === Infinity) continue;
        this.#pool[vm] = Math.min(full, this.#pool[vm]! + full);
        refilled(vm as VmId, now);
      }
    });
  }

  /** Whether `vcpu` could take something now. */
  hasBudget(vcpu: VcpuId): boolean {
    return this.#pool[this.#host.vmOf(vcpu)]! > 0;
  }

  /** It is picked: how long it may run; Infinity without a cap. True budgets are above 0. */
  take(vcpu: VcpuId): Cycles {
    const vm = this.#host.vmOf(vcpu);
    if (this.#full[vm] === Infinity) return Infinity;
    const taken = Math.min(this.#quota[vm]!, this.#pool[vm]!);
    this.#pool[vm]! -= taken;
    this.#taken[vcpu] = taken;
    return taken;
  }

  /** It has run, and used some of what it took or more. */
  use(vcpu: VcpuId, ran: Cycles): void {
    this.#taken[vcpu]! -= ran;
  }

  /** It stops: the rest goes back, or what it has run over is owed. */
  giveBack(vcpu: VcpuId): void {
    const vm = this.#host.vmOf(vcpu);
    if (this.#full[vm] !== Infinity) this.#pool[vm]! += this.#taken[vcpu]!;
    this.#taken[vcpu] = 0;
  }
}

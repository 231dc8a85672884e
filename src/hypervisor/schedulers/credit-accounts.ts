import type { Cycles, VcpuId, VmId } from '../../base/ids.ts';
import type { SchedulerHost } from './scheduler.ts';

/** Higher goes first. Values of Xen 4.1, xen/common/sched_credit.c. */
export const Priority = { Boost: 0, Under: -1, Over: -2, Idle: -64 } as const;

/**
 * What a vCPU that runs all the time burns. Xen counts 10 per millisecond, made for timeslices of
 * 30 ms; finer credits keep the shares right at 1 ms.
 */
const CREDITS_PER_MS = 1000;

/**
 * What the accounts ask of the scheduler when a capped VM has overdrawn its credits, or is within
 * its cap again.
 */
export interface Parking {
  park(vcpu: VcpuId): void;
  unpark(vcpu: VcpuId): void;
  isParked(vcpu: VcpuId): boolean;
  /** Asleep: it could not have used its credits. */
  isBlocked(vcpu: VcpuId): boolean;
}

/** `sampledTick`: whoever runs at a tick pays for so many cycles; undefined: by time stamps. */
export interface CreditRules {
  /** The accounting period in picoseconds. */
  readonly period: number;
  readonly sampledTick?: Cycles | undefined;
}

/**
 * The bookkeeping of Xen's credit scheduler: whole credits, burnt by running and handed out by
 * weight each accounting period to the VMs that have been running. The rules are those of
 * csched_acct and burn_credits in Xen 4.1; a Xen domain is a VM here. One difference: Xen takes a
 * vCPU with more than a period's credits for idle and voids part of them, even when it only had to
 * wait for others to end their turns, and then large weights do not get their share; here that is
 * done to vCPUs that sleep.
 *
 * Up to Xen 4.0 nobody looked at the clock: who runs at a tick pays for all of the tick, and a VM
 * has its weight once, not once for each of its vCPUs that earn.
 */
export class CreditAccounts {
  readonly priority: Int8Array;
  /** Number of the accounting period: changes when priorities may have. */
  period = 0;
  readonly #host: SchedulerHost;
  readonly #parking: Parking;
  readonly #perPeriod: number;
  readonly #cyclesPerCredit: number;
  readonly #sampledTick: Cycles | undefined;
  readonly #credit: Int32Array;
  /**
   * Cycles run that do not make up a whole credit yet (or, if negative, that rounding charged too
   * much).
   */
  readonly #rest: Float64Array;
  /** Cycles of the current charge period that have been burnt ahead, by a tick. */
  readonly #ahead: Float64Array;
  #activeVms: VmId[] = [];
  readonly #activeVcpus: VcpuId[][];
  /** Sum of all credits after the last distribution. */
  #balance = 0;

  constructor(host: SchedulerHost, { period, sampledTick }: CreditRules, parking: Parking) {
    this.#host = host;
    this.#parking = parking;
    this.#sampledTick = sampledTick;
    this.#perPeriod = Math.round((period / 1e9) * CREDITS_PER_MS);
    this.#cyclesPerCredit = (host.mhz * 1e3) / CREDITS_PER_MS;
    this.#credit = new Int32Array(host.vcpuCount);
    this.#rest = new Float64Array(host.vcpuCount);
    this.#ahead = new Float64Array(host.vcpuCount);
    this.#activeVcpus = Array.from({ length: host.vmCount }, () => []);
    this.priority = new Int8Array(host.vcpuCount).fill(Priority.Under);
  }

  /** `vcpu` has run `ran` cycles since its last charge and its turn is over. */
  charge(vcpu: VcpuId, ran: Cycles): void {
    if (this.#sampledTick !== undefined) return;
    this.#burn(vcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = 0;
  }

  /** `vcpu` has run `ran` cycles since its last charge and runs on. */
  chargeSoFar(vcpu: VcpuId, ran: Cycles): void {
    if (this.#sampledTick !== undefined) return;
    this.#burn(vcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = ran;
  }

  /** A tick has found `vcpu` running, for `ran` cycles since its last charge. */
  tick(vcpu: VcpuId, ran: Cycles): void {
    if (this.#sampledTick === undefined) this.chargeSoFar(vcpu, ran);
    else this.#burn(vcpu, this.#sampledTick);
  }

  /** A tick has found `vcpu` running: it earns from now on. False if it did already. */
  activate(vcpu: VcpuId): boolean {
    const vm = this.#host.vmOf(vcpu);
    const vcpus = this.#activeVcpus[vm]!;
    if (vcpus.includes(vcpu)) return false;
    if (vcpus.length === 0) this.#activeVms.unshift(vm);
    vcpus.unshift(vcpu);
    return true;
  }

  /** It leaves the host: it earns no longer, and begins like a new one if it returns. */
  remove(vcpu: VcpuId): void {
    this.#deactivate(vcpu, this.#host.vmOf(vcpu));
    this.#balance -= this.#credit[vcpu]!;
    this.#credit[vcpu] = 0;
    this.#rest[vcpu] = 0;
    this.priority[vcpu] = Priority.Under;
  }

  /** Hands out one period's credits and sets priorities: the accounting pass. */
  distribute(): void {
    let weightTotal = 0;
    for (const vm of this.#activeVms) weightTotal += this.#activeWeight(vm);
    if (weightTotal === 0) {
      this.#balance = 0;
      return;
    }
    const perPeriod = this.#perPeriod;
    // A debt left over by the last period is handed out on top, so that the sum returns to zero.
    const debt = Math.max(0, -this.#balance);
    let total = perPeriod * this.#host.pcpuCount + debt;
    let weightLeft = weightTotal;
    let someoneWantsMore = false;
    this.#balance = 0;
    for (const vm of [...this.#activeVms]) {
      const vcpus = this.#activeVcpus[vm]!.slice();
      const weight = this.#activeWeight(vm);
      const cap = this.#host.capOf(vm);
      weightLeft -= weight;
      // No more than its vCPUs can burn in a period, nor than its cap.
      let peak = vcpus.length * perPeriod + Math.ceil((debt * weight) / weightTotal);
      let capPerVcpu = Infinity;
      if (cap > 0) {
        const capCredits = Math.ceil((cap * perPeriod) / 100);
        peak = Math.min(peak, capCredits);
        capPerVcpu = Math.ceil(capCredits / vcpus.length);
      }
      let fair = Math.ceil((total * weight) / weightTotal);
      if (fair < peak) {
        someoneWantsMore = true;
      } else {
        if (weightLeft > 0) total += Math.ceil(((fair - peak) * weightTotal) / weightLeft);
        // First in the next period, so that VMs which want more come after it and share its
        // surplus.
        if (someoneWantsMore) {
          this.#activeVms = [vm, ...this.#activeVms.filter((other) => other !== vm)];
        }
        fair = peak;
      }
      const perVcpu = Math.ceil(fair / vcpus.length);
      for (const vcpu of vcpus) this.#earn(vcpu, vm, perVcpu, capPerVcpu);
    }
    this.period++;
  }

  /** A VM counts once for each of its vCPUs that earn; once in all when ticks are sampled. */
  #activeWeight(vm: VmId): number {
    const active = this.#activeVcpus[vm]!.length;
    if (this.#sampledTick !== undefined) return active > 0 ? this.#host.weightOf(vm) : 0;
    return this.#host.weightOf(vm) * active;
  }

  #earn(vcpu: VcpuId, vm: VmId, earned: number, capPerVcpu: number): void {
    let credit = this.#credit[vcpu]! + earned;
    if (credit < 0) {
      this.priority[vcpu] = Priority.Over;
      if (credit < -capPerVcpu && !this.#parking.isParked(vcpu)) this.#parking.park(vcpu);
      credit = Math.max(credit, -this.#perPeriod);
    } else {
      this.priority[vcpu] = Priority.Under;
      if (this.#parking.isParked(vcpu)) this.#parking.unpark(vcpu);
      if (credit > this.#perPeriod && this.#parking.isBlocked(vcpu)) {
        // It leaves credits unused: it stops earning until a tick finds it running, half a period
        // ahead.
        this.#deactivate(vcpu, vm);
        credit = Math.floor(credit / 2);
      }
    }
    this.#credit[vcpu] = credit;
    this.#balance += credit;
  }

  #deactivate(vcpu: VcpuId, vm: VmId): void {
    const left = this.#activeVcpus[vm]!.filter((other) => other !== vcpu);
    this.#activeVcpus[vm] = left;
    if (left.length === 0) this.#activeVms = this.#activeVms.filter((other) => other !== vm);
  }

  #burn(vcpu: VcpuId, cycles: Cycles): void {
    const rest = this.#rest[vcpu]! + Math.max(0, cycles);
    const credits = Math.round(rest / this.#cyclesPerCredit);
    this.#credit[vcpu]! -= credits;
    this.#rest[vcpu] = rest - credits * this.#cyclesPerCredit;
  }
}

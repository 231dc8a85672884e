import * as z from 'zod';
import type { Cycles, PcpuId, VcpuId } from '../../base/ids.ts';
import { duration, toCycles } from '../../base/units.ts';
import { drop, Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  type PolicyTimer,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';

/** Least budget: MICROSECS(10), Xen 4.8 xen/common/sched_rt.c. */
const MIN_BUDGET_PS = 10e6;

const params = z.object({});

const vmParams = z.object({
  period: duration()
    .refine((ps) => ps >= MIN_BUDGET_PS, 'Xen accepts periods from 10us')
    .prefault('10ms') // RTDS_DEFAULT_PERIOD
    .describe('how often its budget is renewed; default 10ms'),
  budget: duration()
    .refine((ps) => ps >= MIN_BUDGET_PS, 'Xen accepts budgets from 10us')
    .prefault('4ms') // RTDS_DEFAULT_BUDGET
    .describe('time on a pCPU in each period, for each vCPU; default 4ms'),
  extratime: z
    .boolean()
    .prefault(true) // set in rt_alloc_vdata since Xen 4.10 (463b958317)
    .describe('may run beyond its budget when nobody with budget wants the pCPU; default true'),
});
type VmParams = z.output<typeof vmParams>;

/**
 * Xen's RTDS (xen/common/sched_rt.c, event-driven since 4.7, extra time since 4.10): global
 * earliest deadline first with deferrable servers. A vCPU has a budget in each period, which it
 * burns only while it runs, keeps while it sleeps and loses at the end of the period; the deadline
 * is that end. A depleted vCPU is parked until then, or with extra time goes on with a new budget
 * at the next lower priority level. The pass every 1 ms of Xen before 4.7 is left out.
 */
export const rtds: SchedulerDefinition<typeof params, typeof vmParams> = {
  name: 'rtds',
  summary: 'Xen 4.5 and later, for real time: budgets in periods, global EDF, extra time',
  params,
  vmParams,
  workConserving: { within: 'host', delay: 0 },
  idle: () => ({
    weight: 'rtds knows no weights: spare time goes by budget over period',
    cap: 'rtds knows no caps: budget over period is one when extratime is false',
  }),
  check: ({ params: { period, budget } }) =>
    budget > period
      ? {
          key: 'budget',
          message: 'the budget is longer than the period',
          suggestion: 'a vCPU runs on one pCPU at a time: write a budget up to the period',
        }
      : undefined,
  create: (_, host) => new Rtds(host),
};

const State = { Blocked: 0, Queued: 1, Running: 2, Depleted: 3 } as const;

class Rtds implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost<VmParams>;
  readonly #placement: Placement;
  readonly #renewal: PolicyTimer;
  /** vCPUs with budget that wait, in the order in which they came. */
  readonly #queue: VcpuId[] = [];
  /** By pCPU: who runs there, and whether a pass was asked for and has not come yet. */
  readonly #current: VcpuId[];
  readonly #asked: Uint8Array;
  /** By vCPU. */
  readonly #period: Float64Array;
  readonly #full: Float64Array;
  readonly #extra: Uint8Array;
  readonly #left: Float64Array;
  readonly #deadline: Float64Array;
  readonly #level: Int32Array;
  readonly #state: Uint8Array;
  readonly #home: Int32Array;
  /** Cycles of the charge period under way that have been burnt already. */
  readonly #ahead: Float64Array;

  constructor(host: SchedulerHost<VmParams>) {
    const { pcpuCount, vcpuCount } = host;
    this.#host = host;
    this.#placement = new Placement(host);
    this.#renewal = host.timer((now) => this.#renewAll(now));
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#asked = new Uint8Array(pcpuCount);
    this.#period = new Float64Array(vcpuCount);
    this.#full = new Float64Array(vcpuCount);
    this.#extra = new Uint8Array(vcpuCount);
    this.#left = new Float64Array(vcpuCount);
    this.#deadline = new Float64Array(vcpuCount);
    this.#level = new Int32Array(vcpuCount);
    this.#state = new Uint8Array(vcpuCount);
    this.#home = new Int32Array(vcpuCount);
    this.#ahead = new Float64Array(vcpuCount);
  }

  insert(vcpu: VcpuId, now: Cycles): void {
    const { period, budget, extratime } = this.#host.paramsOf(this.#host.vmOf(vcpu));
    this.#period[vcpu] = toCycles(period, this.#host.mhz);
    this.#full[vcpu] = toCycles(budget, this.#host.mhz);
    this.#extra[vcpu] = Number(extratime);
    this.#home[vcpu] = this.#placement.place(vcpu);
    this.#deadline[vcpu] = now; // the first wake-up begins a period
  }

  remove(vcpu: VcpuId): void {
    this.#placement.leave(this.#home[vcpu] as PcpuId);
  }

  wake(vcpu: VcpuId, now: Cycles): void {
    if (now >= this.#deadline[vcpu]!) this.#renew(vcpu, now);
    if (this.#left[vcpu]! > 0) {
      this.#enqueue(vcpu);
      this.#tickle(vcpu);
    } else {
      this.#state[vcpu] = State.Depleted;
    }
    this.#armRenewal();
  }

  sleep(vcpu: VcpuId): void {
    if (this.#state[vcpu] === State.Running) this.#stop(vcpu);
    else drop(this.#queue, vcpu);
    this.#state[vcpu] = State.Blocked;
  }

  /** As in Xen: whoever has the earliest deadline then, possibly the same. */
  yield(vcpu: VcpuId): void {
    this.preempted(vcpu);
  }

  preempted(vcpu: VcpuId): void {
    this.#stop(vcpu);
    if (this.#left[vcpu]! > 0) this.#enqueue(vcpu);
    else this.#state[vcpu] = State.Depleted;
  }

  charge(vcpu: VcpuId, _pcpu: PcpuId, ran: Cycles): void {
    this.#burn(vcpu, ran - this.#ahead[vcpu]!);
    this.#ahead[vcpu] = 0;
  }

  pick(pcpu: PcpuId, _now: Cycles, out: Decision): void {
    this.#asked[pcpu] = 0;
    const vcpu = this.#first(pcpu);
    out.vcpu = vcpu;
    this.#current[pcpu] = vcpu;
    if (vcpu === IDLE) {
      this.#placement.setIdle(pcpu);
      return;
    }
    out.slice = this.#left[vcpu]!;
    this.#queue.splice(this.#queue.indexOf(vcpu), 1);
    this.#state[vcpu] = State.Running;
    this.#home[vcpu] = pcpu;
    this.#placement.setBusy(pcpu);
    // Who had to make room may go on where nobody runs.
    for (const waiting of this.#queue) this.#placement.askFree(waiting);
  }

  isParked(vcpu: VcpuId): boolean {
    return this.#state[vcpu] === State.Depleted;
  }

  #stop(vcpu: VcpuId): void {
    this.#current[this.#home[vcpu]!] = IDLE;
  }

  #enqueue(vcpu: VcpuId): void {
    this.#queue.push(vcpu);
    this.#state[vcpu] = State.Queued;
  }

  /** The waiting vCPU that goes first on `pcpu`; among equals the one that ran there. */
  #first(pcpu: PcpuId): VcpuId {
    let first = IDLE;
    for (const vcpu of this.#queue) {
      if (!this.#host.mayRunOn(vcpu, pcpu)) continue;
      const order = first === IDLE ? -1 : this.#compare(vcpu, first);
      if (order < 0 || (order === 0 && this.#home[vcpu] === pcpu)) first = vcpu;
    }
    return first;
  }

  /** Below 0 when `a` goes before `b`. */
  #compare(a: VcpuId, b: VcpuId): number {
    return this.#level[a]! - this.#level[b]! || this.#deadline[a]! - this.#deadline[b]!;
  }

  #burn(vcpu: VcpuId, cycles: Cycles): void {
    this.#left[vcpu]! -= Math.max(0, cycles);
    if (this.#left[vcpu]! > 0) return;
    this.#left[vcpu] = 0;
    if (!this.#extra[vcpu]) return;
    this.#left[vcpu] = this.#full[vcpu]!;
    this.#level[vcpu]!++;
  }

  /** A new period: the first that ends after `now`. */
  #renew(vcpu: VcpuId, now: Cycles): void {
    const period = this.#period[vcpu]!;
    const periods = Math.floor((now - this.#deadline[vcpu]!) / period) + 1;
    this.#deadline[vcpu]! += periods * period;
    this.#left[vcpu] = this.#full[vcpu]!;
    this.#level[vcpu] = 0;
  }

  /** Renews the budgets that are due, of vCPUs that sleep not. */
  #renewAll(now: Cycles): void {
    const renewed: VcpuId[] = [];
    for (let id = 0; id < this.#state.length; id++) {
      const vcpu = id as VcpuId;
      const state = this.#state[vcpu];
      if (state === State.Blocked || this.#deadline[vcpu]! > now) continue;
      if (state === State.Running) {
        this.#ahead[vcpu] = this.#host.ranSinceCharge(this.#home[vcpu] as PcpuId, now);
      }
      this.#renew(vcpu, now);
      if (state === State.Depleted) this.#enqueue(vcpu);
      renewed.push(vcpu);
    }
    for (const vcpu of renewed) {
      if (this.#state[vcpu] === State.Queued) this.#tickle(vcpu);
      // Its turn ends with the old budget, and its deadline may now be later than another's.
      else this.#reconsider(this.#home[vcpu] as PcpuId);
    }
    this.#armRenewal();
  }

  /** A pass on `pcpu` if somebody who waits goes before the vCPU that runs there. */
  #reconsider(pcpu: PcpuId): void {
    const first = this.#first(pcpu);
    const current = this.#current[pcpu]!;
    if (first !== IDLE && current !== IDLE && this.#compare(first, current) < 0) this.#ask(pcpu);
  }

  #armRenewal(): void {
    let earliest = Infinity;
    for (const [vcpu, state] of this.#state.entries()) {
      if (state !== State.Blocked) earliest = Math.min(earliest, this.#deadline[vcpu]!);
    }
    if (earliest < Infinity) this.#renewal.arm(earliest);
  }

  /** Its last pCPU if that idles, any that idles, or the one whose vCPU goes last and after it. */
  #tickle(vcpu: VcpuId): void {
    const home = this.#home[vcpu] as PcpuId;
    if (this.#placement.isFree(home) && this.#host.mayRunOn(vcpu, home)) {
      this.#placement.ask(home);
      return;
    }
    let latest = -1;
    for (let id = 0; id < this.#current.length; id++) {
      const pcpu = id as PcpuId;
      if (!this.#host.mayRunOn(vcpu, pcpu)) continue;
      if (this.#placement.isFree(pcpu)) {
        this.#placement.ask(pcpu);
        return;
      }
      const current = this.#current[pcpu]!;
      if (current === IDLE || this.#asked[pcpu]) continue; // its pass is under way
      if (latest < 0 || this.#compare(current, this.#current[latest]!) > 0) latest = pcpu;
    }
    if (latest >= 0 && this.#compare(vcpu, this.#current[latest]!) < 0) {
      this.#ask(latest as PcpuId);
    }
  }

  #ask(pcpu: PcpuId): void {
    this.#asked[pcpu] = 1;
    this.#placement.ask(pcpu);
  }
}

import * as z from 'zod';
import type { Cycles, PcpuId, VcpuId } from '../../base/ids.ts';
import { duration, toCycles } from '../../base/units.ts';
import { drop, Placement } from './placement.ts';
import {
  type Decision,
  IDLE,
  localTimer,
  type PolicyTimer,
  type Scheduler,
  type SchedulerDefinition,
  type SchedulerHost,
} from './scheduler.ts';
import { ExtraQueues } from './sedf-extra.ts';

/** EXTRA_QUANTUM, xen/common/sched_sedf.c of Xen 3.4 and 4.1, as all constants here. */
const QUANTUM_PS = 500e6;
/** WEIGHT_PERIOD and WEIGHT_SAFETY: VMs that have weights only share this less the reserve. */
const WEIGHT_PERIOD_PS = 100e9;
const WEIGHT_SAFETY_PS = 5e9;
/** PERIOD_MIN, PERIOD_MAX and SLICE_MIN. */
const PERIOD_MIN_PS = 10e6;
const PERIOD_MAX_PS = 10e12;
const SLICE_MIN_PS = 5e6;

const params = z.object({});

const vmParams = z.object({
  period: duration()
    .refine((ps) => ps >= PERIOD_MIN_PS && ps <= PERIOD_MAX_PS, 'Xen accepts 10us to 10s')
    .prefault('100ms') // WEIGHT_PERIOD, the period of domains that were not set
    .describe('how often it has its slice; default 100ms'),
  slice: duration()
    .refine((ps) => ps === 0 || ps >= SLICE_MIN_PS, 'Xen accepts slices from 5us')
    .prefault('0us') // domains other than Dom0
    .describe('time on its pCPU in each period; 0 = none of its own; default 0us'),
  extratime: z
    .boolean()
    .prefault(true)
    .describe(
      'may have what slices leave over; if not and without a slice, one by weight; default true',
    ),
});
type VmParams = z.output<typeof vmParams>;

/**
 * Xen's simple earliest deadline first of Xen 3 and 4.1 (xen/common/sched_sedf.c): a vCPU with a
 * slice has it in each period, the earliest end of a period first. Who sleeps within its period
 * loses the rest of the slice, and is preferred for it in extra time; who sleeps longer begins a
 * new period when it wakes. What is left goes by quanta of 500 us to those that may have extra
 * time. Without a slice a VM has only that, by weight; or, when it may have none, a slice by weight
 * of what the slices of the others leave. One set of queues per pCPU; vCPUs stay where they were
 * put. A pCPU rather idles than begin a quantum that would not end before the next slice.
 */
export const sedf: SchedulerDefinition<typeof params, typeof vmParams> = {
  name: 'sedf',
  summary: 'Xen 3 simple EDF: a slice in each period, extra time by weight, no balancing',
  params,
  vmParams,
  // "Domain0 gets 75% guaranteed (15ms every 20ms)"
  dom0: { period: '20ms', slice: '15ms' },
  workConserving: { within: 'pcpu', delay: QUANTUM_PS },
  idle: (_, { params: { slice } }) => ({
    cap: 'sedf knows no caps: a slice with extratime: false is one',
    ...(slice > 0
      ? { weight: 'it has a slice: sedf takes either a slice or a weight' }
      : { period: 'slice is 0: nothing is due in a period' }),
  }),
  check: ({ params: { period, slice } }) =>
    slice > period
      ? {
          key: 'slice',
          message: 'the slice is longer than the period',
          suggestion: 'a vCPU runs on one pCPU at a time: write a slice up to the period',
        }
      : undefined,
  create: (_, host) => new Sedf(host),
};

/** Waiting: the slice of the period is used up. Running: what it is that runs. */
const State = { Blocked: 0, Due: 1, Waiting: 2, Slice: 3, Penalty: 4, Extra: 5 } as const;

class Sedf implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost<VmParams>;
  readonly #placement: Placement;
  readonly #quantum: Cycles;
  /** By pCPU: who lives there; who runs; who gets extra time; ends idling. */
  readonly #living: VcpuId[][];
  readonly #current: VcpuId[];
  readonly #extras: ExtraQueues[];
  readonly #begin: PolicyTimer[];
  /** By pCPU: when the turn under way ends by itself. */
  readonly #turnEnd: Float64Array;
  /** By vCPU. */
  readonly #home: PcpuId[] = [];
  readonly #state: Uint8Array;
  readonly #hasExtra: Uint8Array;
  readonly #period: Float64Array;
  readonly #slice: Float64Array;
  readonly #stride: Float64Array;
  /** Of the slice of this period. */
  readonly #used: Float64Array;
  readonly #deadline: Float64Array;
  readonly #ran: Float64Array;

  constructor(host: SchedulerHost<VmParams>) {
    const { pcpuCount, vcpuCount, mhz } = host;
    this.#host = host;
    this.#placement = new Placement(host);
    this.#quantum = toCycles(QUANTUM_PS, mhz);
    this.#living = Array.from({ length: pcpuCount }, () => []);
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#extras = this.#living.map(() => new ExtraQueues(vcpuCount));
    this.#begin = this.#living.map((_, id) => localTimer(host, id as PcpuId));
    this.#turnEnd = new Float64Array(pcpuCount);
    this.#state = new Uint8Array(vcpuCount);
    this.#hasExtra = new Uint8Array(vcpuCount);
    this.#period = new Float64Array(vcpuCount);
    this.#slice = new Float64Array(vcpuCount);
    this.#stride = new Float64Array(vcpuCount);
    this.#used = new Float64Array(vcpuCount);
    this.#deadline = new Float64Array(vcpuCount).fill(-1);
    this.#ran = new Float64Array(vcpuCount);
  }

  insert(vcpu: VcpuId): void {
    const home = this.#placement.place(vcpu);
    const { mhz } = this.#host;
    const { period, slice, extratime } = this.#host.paramsOf(this.#host.vmOf(vcpu));
    this.#home[vcpu] = home;
    this.#living[home]!.push(vcpu);
    this.#hasExtra[vcpu] = Number(extratime);
    this.#period[vcpu] = toCycles(slice > 0 ? period : WEIGHT_PERIOD_PS, mhz);
    this.#slice[vcpu] = toCycles(slice, mhz);
    this.#shareByWeight(home);
    const weight = this.#host.weightOf(this.#host.vmOf(vcpu));
    this.#stride[vcpu] = ExtraQueues.stride(this.#period[vcpu], this.#slice[vcpu], weight);
  }

  remove(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    this.#placement.leave(home);
    drop(this.#living[home]!, vcpu);
    this.#shareByWeight(home);
    this.#deadline[vcpu] = -1;
    this.#used[vcpu] = 0;
  }

  wake(vcpu: VcpuId, now: Cycles): void {
    const home = this.#home[vcpu]!;
    const extra = this.#extras[home]!;
    if (this.#deadline[vcpu]! < 0) this.#deadline[vcpu] = now + this.#slice[vcpu]!;
    if (this.#slice[vcpu] === 0) {
      this.#state[vcpu] = State.Waiting;
    } else if (now < this.#periodBegin(vcpu)) {
      // It slept in extra time.
      this.#state[vcpu] = State.Waiting;
      if (extra.wantsPenalty(vcpu)) extra.compensate(vcpu, this.#period[vcpu]!);
    } else {
      if (now < this.#deadline[vcpu]!) {
        this.#deadline[vcpu]! += this.#period[vcpu]!;
        const lost = Math.max(0, this.#slice[vcpu]! - this.#used[vcpu]!);
        if (this.#hasExtra[vcpu]) extra.compensate(vcpu, this.#period[vcpu]!, lost);
      } else {
        this.#deadline[vcpu] = now + this.#period[vcpu]!;
      }
      this.#used[vcpu] = 0;
      this.#state[vcpu] = this.#periodBegin(vcpu) > now ? State.Waiting : State.Due;
    }
    if (this.#hasExtra[vcpu]) extra.join(vcpu, this.#stride[vcpu]!);
    if (this.#placement.isIdle(home)) this.#placement.ask(home);
    else if (this.#mayInterrupt(vcpu, home)) this.#host.resched(home);
  }

  sleep(vcpu: VcpuId, now: Cycles): void {
    if (this.#current[this.#home[vcpu]!] === vcpu) this.#stop(vcpu, now);
    this.#state[vcpu] = State.Blocked;
    this.#extras[this.#home[vcpu]!]!.leave(vcpu);
  }

  /** Xen has no more than this. */
  yield(vcpu: VcpuId, now: Cycles): void {
    this.preempted(vcpu, now);
  }

  preempted(vcpu: VcpuId, now: Cycles): void {
    this.#stop(vcpu, now);
  }

  charge(vcpu: VcpuId, _pcpu: PcpuId, ran: Cycles): void {
    this.#ran[vcpu]! += ran;
  }

  pick(pcpu: PcpuId, now: Cycles, out: Decision): void {
    let due = IDLE;
    let nextBegin = Infinity;
    for (const vcpu of this.#living[pcpu]!) {
      const state = this.#state[vcpu];
      if (state === State.Blocked || this.#slice[vcpu] === 0) continue;
      this.#catchUp(vcpu, now);
      if (this.#state[vcpu] === State.Waiting) {
        nextBegin = Math.min(nextBegin, this.#periodBegin(vcpu));
      } else if (due === IDLE || this.#deadline[vcpu]! < this.#deadline[due]!) due = vcpu;
    }
    const extra = this.#extras[pcpu]!;
    let vcpu = due;
    if (due !== IDLE) {
      this.#state[due] = State.Slice;
      out.slice = Math.min(this.#slice[due]! - this.#used[due]!, nextBegin - now);
    } else if (nextBegin - now >= this.#quantum) {
      vcpu = extra.penalized;
      if (vcpu === IDLE) {
        vcpu = extra.next;
        if (vcpu !== IDLE) this.#state[vcpu] = State.Extra;
      } else this.#state[vcpu] = State.Penalty;
      out.slice = this.#quantum;
    }
    out.vcpu = vcpu;
    this.#current[pcpu] = vcpu;
    this.#turnEnd[pcpu] = now + out.slice;
    if (vcpu === IDLE) {
      this.#placement.setIdle(pcpu);
      if (nextBegin < Infinity) this.#begin[pcpu]!.arm(nextBegin);
      return;
    }
    this.#begin[pcpu]!.disarm();
    this.#ran[vcpu] = 0;
    this.#placement.setBusy(pcpu);
  }

  /** Its slice is used up, and there is nothing beyond. */
  isParked(vcpu: VcpuId): boolean {
    return this.#state[vcpu] === State.Waiting && this.#hasExtra[vcpu] === 0;
  }

  #periodBegin(vcpu: VcpuId): Cycles {
    return this.#deadline[vcpu]! - this.#period[vcpu]!;
  }

  /** Ends a turn: what it was is charged to the slice or to extra time. */
  #stop(vcpu: VcpuId, now: Cycles): void {
    const home = this.#home[vcpu]!;
    const extra = this.#extras[home]!;
    const ran = this.#ran[vcpu]!;
    const state = this.#state[vcpu];
    this.#current[home] = IDLE;
    this.#state[vcpu] = State.Waiting;
    if (state === State.Penalty) extra.servedPenalty(vcpu, this.#period[vcpu]!, ran);
    else if (state === State.Extra) extra.served(vcpu, this.#stride[vcpu]!);
    else {
      this.#used[vcpu]! += ran;
      if (this.#used[vcpu]! >= this.#slice[vcpu]!) {
        this.#used[vcpu]! -= this.#slice[vcpu]!;
        this.#deadline[vcpu]! += this.#period[vcpu]!;
      } else this.#state[vcpu] = State.Due;
    }
    this.#catchUp(vcpu, now);
  }

  /** Begins its period if that has come; skips periods that went by without it. */
  #catchUp(vcpu: VcpuId, now: Cycles): void {
    if (this.#slice[vcpu] === 0) return;
    if (this.#state[vcpu] === State.Waiting && this.#periodBegin(vcpu) <= now) {
      this.#state[vcpu] = State.Due;
    }
    if (this.#state[vcpu] !== State.Due) return;
    if (this.#deadline[vcpu]! >= now && this.#used[vcpu]! <= this.#slice[vcpu]!) return;
    const period = this.#period[vcpu]!;
    this.#deadline[vcpu]! += period;
    if (this.#deadline[vcpu]! < now) {
      this.#deadline[vcpu]! += Math.ceil((now - this.#deadline[vcpu]!) / period) * period;
    }
    this.#used[vcpu] = 0;
    if (this.#periodBegin(vcpu) > now) this.#state[vcpu] = State.Waiting;
  }

  /** Whether a pass on its busy pCPU makes sense now that it has woken: should_switch of Xen. */
  #mayInterrupt(vcpu: VcpuId, home: PcpuId): boolean {
    const current = this.#current[home]!;
    if (current === IDLE) return false; // between two vCPUs: its pass is under way
    if (this.#slice[vcpu]! > 0 && this.#periodBegin(vcpu) < this.#turnEnd[home]!) return true;
    const extra = this.#extras[home]!;
    if (!extra.wantsPenalty(vcpu)) return false;
    if (this.#state[current] === State.Extra) return true;
    return this.#state[current] === State.Penalty && extra.scoreOf(vcpu) < extra.scoreOf(current);
  }

  /** Slices for the VMs of a pCPU that have none and no extra time: by weight of what is left. */
  #shareByWeight(pcpu: PcpuId): void {
    const living = this.#living[pcpu]!;
    const own = (vcpu: VcpuId) => this.#host.paramsOf(this.#host.vmOf(vcpu));
    const weighted = living.filter((vcpu) => own(vcpu).slice === 0 && !own(vcpu).extratime);
    const weightOf = (vcpu: VcpuId) => this.#host.weightOf(this.#host.vmOf(vcpu));
    const weights = weighted.reduce((sum, vcpu) => sum + weightOf(vcpu), 0);
    const reserved = living.reduce((sum, vcpu) => sum + own(vcpu).slice / own(vcpu).period, 0);
    const left = WEIGHT_PERIOD_PS * (1 - reserved) - WEIGHT_SAFETY_PS;
    for (const vcpu of weighted) {
      const slice = Math.max(SLICE_MIN_PS, (left * weightOf(vcpu)) / weights);
      this.#slice[vcpu] = toCycles(slice, this.#host.mhz);
    }
  }
}

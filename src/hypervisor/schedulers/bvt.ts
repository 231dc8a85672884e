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

/** Minimum charging unit: MCU, Xen 3.0.2 xen/common/sched_bvt.c. */
const MCU_PS = 100e6;
/** Virtual time of one unit at the default weight: MCU_ADVANCE, the same file. */
const MCU_ADVANCE = 10;
/** The weight that this stands for: the default of a VM. */
const DEFAULT_WEIGHT = 256;
/** A lone vCPU runs for so many allowances: "random constant" of the same file. */
const ALONE = 10;

const params = z.object({
  allowance: duration()
    .refine((ps) => ps >= 10e6, 'Xen accepts allowances from 10us')
    .prefault('5ms') // ctx_allow, Xen 3.0.2
    .describe('context-switch allowance: a turn lasts at least this long; default 5ms'),
  turns: z
    .enum(['allowance', 'gap'])
    .prefault('allowance')
    .describe(
      'how long a turn is: the allowance, as Xen 3.0.2 has it by a slip of units, or as meant, ' +
        'until it is an allowance ahead of the next vCPU; default allowance',
    ),
});
type Params = z.output<typeof params>;

const vmParams = z.object({
  warp: duration()
    .prefault('0us') // off until an administrator sets it
    .describe('virtual time that it borrows when it wakes, at the default weight; default 0us'),
  warpLimit: duration()
    .prefault('2000ms') // Xen 3.0.2
    .describe('how long after a wake-up it may run ahead by it; default 2000ms'),
  unwarp: duration()
    .prefault('1000ms') // Xen 3.0.2
    .describe('how long it may not borrow once that time is over; default 1000ms'),
});
type VmParams = z.output<typeof vmParams>;

/**
 * Borrowed virtual time (Duda and Cheriton 1999) as in Xen 3.0.2: the vCPU with the least effective
 * virtual time runs. Virtual time passes by 10 units in each 100 us begun, more for smaller
 * weights; who wakes starts at the least of those that were awake, so that sleeping saves nothing
 * up, and less its warp if it has one. One queue per pCPU, and no vCPU ever changes it: Xen 3.0.2
 * has no balancing.
 */
export const bvt: SchedulerDefinition<typeof params, typeof vmParams> = {
  name: 'bvt',
  summary: 'Xen 2 and 3.0 borrowed virtual time: weights, warp for VMs that must answer soon',
  params,
  vmParams,
  workConserving: { within: 'pcpu', delay: 0 },
  idle: (_, { params: { warp } }) => ({
    cap: 'bvt knows no caps: who is awake shares all of the pCPU',
    ...(warp === 0 && {
      warpLimit: 'warp is 0: nothing is borrowed',
      unwarp: 'warp is 0: nothing is borrowed',
    }),
  }),
  shows: 'allowance',
  turn: ({ allowance }) => allowance,
  create: (chosen, host) => new Bvt(chosen, host),
};

class Bvt implements Scheduler {
  readonly sliceReferences = 0;
  readonly #host: SchedulerHost<VmParams>;
  readonly #placement: Placement;
  readonly #mcu: Cycles;
  readonly #allowance: Cycles;
  readonly #byGap: boolean;
  /** By pCPU: waiting, first come first; who runs and since when; least actual virtual time. */
  readonly #queues: VcpuId[][];
  readonly #current: VcpuId[];
  readonly #startedAt: Float64Array;
  readonly #systemTime: Float64Array;
  /** By pCPU: ends a turn that was made for a vCPU alone. */
  readonly #endTurn: PolicyTimer[];
  /** By vCPU: actual virtual time, and what it passes by in a unit. */
  readonly #actual: Float64Array;
  readonly #advance: Float64Array;
  readonly #home: PcpuId[] = [];
  /** By vCPU: when it woke; -1 when it may not warp until it wakes again. */
  readonly #warpedAt: Float64Array;
  readonly #unwarpedAt: Float64Array;

  constructor(chosen: Params, host: SchedulerHost<VmParams>) {
    const { pcpuCount, vcpuCount, mhz } = host;
    this.#host = host;
    this.#placement = new Placement(host);
    this.#mcu = toCycles(MCU_PS, mhz);
    this.#allowance = toCycles(chosen.allowance, mhz);
    this.#byGap = chosen.turns === 'gap';
    this.#queues = Array.from({ length: pcpuCount }, () => []);
    this.#current = new Array<VcpuId>(pcpuCount).fill(IDLE);
    this.#startedAt = new Float64Array(pcpuCount);
    this.#systemTime = new Float64Array(pcpuCount);
    this.#endTurn = this.#queues.map((_, id) => localTimer(host, id as PcpuId));
    this.#actual = new Float64Array(vcpuCount);
    this.#advance = new Float64Array(vcpuCount);
    this.#warpedAt = new Float64Array(vcpuCount).fill(-1);
    this.#unwarpedAt = new Float64Array(vcpuCount).fill(-Infinity);
  }

  insert(vcpu: VcpuId): void {
    this.#home[vcpu] = this.#placement.place(vcpu);
    const weight = this.#host.weightOf(this.#host.vmOf(vcpu));
    this.#advance[vcpu] = (MCU_ADVANCE * DEFAULT_WEIGHT) / weight;
  }

  remove(vcpu: VcpuId): void {
    this.#placement.leave(this.#home[vcpu]!);
  }

  wake(vcpu: VcpuId, now: Cycles): void {
    const home = this.#home[vcpu]!;
    this.#queues[home]!.unshift(vcpu);
    this.#actual[vcpu] = Math.max(this.#actual[vcpu]!, this.#systemTime[home]!);
    this.#warpedAt[vcpu] = now;
    if (this.#placement.isIdle(home)) {
      this.#placement.ask(home);
      return;
    }
    const current = this.#current[home]!;
    if (current === IDLE) return; // between two vCPUs: its pass is under way
    const ran = this.#host.ranSinceCharge(home, now);
    const ahead = this.#effective(vcpu, now) - this.#effective(current, now, ran);
    if (ahead <= 0) this.#host.resched(home);
    else this.#endTurn[home]!.arm(this.#startedAt[home]! + this.#turn(current, ahead));
  }

  sleep(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    if (!drop(this.#queues[home]!, vcpu)) this.#current[home] = IDLE;
    this.#warpedAt[vcpu] = -1;
  }

  /** Xen 3.0.2 has no more than this: the vCPU with the least virtual time may be the same. */
  yield(vcpu: VcpuId): void {
    this.preempted(vcpu);
  }

  preempted(vcpu: VcpuId): void {
    const home = this.#home[vcpu]!;
    this.#current[home] = IDLE;
    this.#queues[home]!.push(vcpu);
  }

  charge(vcpu: VcpuId, _pcpu: PcpuId, ran: Cycles): void {
    this.#actual[vcpu]! += Math.ceil(ran / this.#mcu) * this.#advance[vcpu]!;
  }

  pick(pcpu: PcpuId, now: Cycles, out: Decision): void {
    const queue = this.#queues[pcpu]!;
    let next = IDLE;
    let least = Infinity;
    let second = Infinity;
    let systemTime = Infinity;
    for (const vcpu of queue) {
      const effective = this.#effective(vcpu, now);
      if (effective < least) {
        second = least;
        least = effective;
        next = vcpu;
      } else if (effective < second) second = effective;
      systemTime = Math.min(systemTime, this.#actual[vcpu]!);
    }
    this.#endTurn[pcpu]!.disarm();
    out.vcpu = next;
    this.#current[pcpu] = next;
    if (next === IDLE) {
      this.#placement.setIdle(pcpu);
      return;
    }
    this.#systemTime[pcpu] = systemTime;
    queue.splice(queue.indexOf(next), 1);
    this.#placement.setBusy(pcpu);
    this.#startedAt[pcpu] = now;
    out.slice = second === Infinity ? ALONE * this.#allowance : this.#turn(next, second - least);
  }

  isParked(): boolean {
    return false;
  }

  /** Length of a turn of `vcpu` when the next vCPU is `gap` units of virtual time behind. */
  #turn(vcpu: VcpuId, gap: number): Cycles {
    const units = Math.floor(gap / this.#advance[vcpu]!);
    // Xen adds the number of units to a time in nanoseconds: next to nothing.
    return this.#allowance + (this.#byGap ? units * this.#mcu : 0);
  }

  /** Actual virtual time, `ran` cycles more, less the warp if it may run ahead now. */
  #effective(vcpu: VcpuId, now: Cycles, ran = 0): number {
    const actual = this.#actual[vcpu]! + Math.ceil(ran / this.#mcu) * this.#advance[vcpu]!;
    if (this.#warpedAt[vcpu]! < 0) return actual;
    const { warp, warpLimit, unwarp } = this.#host.paramsOf(this.#host.vmOf(vcpu));
    if (warp === 0) return actual;
    const cycles = (ps: number) => toCycles(ps, this.#host.mhz);
    if (
      now - this.#warpedAt[vcpu]! < cycles(warpLimit) &&
      now - this.#unwarpedAt[vcpu]! > cycles(unwarp)
    ) {
      return actual - (warp / MCU_PS) * MCU_ADVANCE;
    }
    this.#warpedAt[vcpu] = -1;
    this.#unwarpedAt[vcpu] = now;
    return actual;
  }
}

import type { Cycles, VcpuId } from '../../base/ids.ts';

/** 2^30 ns in picoseconds: LOADAVG window, Xen 4.8 xen/common/sched_credit2.c. */
export const LOAD_WINDOW_PS = 2 ** 30 * 1e3;
/** A run queue below its number of pCPUs is left alone up to this difference in vCPUs. */
const UNDERLOAD_TOLERANCE = 1;
/** One above it, up to this. Both Xen 4.8: opt_underload_ and opt_overload_balance_tolerance. */
const OVERLOAD_TOLERANCE = 2 ** -3;
/** A vCPU starts with a load of half: csched2_alloc_vdata. */
const FIRST_LOAD = 0.5;

/** Averages of how many vCPUs want to run: of each run queue, and of each vCPU. */
export class LoadAverages {
  readonly #window: Cycles;
  readonly #load: Float64Array;
  readonly #average: Float64Array;
  readonly #since: Float64Array;
  readonly #queues: number;

  /** `window`: of the averages, in cycles. */
  constructor(queues: number, vcpus: number, window: Cycles) {
    this.#queues = queues;
    this.#window = window;
    this.#load = new Float64Array(queues + vcpus);
    this.#average = new Float64Array(queues + vcpus).fill(FIRST_LOAD, queues);
    this.#since = new Float64Array(queues + vcpus);
  }

  ofQueue(queue: number, now: Cycles): number {
    return this.#upTo(queue, now);
  }

  ofVcpu(vcpu: VcpuId, now: Cycles): number {
    return this.#upTo(this.#queues + vcpu, now);
  }

  /** `vcpu` wants to run (1) or no longer does (-1) in `queue`. */
  change(queue: number, vcpu: VcpuId, by: 1 | -1, now: Cycles): void {
    this.#upTo(queue, now);
    this.#upTo(this.#queues + vcpu, now);
    this.#load[queue]! += by;
    this.#load[this.#queues + vcpu]! += by;
  }

  /** `vcpu` has moved from one queue to another, with its average. */
  move(vcpu: VcpuId, from: number, to: number, now: Cycles): void {
    const average = this.ofVcpu(vcpu, now);
    const load = this.#load[this.#queues + vcpu]!;
    this.#average[from] = Math.max(0, this.#upTo(from, now) - average);
    this.#average[to] = this.#upTo(to, now) + average;
    this.#load[from]! -= load;
    this.#load[to]! += load;
  }

  /** `vcpu`, which sleeps, leaves the host: its queue's average loses its. */
  leave(queue: number, vcpu: VcpuId, now: Cycles): void {
    const average = this.ofVcpu(vcpu, now);
    this.#average[queue] = Math.max(0, this.#upTo(queue, now) - average);
    this.#average[this.#queues + vcpu] = FIRST_LOAD;
  }

  /**
   * As Xen: weighted by what part of the window has passed, and the load itself after all of it.
   */
  #upTo(at: number, now: Cycles): number {
    const passed = Math.max(0, now - this.#since[at]!);
    const part = Math.min(1, passed / this.#window);
    this.#average[at]! += (this.#load[at]! - this.#average[at]!) * part;
    this.#since[at] = Math.max(now, this.#since[at]!);
    return this.#average[at]!;
  }
}

/** A queue as balancing sees it. */
export interface BalancedQueue {
  readonly load: number;
  readonly pcpus: number;
  /** Those that may go to the other queue, with their loads. */
  readonly movable: readonly { readonly vcpu: VcpuId; readonly load: number }[];
}

/** Whether two queues differ enough for anything to be moved. */
export function unbalanced(a: BalancedQueue, b: BalancedQueue): boolean {
  const fuller = a.load > b.load ? a : b;
  const tolerance = fuller.load < fuller.pcpus ? UNDERLOAD_TOLERANCE : OVERLOAD_TOLERANCE;
  return Math.abs(a.load - b.load) >= tolerance;
}

/**
 * Which vCPU to push from `own`, which to pull from `other`, or which pair to exchange, so that the
 * least difference is left; nobody when nothing makes it smaller.
 */
export function bestMove(
  own: BalancedQueue,
  other: BalancedQueue,
): { readonly push?: VcpuId; readonly pull?: VcpuId } {
  const difference = own.load - other.load;
  let left = Math.abs(difference);
  let best: { push?: VcpuId; pull?: VcpuId } = {};
  const nobody = { vcpu: undefined, load: 0 };
  for (const push of [nobody, ...own.movable]) {
    for (const pull of [nobody, ...other.movable]) {
      const after = Math.abs(difference - 2 * push.load + 2 * pull.load);
      if (after >= left) continue;
      left = after;
      best = {
        ...(push.vcpu !== undefined && { push: push.vcpu }),
        ...(pull.vcpu !== undefined && { pull: pull.vcpu }),
      };
    }
  }
  return best;
}

import type { Cycles } from '../../base/ids.ts';
import { toCycles } from '../../base/units.ts';
import type { Entity, FairQueue } from './cfs-queue.ts';
import { NICE_0 } from './cfs-queue.ts';

/**
 * Numbers of a kernel in milliseconds, before they are multiplied by 1 + log2(CPUs), of which at
 * most `cpus` count. 2.6.31: kernel/sched_fair.c of 2.6.28 to 2.6.31. 2.6.33: of 2.6.32 and 2.6.33
 * (the limit of CPUs is new in 2.6.33). 3.2.0: of 2.6.37 and later, with caps (CFS bandwidth).
 */
export const KERNELS = {
  '2.6.31': { latency: 20, least: 4, wakeup: 5, threads: 5, cpus: Infinity },
  '2.6.33': { latency: 5, least: 1, wakeup: 1, threads: 5, cpus: 8 },
  '3.2.0': { latency: 6, least: 0.75, wakeup: 1, threads: 8, cpus: 8 },
} as const;
export type KernelVersion = keyof typeof KERNELS;

/** The arithmetic of kernel/sched_fair.c: who runs for how long, and who preempts whom. */
export class FairRules {
  /** In cycles, multiplied. */
  readonly latency: Cycles;
  readonly least: Cycles;
  readonly wakeup: Cycles;
  /** So many active entities share one latency; each more makes the period longer. */
  readonly threads: number;
  /** The kernel has what 2.6.32 brought: gentle sleepers, asymmetric granularity, last buddies. */
  readonly #since32: boolean;
  /** Of 2.6.32 and 2.6.33 only. */
  readonly #adaptive: boolean;

  constructor(version: KernelVersion, pcpus: number, mhz: number) {
    const { latency, least, wakeup, threads, cpus } = KERNELS[version];
    const factor = 1 + Math.floor(Math.log2(Math.min(pcpus, cpus)));
    const cycles = (ms: number) => toCycles(ms * factor * 1e9, mhz);
    this.latency = cycles(latency);
    this.least = cycles(least);
    this.wakeup = cycles(wakeup);
    this.threads = threads;
    this.#since32 = version !== '2.6.31';
    this.#adaptive = version === '2.6.33';
  }

  /** In what time each of so many active entities runs once. */
  period(active: number): Cycles {
    return active > this.threads ? active * this.least : this.latency;
  }

  /** Part of a period that `path` runs: an entity, then the group that it is in, and so on. */
  slice(path: readonly Entity[]): Cycles {
    const period = this.period(path[0]!.queue.active);
    return path.reduce((time, { weight, queue }) => time * (weight / queue.load), period);
  }

  /** Where an entity begins that has slept: it gets some of what it missed. */
  placeSleeper(entity: Entity): void {
    const credit = this.#since32 ? this.latency / 2 : this.latency;
    entity.vruntime = Math.max(entity.vruntime, entity.queue.minVruntime - credit);
  }

  /** Where a new thread begins, not yet in its queue: one slice behind (START_DEBIT). */
  placeNew(entity: Entity): void {
    const { queue, weight } = entity;
    const slice = this.period(queue.active + 1) * (weight / (queue.load + weight));
    entity.vruntime = Math.max(entity.vruntime, queue.minVruntime + entity.virtual(slice));
  }

  /** A tick: has the entity that runs in `path[0].queue` run long enough? */
  isOver(path: readonly Entity[]): boolean {
    const [entity] = path as readonly [Entity];
    const { queue } = entity;
    if (queue.active < 2) return false;
    const slice = this.slice(path);
    const ran = entity.ranThisTurn;
    if (ran > slice) {
      queue.last = null;
      return true;
    }
    if (!this.#since32 || ran < this.least) return false;
    return entity.vruntime - queue.leftmost!.vruntime > slice;
  }

  /**
   * Whether `woken` preempts `current`, which runs in the same queue. `burst`: cycles that the vCPU
   * in question runs between waking and sleeping, on average.
   */
  preempts(woken: Entity, current: Entity, burst: Cycles): boolean {
    const behind = current.vruntime - woken.vruntime;
    return behind > 0 && behind > this.#granularity(woken, current, burst);
  }

  #granularity(woken: Entity, current: Entity, burst: Cycles): number {
    // ASYM_GRAN: by the weight of who wakes; before, by that of who runs, if it is heavy.
    if (!this.#since32) {
      return current.weight > NICE_0 ? current.virtual(this.wakeup) : this.wakeup;
    }
    if (!this.#adaptive) return woken.virtual(this.wakeup);
    const expected = 2 * burst * woken.queue.active - current.ranThisTurn;
    return woken.virtual(Math.min(Math.max(expected, 0), this.wakeup));
  }

  /** Who runs next in a queue: the least virtual time, or a last buddy that is not far from it. */
  next(queue: FairQueue): Entity | undefined {
    const { leftmost, last } = queue;
    queue.last = null;
    if (!leftmost || !last || last === leftmost || !queue.waiting.includes(last)) return leftmost;
    return last.vruntime - leftmost.vruntime > leftmost.virtual(this.wakeup) ? leftmost : last;
  }

  /**
   * How much load a pCPU that is not idle may take from a fuller one: what brings one of the two to
   * the mean, or an entity of average weight if the other is ahead by one, or has heavier ones
   * (calculate_imbalance, fix_small_imbalance).
   */
  room(own: FairQueue, other: FairQueue, mean: number): number {
    const room = Math.min(other.load - mean, mean - own.load);
    const each = other.load / other.active;
    const isAhead = other.load - own.load >= each || each > own.load / own.active;
    return room < each && isAhead ? each : room;
  }

  /** Whether one that is preempted is remembered as last buddy. */
  hasBuddies(queue: FairQueue): boolean {
    return this.#since32 && queue.active >= this.threads;
  }
}

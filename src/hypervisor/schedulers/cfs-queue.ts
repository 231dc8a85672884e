import type { Cycles, PcpuId, VcpuId, VmId } from '../../base/ids.ts';

/** Weight of a thread of nice 0, and of a control group that nobody set: NICE_0_LOAD. */
export const NICE_0 = 1024;

/** What competes for a pCPU: a vCPU in the queue of its VM, or a VM in the queue of a pCPU. */
export class Entity {
  /** Where it competes. */
  queue: FairQueue;
  weight: number;
  /** Virtual time in cycles of a thread of nice 0. */
  vruntime = 0;
  /** Cycles run in all, and when it was picked last. */
  ran = 0;
  ranAtPick = 0;
  /** It is in its queue, or runs. */
  active = false;

  constructor(queue: FairQueue, weight: number) {
    this.queue = queue;
    this.weight = weight;
  }

  /** Cycles in virtual time. */
  virtual(cycles: Cycles): number {
    return (cycles * NICE_0) / this.weight;
  }

  get ranThisTurn(): Cycles {
    return this.ran - this.ranAtPick;
  }
}

export class VcpuEntity extends Entity {
  readonly vcpu: VcpuId;

  constructor(vcpu: VcpuId, queue: FairQueue) {
    super(queue, NICE_0);
    this.vcpu = vcpu;
  }
}

/** What a VM is on one pCPU: a group, whose vCPUs there have a queue of their own. */
export class GroupEntity extends Entity {
  readonly vm: VmId;
  readonly pcpu: PcpuId;
  readonly own: FairQueue;
  /** Out of its cap: it competes for nothing. */
  throttled = false;

  constructor(vm: VmId, pcpu: PcpuId, queue: FairQueue) {
    super(queue, NICE_0);
    this.vm = vm;
    this.pcpu = pcpu;
    this.own = new FairQueue();
  }
}

/** One level of the completely fair scheduler on one pCPU: cfs_rq of kernel/sched_fair.c. */
export class FairQueue {
  /** Active entities that do not run. */
  readonly waiting: Entity[] = [];
  current: Entity | null = null;
  /** Never falls: where those that join begin. */
  minVruntime = 0;
  /** Weights of all active entities. */
  load = 0;
  /** Preempted by one that woke up: it goes on first. */
  last: Entity | null = null;

  get active(): number {
    return this.waiting.length + (this.current ? 1 : 0);
  }

  /** The one that waits with the least virtual time. */
  get leftmost(): Entity | undefined {
    let least: Entity | undefined;
    for (const entity of this.waiting) {
      if (!least || entity.vruntime < least.vruntime) least = entity;
    }
    return least;
  }

  enqueue(entity: Entity): void {
    entity.active = true;
    this.load += entity.weight;
    this.waiting.push(entity);
  }

  /** It sleeps, leaves, or is throttled: whether it waits or runs. */
  dequeue(entity: Entity): void {
    entity.active = false;
    this.load -= entity.weight;
    if (this.current === entity) this.current = null;
    else this.waiting.splice(this.waiting.indexOf(entity), 1);
    if (this.last === entity) this.last = null;
    this.updateMin();
  }

  /** It runs from now on. */
  run(entity: Entity): void {
    this.waiting.splice(this.waiting.indexOf(entity), 1);
    this.current = entity;
    entity.ranAtPick = entity.ran;
  }

  /** It has run and waits again. */
  putBack(): void {
    if (!this.current) return;
    this.waiting.push(this.current);
    this.current = null;
  }

  /** The one that runs has run `cycles`. */
  charge(cycles: Cycles): void {
    const { current } = this;
    if (!current) return;
    current.ran += cycles;
    current.vruntime += current.virtual(cycles);
    this.updateMin();
  }

  reweigh(entity: Entity, weight: number): void {
    if (entity.active) this.load += weight - entity.weight;
    entity.weight = weight;
  }

  updateMin(): void {
    const left = this.leftmost;
    const least = Math.min(left?.vruntime ?? Infinity, this.current?.vruntime ?? Infinity);
    if (least < Infinity) this.minVruntime = Math.max(this.minVruntime, least);
  }
}

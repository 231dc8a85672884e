import type { Cycles, VcpuId } from '../../base/ids.ts';
import { drop } from './placement.ts';
import { IDLE } from './scheduler.ts';

/** Parts of a score: 10 bits, xen/common/sched_sedf.c. */
const ONE = 2 ** 10;
/** The weight that counts as much as all of a pCPU reserved, in Xen's units (1 << 17 over it). */
const FULL_WEIGHT = 128;
/** Xen's units in one of a scenario's: its default weight of 256 stands for a full pCPU. */
const UNITS = FULL_WEIGHT / 256;

/**
 * Who gets what the slices leave over on one pCPU, in quanta: first the vCPUs that have just lost
 * the rest of a slice by sleeping (level 0), the largest loss first; then all that may have extra
 * time (level 1), in turn and in proportion to slice over period, or to weight.
 */
export class ExtraQueues {
  /** By vCPU: cycles lost by sleeping that have not been made up for. */
  readonly lost: Float64Array;
  readonly #wantsPenalty: Uint8Array;
  readonly #penalty: VcpuId[] = [];
  readonly #util: VcpuId[] = [];
  /** By vCPU: level 0, period over loss; level 1, where it stands in the circle. */
  readonly #score: Float64Array;
  readonly #place: Float64Array;
  /** Place in the circle of the vCPU that ran last. */
  #now = 0;

  constructor(vcpuCount: number) {
    this.lost = new Float64Array(vcpuCount);
    this.#wantsPenalty = new Uint8Array(vcpuCount);
    this.#score = new Float64Array(vcpuCount);
    this.#place = new Float64Array(vcpuCount);
  }

  /** How far a quantum takes a vCPU round the circle. */
  static stride(period: Cycles, slice: Cycles, weight: number): number {
    return slice > 0 ? (period * ONE) / slice : (ONE * FULL_WEIGHT) / (weight * UNITS);
  }

  /** It may have extra time from now on: a stride behind who is served now. */
  join(vcpu: VcpuId, stride: number): void {
    if (this.#util.includes(vcpu)) return;
    this.#place[vcpu] = this.#now + stride;
    this.#util.push(vcpu);
  }

  leave(vcpu: VcpuId): void {
    drop(this.#util, vcpu);
    drop(this.#penalty, vcpu);
  }

  /** It has lost `cycles` of its slice by sleeping, or is still owed some. */
  compensate(vcpu: VcpuId, period: Cycles, cycles = this.lost[vcpu]!): void {
    this.lost[vcpu] = cycles;
    drop(this.#penalty, vcpu);
    this.#wantsPenalty[vcpu] = Number(cycles > 0);
    if (cycles <= 0) return;
    this.#score[vcpu] = (period * ONE) / cycles;
    this.#penalty.push(vcpu);
  }

  wantsPenalty(vcpu: VcpuId): boolean {
    return this.#wantsPenalty[vcpu] === 1;
  }

  scoreOf(vcpu: VcpuId): number {
    return this.#score[vcpu]!;
  }

  /** Who is next of level 0, or IDLE. */
  get penalized(): VcpuId {
    return least(this.#penalty, this.#score);
  }

  /** Who is next of level 1, or IDLE. */
  get next(): VcpuId {
    return least(this.#util, this.#place);
  }

  /** It has had a quantum of level 0 of `ran` cycles. */
  servedPenalty(vcpu: VcpuId, period: Cycles, ran: Cycles): void {
    this.compensate(vcpu, period, Math.max(0, this.lost[vcpu]! - ran));
  }

  /** It has had a quantum of level 1. */
  served(vcpu: VcpuId, stride: number): void {
    this.#now = Math.max(this.#now, this.#place[vcpu]!);
    this.#place[vcpu] = this.#now + stride;
    // Behind those that stand at the same place.
    if (drop(this.#util, vcpu)) this.#util.push(vcpu);
  }
}

function least(list: readonly VcpuId[], by: Float64Array): VcpuId {
  let found = IDLE;
  for (const vcpu of list) if (found === IDLE || by[vcpu]! < by[found]!) found = vcpu;
  return found;
}

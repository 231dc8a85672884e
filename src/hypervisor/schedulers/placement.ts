import type { PcpuId, VcpuId } from '../../base/ids.ts';
import type { SchedulerHost } from './scheduler.ts';

/** Takes `vcpu` out of a queue; false if it is not there. */
export function drop(queue: VcpuId[], vcpu: VcpuId): boolean {
  const at = queue.indexOf(vcpu);
  if (at >= 0) queue.splice(at, 1);
  return at >= 0;
}

const Pass = { Busy: 0, Idle: 1, Asked: 2 } as const;

/**
 * What policies with one run queue per pCPU share: where a new vCPU starts, which pCPUs are idle,
 * and which idle pCPU is asked to come and fetch work. An idle pCPU that has been asked is not
 * asked again before its scheduling pass, so that two wake-ups reach two idle pCPUs.
 */
export class Placement {
  readonly #host: SchedulerHost;
  readonly #placed: Int32Array;
  readonly #pass: Uint8Array;
  #unasked: number;
  #lastAsked = -1;

  constructor(host: SchedulerHost) {
    this.#host = host;
    this.#placed = new Int32Array(host.pcpuCount);
    this.#pass = new Uint8Array(host.pcpuCount).fill(Pass.Idle);
    this.#unasked = host.pcpuCount;
  }

  /**
   * The pCPU on which `vcpu` starts: of those allowed, the one with fewest vCPUs, then the lowest.
   */
  place(vcpu: VcpuId): PcpuId {
    let best = -1;
    for (let pcpu = 0; pcpu < this.#placed.length; pcpu++) {
      if (!this.#host.mayRunOn(vcpu, pcpu as PcpuId)) continue;
      if (best < 0 || this.#placed[pcpu]! < this.#placed[best]!) best = pcpu;
    }
    if (best < 0) throw new Error(`vCPU ${vcpu} may not run on any pCPU`);
    this.#placed[best]!++;
    return best as PcpuId;
  }

  /** `vcpu`, which started on `pcpu` or was moved there, has left the host. */
  leave(pcpu: PcpuId): void {
    this.#placed[pcpu] = Math.max(0, this.#placed[pcpu]! - 1);
  }

  /** `pick` found something to run there. */
  setBusy(pcpu: PcpuId): void {
    if (this.#pass[pcpu] === Pass.Idle) this.#unasked--;
    this.#pass[pcpu] = Pass.Busy;
  }

  /** `pick` found nothing. */
  setIdle(pcpu: PcpuId): void {
    if (this.#pass[pcpu] !== Pass.Idle) this.#unasked++;
    this.#pass[pcpu] = Pass.Idle;
  }

  /** Nothing runs there, whether or not a pass is due. */
  isIdle(pcpu: PcpuId): boolean {
    return this.#pass[pcpu] !== Pass.Busy;
  }

  /** Nothing runs there and no pass is due. */
  isFree(pcpu: PcpuId): boolean {
    return this.#pass[pcpu] === Pass.Idle;
  }

  /** Requests a scheduling pass on `pcpu`. */
  ask(pcpu: PcpuId): void {
    if (this.#pass[pcpu] === Pass.Idle) {
      this.#pass[pcpu] = Pass.Asked;
      this.#unasked--;
    }
    this.#host.resched(pcpu);
  }

  /** A free pCPU on which `vcpu` may run, the lowest; undefined: none. */
  freeFor(vcpu: VcpuId): PcpuId | undefined {
    for (let pcpu = 0; pcpu < this.#pass.length; pcpu++) {
      const may = this.#host.mayRunOn(vcpu, pcpu as PcpuId);
      if (may && this.#pass[pcpu] === Pass.Idle) return pcpu as PcpuId;
    }
    return undefined;
  }

  /** There are free pCPUs, but `vcpu` may not run on any of them. */
  onlyOthersFree(vcpu: VcpuId): boolean {
    return this.#unasked > 0 && this.freeFor(vcpu) === undefined;
  }

  /** Asks one free pCPU that may run `vcpu`, the next one in turn after the last that was asked. */
  askFree(vcpu: VcpuId): void {
    if (this.#unasked === 0) return;
    const count = this.#pass.length;
    for (let step = 1; step <= count; step++) {
      const pcpu = ((this.#lastAsked + step) % count) as PcpuId;
      if (this.#pass[pcpu] !== Pass.Idle || !this.#host.mayRunOn(vcpu, pcpu)) continue;
      this.#lastAsked = pcpu;
      this.ask(pcpu);
      return;
    }
  }

  /** Asks free pCPUs for the vCPUs that are left waiting behind a busy one: work conservation. */
  askForWaiting(queues: readonly (readonly VcpuId[])[]): void {
    for (let pcpu = 0; pcpu < queues.length; pcpu++) {
      if (this.#unasked === 0) return;
      if (this.isIdle(pcpu as PcpuId)) continue;
      const queue = queues[pcpu]!;
      for (let i = 0; i < queue.length; i++) this.askFree(queue[i]!);
    }
  }
}

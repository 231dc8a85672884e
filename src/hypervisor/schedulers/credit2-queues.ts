import type { PcpuId, VcpuId } from '../../base/ids.ts';
import { IDLE, type SchedulerHost } from './scheduler.ts';

/** Run queues that several pCPUs share: who belongs to which, and who waits, most credit first. */
export class RunQueues {
  readonly #host: SchedulerHost;
  readonly #size: number;
  readonly #waiting: VcpuId[][];
  readonly #members: VcpuId[][];
  readonly #pcpus: PcpuId[][];
  readonly #heaviest: number[];
  /** By vCPU. */
  readonly #at: Int32Array;
  readonly credit: Float64Array;

  /** `size`: pCPUs that share one; `credit`: of each vCPU at first. */
  constructor(host: SchedulerHost, size: number, credit: number) {
    const { pcpuCount, vcpuCount } = host;
    this.#host = host;
    this.#size = size;
    const count = Math.ceil(pcpuCount / size);
    this.#waiting = Array.from({ length: count }, () => []);
    this.#members = this.#waiting.map(() => []);
    this.#heaviest = this.#waiting.map(() => 0);
    this.#pcpus = this.#waiting.map(() => []);
    for (let pcpu = 0; pcpu < pcpuCount; pcpu++) {
      this.#pcpus[this.ofPcpu(pcpu as PcpuId)]!.push(pcpu as PcpuId);
    }
    this.#at = new Int32Array(vcpuCount);
    this.credit = new Float64Array(vcpuCount).fill(credit);
  }

  get count(): number {
    return this.#waiting.length;
  }

  ofPcpu(pcpu: PcpuId): number {
    return Math.floor(pcpu / this.#size);
  }
  ofVcpu(vcpu: VcpuId): number {
    return this.#at[vcpu]!;
  }
  pcpusOf(queue: number): readonly PcpuId[] {
    return this.#pcpus[queue]!;
  }
  waitingIn(queue: number): readonly VcpuId[] {
    return this.#waiting[queue]!;
  }
  membersOf(queue: number): readonly VcpuId[] {
    return this.#members[queue]!;
  }

  /** `vcpu` belongs to `queue` from now on. */
  join(vcpu: VcpuId, queue: number): void {
    this.#at[vcpu] = queue;
    this.#members[queue]!.push(vcpu);
    this.#heaviest[queue] = Math.max(this.#heaviest[queue]!, this.#weightOf(vcpu));
  }

  leave(vcpu: VcpuId): void {
    const queue = this.#at[vcpu]!;
    const left = this.#members[queue]!.filter((other) => other !== vcpu);
    this.#members[queue] = left;
    this.#heaviest[queue] = Math.max(0, ...left.map((other) => this.#weightOf(other)));
  }

  /** `vcpu` waits, behind all that have as much credit. */
  insert(vcpu: VcpuId): void {
    const { credit } = this;
    const waiting = this.#waiting[this.#at[vcpu]!]!;
    let at = 0;
    while (at < waiting.length && credit[waiting[at]!]! >= credit[vcpu]!) at++;
    waiting.splice(at, 0, vcpu);
  }

  /** `vcpu` waits no longer. */
  remove(vcpu: VcpuId): void {
    const waiting = this.#waiting[this.#at[vcpu]!]!;
    waiting.splice(waiting.indexOf(vcpu), 1);
  }

  /** Credit burnt in a cycle: 1 for the heaviest of the queue, more for lighter ones. */
  speed(vcpu: VcpuId): number {
    return this.#heaviest[this.#at[vcpu]!]! / this.#weightOf(vcpu);
  }

  /** Whether a waiting `vcpu` has as much credit as anybody who waits. */
  isFirst(vcpu: VcpuId): boolean {
    const head = this.#waiting[this.#at[vcpu]!]![0] ?? IDLE;
    return head === IDLE || this.credit[head]! <= this.credit[vcpu]!;
  }

  #weightOf(vcpu: VcpuId): number {
    return this.#host.weightOf(this.#host.vmOf(vcpu));
  }
}

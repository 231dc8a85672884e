import type { Cycles } from '../base/ids.ts';
import type { Observer } from './observer.ts';

/** Time that a vCPU ran on a pCPU without a break. */
export interface RunSlice {
  readonly pcpu: number;
  readonly vcpu: number;
  readonly start: Cycles;
  readonly cycles: Cycles;
}

/** Number of the run state `running`. */
const RUNNING = 0;

/**
 * Notes which vCPU ran where and when, from the beginning of the measured window until `most`
 * stretches of time are noted: enough to draw a timeline, at the price of a few numbers for each
 * switch.
 */
export class RunSlices {
  readonly #from: Cycles;
  readonly #most: number;
  readonly #inner: Pick<Observer, 'onRunstate'>;
  /** Since when each vCPU runs, and where; below 0: it does not. */
  readonly #since: Float64Array;
  readonly #where: Int32Array;
  readonly #noted: RunSlice[] = [];
  /** What is noted is complete up to here. */
  #until: Cycles = Infinity;

  /** `inner` is told of everything too. */
  constructor(
    inner: Pick<Observer, 'onRunstate'>,
    options: { readonly vcpus: number; readonly from: Cycles; readonly most: number },
  ) {
    this.#inner = inner;
    this.#from = options.from;
    this.#most = options.most;
    this.#since = new Float64Array(options.vcpus).fill(-1);
    this.#where = new Int32Array(options.vcpus);
  }

  onRunstate(now: Cycles, pcpu: number, vcpu: number, from: number, to: number): void {
    this.#inner.onRunstate(now, pcpu, vcpu, from, to);
    if (from === to) return;
    if (from === RUNNING) this.#close(vcpu, now);
    if (to === RUNNING) {
      this.#since[vcpu] = now;
      this.#where[vcpu] = pcpu;
    }
  }

  #close(vcpu: number, now: Cycles): void {
    const since = this.#since[vcpu]!;
    this.#since[vcpu] = -1;
    const start = Math.max(since, this.#from);
    if (since < 0 || now <= start || start >= this.#until) return;
    this.#noted.push({ pcpu: this.#where[vcpu]!, vcpu, start, cycles: now - start });
    // Whatever has begun by now is still to be noted when it ends.
    if (this.#noted.length === this.#most) this.#until = now;
  }

  /** All of them, in the order of their beginning; `end`: of the measured window. */
  upTo(end: Cycles): RunSlice[] {
    for (const [vcpu, since] of this.#since.entries()) if (since >= 0) this.#close(vcpu, end);
    const until = Math.min(this.#until, end);
    return this.#noted
      .filter(({ start }) => start < until)
      .map((slice) => ({ ...slice, cycles: Math.min(slice.cycles, until - slice.start) }))
      .toSorted((a, b) => a.start - b.start || a.pcpu - b.pcpu);
  }
}

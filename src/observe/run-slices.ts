import type { Cycles } from '../base/ids.ts';
import type { Observer } from './observer.ts';

/** Time that a vCPU ran on a pCPU without a break. */
export interface RunSlice {
  readonly pcpu: number;
  /** A vCPU, or beyond their numbers a thread of a host or of Dom0. */
  readonly runner: number;
  readonly start: Cycles;
  readonly cycles: Cycles;
}

/** Number of the run state `running`. */
const RUNNING = 0;

/**
 * Notes which vCPU or thread ran where and when, from the beginning of the measured window until
 * `most` stretches of time are noted: enough to draw a timeline, at the price of a few numbers for
 * each switch.
 */
export class RunSlices {
  readonly #from: Cycles;
  readonly #most: number;
  readonly #inner: Pick<Observer, 'onRunstate'>;
  /** Since when each of them runs, and where; below 0: it does not. */
  readonly #since: number[];
  readonly #where: number[];
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
    this.#since = new Array<number>(options.vcpus).fill(-1);
    this.#where = new Array<number>(options.vcpus).fill(-1);
  }

  onRunstate(now: Cycles, pcpu: number, vcpu: number, from: number, to: number): void {
    this.#inner.onRunstate(now, pcpu, vcpu, from, to);
    this.note(now, pcpu, vcpu, from, to);
  }

  /** One more that can run; returns its number. */
  addThread(): number {
    this.#where.push(-1);
    return this.#since.push(-1) - 1;
  }

  /** The same for a thread, of which nobody else is told. */
  note(now: Cycles, pcpu: number, runner: number, from: number, to: number): void {
    if (from === to) return;
    if (from === RUNNING) this.#close(runner, now);
    if (to === RUNNING) {
      this.#since[runner] = now;
      this.#where[runner] = pcpu;
    }
  }

  #close(runner: number, now: Cycles): void {
    const since = this.#since[runner]!;
    this.#since[runner] = -1;
    const start = Math.max(since, this.#from);
    if (since < 0 || now <= start || start >= this.#until) return;
    this.#noted.push({ pcpu: this.#where[runner]!, runner, start, cycles: now - start });
    // Whatever has begun by now is still to be noted when it ends.
    if (this.#noted.length === this.#most) this.#until = now;
  }

  /** All of them, in the order of their beginning; `end`: of the measured window. */
  upTo(end: Cycles): RunSlice[] {
    for (const [runner, since] of this.#since.entries()) {
      if (since >= 0) this.#close(runner, end);
    }
    const until = Math.min(this.#until, end);
    return this.#noted
      .filter(({ start }) => start < until)
      .map((slice) => ({ ...slice, cycles: Math.min(slice.cycles, until - slice.start) }))
      .toSorted((a, b) => a.start - b.start || a.pcpu - b.pcpu);
  }
}

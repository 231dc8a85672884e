import { ModelError } from '../base/errors.ts';
import type { Cycles } from '../base/ids.ts';
import type { Core } from '../machine/core.ts';
import { HOT_COUNTERS } from '../machine/counters.ts';
import { undrained } from '../machine/inspect.ts';
import { LEAVES } from '../stats/leaves.ts';

/** Where every cycle of every pCPU is booked, and what the hardware has counted for each VM. */
export class Ledger {
  /** By pCPU, VM (the last row is the host) and leaf. */
  readonly cycles: Float64Array;
  /** Hot counters by VM. */
  readonly counts: Float64Array;
  /** Row of what is done for no VM. */
  readonly host: number;
  readonly #cores: readonly Core[];

  constructor(cores: readonly Core[], vms: number) {
    this.host = vms;
    this.cycles = new Float64Array(cores.length * (vms + 1) * LEAVES);
    this.counts = new Float64Array((vms + 1) * HOT_COUNTERS);
    this.#cores = cores;
  }

  /** The cycles of one pCPU: a part of `cycles`, not a copy. */
  of(pcpu: number): Float64Array {
    const length = (this.host + 1) * LEAVES;
    return this.cycles.subarray(pcpu * length, (pcpu + 1) * length);
  }

  /** Adds what a core has charged and counted to the account of the VM it was doing it for. */
  drain(core: Core): void {
    const row = core.vm < 0 ? this.host : core.vm;
    const at = (core.id * (this.host + 1) + row) * LEAVES;
    try {
      core.drain(this.cycles, at, this.counts, row * HOT_COUNTERS);
    } catch (error) {
      throw new ModelError((error as Error).message);
    }
  }

  /** Cycles of a pCPU that belong to nobody's instructions. */
  chargeHost(core: Core, leaf: number, cycles: Cycles): void {
    const at = (core.id * (this.host + 1) + this.host) * LEAVES + leaf;
    this.cycles[at] = this.cycles[at]! + cycles;
  }

  /**
   * A counter of a VM from the start of the run, with what cores have counted for it and not handed
   * over yet.
   */
  countSoFar(vm: number, counter: number): number {
    return this.#cores.reduce(
      (sum, core) => sum + (core.vm === vm ? undrained(core, counter) : 0),
      this.counts[vm * HOT_COUNTERS + counter]!,
    );
  }
}

import type { Core } from '../machine/core.ts';
import type { Machine } from '../machine/machine.ts';
import { visitHost } from '../machine/translate.ts';

/**
 * The hypervisor's own translations: an exit handler touches a few 2 MB pages of host code and data
 * under ASID 0. They compete with the guests' for TLB entries, and cost a walk when they have been
 * evicted.
 */
export class HostFootprint {
  readonly #pages: number;
  readonly #tableFrame: number;

  constructor(machine: Machine, pages: number) {
    this.#pages = pages;
    this.#tableFrame = pages > 0 ? machine.memory.take(0, 0xffff) : 0;
  }

  /** Touches them on `core`; returns the cycles the misses cost. */
  touch(core: Core): number {
    let cycles = 0;
    for (let page = 0; page < this.#pages; page++) {
      cycles += visitHost(core, 64 + page, page & 1, this.#tableFrame);
    }
    return cycles;
  }
}

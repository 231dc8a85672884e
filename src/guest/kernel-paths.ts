import { ModelError } from '../base/errors.ts';
import { DIRECT_MAP, type GuestCpu } from '../hypervisor/guest-port.ts';
import { linesOf } from '../hypervisor/packets.ts';
import { SEQUENTIAL } from '../machine/items.ts';
import { visitKernel } from '../machine/run.ts';
import { kernelInstructions as cost, INSTRUCTIONS_PER_TEXT_VISIT } from './kernel-costs.ts';
import { KERNEL_DATA, KERNEL_DATA_PAGES, KERNEL_TEXT, KERNEL_TEXT_PAGES } from './memory.ts';
import { Op } from './workloads/workload.ts';

/**
 * Executes kernel code. A path is a number of instructions, fetched from text pages of its own,
 * with loads and stores to kernel data. Text and data are pages of the direct map and go through
 * the TLBs like any other.
 */
export class KernelPaths {
  readonly #vm: string;
  /** Walks through the slab, so that paths do not always meet the same data pages. */
  #cursor = 0;

  constructor(vm: string) {
    this.#vm = vm;
  }

  /** `entry` picks where the path begins; `dataPages` more pages of kernel data are read. */
  run(cpu: GuestCpu, instructions: number, entry: number, dataPages = 0): void {
    const { core } = cpu;
    const visits = Math.max(1, Math.round(instructions / INSTRUCTIONS_PER_TEXT_VISIT));
    const each = Math.floor(instructions / visits);
    let text = (entry * 11) % KERNEL_TEXT_PAGES;
    for (let i = 0; i < visits; i++) {
      // Paths share the entry code and then go their own way: every fourth visit moves to a new
      // page.
      if ((i & 3) === 3) text = (text + 1) % KERNEL_TEXT_PAGES;
      this.#visit(core, KERNEL_TEXT + text, Op.Fetch, each, (i * 5) & 63, 5);
      this.#cursor = (this.#cursor * 5 + 1 + entry) & 0x3fff;
      // Hot structures (stack, run queue, task) take three of four visits, the slab the rest.
      const data = (i & 3) < 3 ? (entry * 3 + (i & 1)) & 15 : this.#cursor % KERNEL_DATA_PAGES;
      const op = (i & 1) === 0 ? Op.Load : Op.Store;
      this.#visit(core, KERNEL_DATA + data, op, 0, this.#cursor & 63, 2);
    }
    for (let i = 0; i < dataPages; i++) {
      this.#cursor = (this.#cursor * 5 + 1) & 0x3fff;
      const page = KERNEL_DATA + (this.#cursor % KERNEL_DATA_PAGES);
      this.#visit(core, page, Op.Load, 0, this.#cursor & 63, 4);
    }
  }

  /** Copies bytes between buffers, page by page, in consecutive lines. */
  copy(cpu: GuestCpu, bytes: number): void {
    const { core } = cpu;
    for (let left = linesOf(bytes); left > 0; left -= 64) {
      const lines = Math.min(64, left);
      const instructions = (lines * cost.copyLine) / 2;
      for (const op of [Op.Load, Op.Store]) {
        this.#cursor = (this.#cursor * 5 + 1) & 0x3fff;
        const page = KERNEL_DATA + (this.#cursor % KERNEL_DATA_PAGES);
        this.#visit(core, page, op | SEQUENTIAL, instructions, 0, lines);
      }
    }
  }

  #visit(
    core: GuestCpu['core'],
    frame: number,
    op: number,
    instructions: number,
    line: number,
    lines: number,
  ): void {
    if (!visitKernel(core, DIRECT_MAP + frame, op, instructions, line, lines)) {
      throw new ModelError(`VM ${this.#vm}: kernel page ${frame} is not mapped`);
    }
  }
}

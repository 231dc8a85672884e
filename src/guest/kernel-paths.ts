import { ModelError } from '../base/errors.ts';
import { DIRECT_MAP, type GuestCpu } from '../hypervisor/guest-port.ts';
import { linesOf } from '../hypervisor/packets.ts';
import { SEQUENTIAL } from '../machine/items.ts';
import { COPIES } from '../machine/learned/learned.ts';
import type { LearnedWork } from '../machine/learned/work.ts';
import { visitKernel } from '../machine/run.ts';
import { kernelInstructions as cost, INSTRUCTIONS_PER_TEXT_VISIT } from './kernel-costs.ts';
import { KERNEL_DATA, KERNEL_DATA_PAGES, KERNEL_TEXT, KERNEL_TEXT_PAGES } from './memory.ts';
import { Op } from './workloads/workload.ts';

/**
 * Fetches of a path after which it has been through all of the text, and what comes then, among the
 * paths whose price is learned.
 */
const HEAD = 4 * KERNEL_TEXT_PAGES;
const TAIL = 62;
/** Copying, among the paths whose price is learned. */
const COPY = COPIES;

/**
 * Executes kernel code. A path is a number of instructions, fetched from text pages of its own,
 * with loads and stores to kernel data. Text and data are pages of the direct map and go through
 * the TLBs like any other.
 */
export class KernelPaths {
  readonly #vm: string;
  /** Walks through the slab, so that paths do not always meet the same data pages. */
  #cursor = 0;

  readonly #cpiQ8: number;
  /** Of the path that is skipped. */
  readonly work = { units: 0, fetches: 0, accesses: 0, lines: 0, instructions: 0 };

  /** `cpi`: cycles per instruction of the kernel. */
  constructor(vm: string, cpi: number) {
    this.#vm = vm;
    this.#cpiQ8 = Math.round(cpi * 256);
  }

  /** `entry` picks where the path begins; `dataPages` more pages of kernel data are read. */
  run(cpu: GuestCpu, instructions: number, entry: number, dataPages = 0): void {
    if (instructions === 0 && dataPages === 0) return;
    const { core } = cpu;
    const { cpiQ8, learned } = core;
    core.cpiQ8 = this.#cpiQ8;
    const visits = Math.max(1, Math.round(instructions / INSTRUCTIONS_PER_TEXT_VISIT));
    const each = Math.floor(instructions / visits);
    if (learned !== null) {
      if (learned.skipping) {
        const head = Math.min(visits, HEAD);
        this.#skip(learned, entry, head, each, dataPages);
        if (visits > head) this.#skip(learned, TAIL, visits - head, each, 0);
        core.cpiQ8 = cpiQ8;
        return;
      }
      learned.beginPath(entry);
    }
    let text = (entry * 11) % KERNEL_TEXT_PAGES;
    for (let i = 0; i < visits; i++) {
      // Paths share the entry code and then go their own way: every fourth visit moves to a new
      // page.
      if ((i & 3) === 3) text = (text + 1) % KERNEL_TEXT_PAGES;
      if (i === HEAD && learned !== null) {
        learned.endPath(entry, 2 * HEAD, HEAD * each);
        learned.beginPath(TAIL);
      }
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
    if (learned !== null) {
      const before = visits > HEAD ? HEAD : 0;
      const units = 2 * (visits - before) + dataPages;
      learned.endPath(before > 0 ? TAIL : entry, units, (visits - before) * each);
    }
    core.cpiQ8 = cpiQ8;
  }

  /** Skips so many fetches of a path, of so many instructions each, and what data they access. */
  #skip(learned: LearnedWork, path: number, visits: number, each: number, pages: number): void {
    const { work } = this;
    work.fetches = visits;
    work.accesses = visits + pages;
    work.units = 2 * visits + pages;
    work.lines = visits * 7 + pages * 4;
    work.instructions = visits * each;
    learned.skipPath(path, work);
  }

  /** Copies bytes between buffers, page by page, in consecutive lines. */
  copy(cpu: GuestCpu, bytes: number): void {
    const { core } = cpu;
    const { learned } = core;
    const all = linesOf(bytes);
    if (learned !== null) {
      if (learned.skipping) {
        const { work } = this;
        work.fetches = 0;
        work.accesses = 2 * Math.ceil(all / 64);
        work.units = all;
        work.lines = 2 * all;
        work.instructions = all * cost.copyLine;
        learned.skipPath(COPY, work);
        return;
      }
      learned.beginPath(COPY);
    }
    for (let left = all; left > 0; left -= 64) {
      const lines = Math.min(64, left);
      const instructions = (lines * cost.copyLine) / 2;
      for (const op of [Op.Load, Op.Store]) {
        this.#cursor = (this.#cursor * 5 + 1) & 0x3fff;
        const page = KERNEL_DATA + (this.#cursor % KERNEL_DATA_PAGES);
        this.#visit(core, page, op | SEQUENTIAL, instructions, 0, lines);
      }
    }
    learned?.endPath(COPY, all, all * cost.copyLine);
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

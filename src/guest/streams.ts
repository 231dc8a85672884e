import { DIRECT_MAP, type GuestCpu } from '../hypervisor/guest-port.ts';
import { PAST_CACHES, SEQUENTIAL } from '../machine/items.ts';
import { COPIES } from '../machine/learned/learned.ts';
import { visitKernel } from '../machine/run.ts';
import { kernelInstructions as cost } from './kernel-costs.ts';
import { Op } from './workloads/workload.ts';

/** Among the paths whose price is learned. */
const COPY_FRAME = COPIES + 1;
const COPY = { units: 128, fetches: 0, accesses: 2, lines: 128, instructions: cost.copyPage };

/** The kernel clears a frame through its direct map, past the caches. */
export function clearFrame(cpu: GuestCpu, frame: number): void {
  visitKernel(cpu.core, DIRECT_MAP + frame, Op.Store | PAST_CACHES, cost.clearPage, 0, 64);
}

/** Copies a frame line by line: the prefetcher sees both rows. */
export function copyFrame(cpu: GuestCpu, from: number, to: number): void {
  const { core } = cpu;
  const { learned } = core;
  if (learned?.skipping) {
    // It may be the first use of the frame.
    visitKernel(core, DIRECT_MAP + to, Op.Store | PAST_CACHES, 0, 0, 1);
    learned.skipPath(COPY_FRAME, COPY);
    return;
  }
  learned?.beginPath(COPY_FRAME);
  visitKernel(core, DIRECT_MAP + from, Op.Load | SEQUENTIAL, cost.copyPage / 2, 0, 64);
  visitKernel(core, DIRECT_MAP + to, Op.Store | SEQUENTIAL, cost.copyPage / 2, 0, 64);
  learned?.endPath(COPY_FRAME, COPY.units, COPY.instructions);
}

import { DIRECT_MAP, type GuestCpu } from '../hypervisor/guest-port.ts';
import { visitKernel } from '../machine/run.ts';
import { kernelInstructions as cost, STREAM_EXPOSED_Q8 } from './kernel-costs.ts';
import { Op } from './workloads/workload.ts';

/** The kernel clears a frame through its direct map. */
export function clearFrame(cpu: GuestCpu, frame: number): void {
  streamed(cpu, () => {
    visitKernel(cpu.core, DIRECT_MAP + frame, Op.Store, cost.clearPage, 0, 64);
  });
}

export function copyFrame(cpu: GuestCpu, from: number, to: number): void {
  streamed(cpu, () => {
    visitKernel(cpu.core, DIRECT_MAP + from, Op.Load, cost.copyPage / 2, 0, 64);
    visitKernel(cpu.core, DIRECT_MAP + to, Op.Store, cost.copyPage / 2, 0, 64);
  });
}

/** Consecutive lines are prefetched: they stall the core for less than their latency. */
export function streamed({ core }: GuestCpu, work: () => void): void {
  const { exposedQ8 } = core;
  core.exposedQ8 = Math.min(exposedQ8, STREAM_EXPOSED_Q8);
  work();
  core.exposedQ8 = exposedQ8;
}

import { GuestKernel } from './kernel.ts';
import { KernelCpu } from './kernel-cpu.ts';
import type { GuestOptions } from './kernel-options.ts';
import type { GuestMemory } from './memory.ts';
import { TraceKernel } from './trace-kernel.ts';
import type { VcpuLoop } from './vcpu-loop.ts';

/** The software of a VM: its memory, and what runs on each vCPU. */
export interface GuestSoftware {
  readonly memory: GuestMemory;
  /** Top tables of the address spaces that exist at power-on. */
  readonly roots: readonly number[];
  readonly cpus: readonly VcpuLoop[];
}

/** Boots what a workload asks for; `blocks`: the first item of each vCPU's block. */
export function bootGuest(options: GuestOptions, blocks: readonly number[]): GuestSoftware {
  if (!options.workload.kernel) {
    const trace = new TraceKernel(options, blocks[0]!);
    return { memory: trace.guest.memory, roots: trace.roots, cpus: [trace] };
  }
  const kernel = new GuestKernel(options);
  const cpus = blocks.map((block) => new KernelCpu(kernel, block));
  return { memory: kernel.guest.memory, roots: kernel.roots, cpus };
}

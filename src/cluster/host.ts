import type { Cycles } from '../base/ids.ts';
import type { Ticks } from '../engine/timebase.ts';
import type { HostTask } from '../hypervisor/host-task.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { VmHost } from '../hypervisor/vm.ts';
import type { Machine } from '../machine/machine.ts';

/**
 * A machine with its hypervisor. All hosts of a simulation share its engine and page tables. The
 * hypervisor counts time in cycles of its host; what spans hosts, in ticks of the engine.
 */
export interface Host extends VmHost {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** False: it has lost power, and nothing runs there any more. */
  alive: boolean;
}

/** A thread of a host, as what spans hosts uses it. */
export interface HostThread {
  /** As `post` of a task; `done` is called with the time of the engine. */
  post(cycles: Cycles, leaf: number, done?: (time: Ticks) => void): void;
}

export function threadOn({ hypervisor }: Host, task: HostTask): HostThread {
  const { timebase } = hypervisor.engine;
  return {
    post: (cycles, leaf, done) =>
      task.post(cycles, leaf, done && ((now) => done(timebase.engine(now)))),
  };
}

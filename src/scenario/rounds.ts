import type { VmRow } from '../stats/result.ts';
import type { Simulation } from './build.ts';

/**
 * Cycles in which each vCPU that competes for the pCPUs of the `i`-th VM could have a turn: a slice
 * of those that use their slices up or wait for their first, what a turn took on average of the
 * others. Undefined when the scheduler has no slices.
 */
export function roundOf(
  { scenario, hosts, members }: Simulation,
  rows: readonly VmRow[],
  i: number,
  windowCycles: number,
): number | undefined {
  const { timeslice } = scenario.hypervisor.scheduler as { timeslice?: number };
  if (timeslice === undefined) return undefined;
  const { machine, index } = hosts[members[i]!.vm.host.index]!;
  const slice = (timeslice / 1e6) * machine.mhz;
  const all = machine.cores.map(({ id }) => id);
  const allowed = (vm: number) => members[vm]!.vm.pin ?? all;
  const own = allowed(i);
  const cycles = rows.reduce((sum, { metrics }, vm) => {
    if (members[vm]!.vm.host.index !== index) return sum;
    const theirs = allowed(vm);
    const share = theirs.filter((pcpu) => own.includes(pcpu)).length / theirs.length;
    const { turns = 0, running_cycles: running = 0, ready_cycles: ready = 0 } = metrics;
    const turn = turns > 0 ? running / turns : running + ready > 0 ? slice : 0;
    // A turn that the slice or the window ended counts as a whole one.
    return sum + share * (turn > Math.min(slice, windowCycles) / 2 ? slice : turn);
  }, 0);
  return cycles / own.length;
}

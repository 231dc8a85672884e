import { schedulers } from '../hypervisor/schedulers/index.ts';
import type { VmRow } from '../stats/result.ts';
import type { Simulation } from './build.ts';

/**
 * Cycles in which each vCPU that competes for the pCPUs of the `i`-th VM could have a turn: the
 * longest that the scheduler gives, of those that use theirs up or wait for their first, what a
 * turn took on average of the others. Undefined when the scheduler does not say how long turns are.
 */
export function roundOf(
  { scenario, hosts, members }: Simulation,
  rows: readonly VmRow[],
  i: number,
  windowCycles: number,
): number | undefined {
  const { machine, index } = hosts[members[i]!.vm.host.index]!;
  const all = machine.cores.map(({ id }) => id);
  const allowed = (vm: number) => members[vm]!.vm.pin ?? all;
  const own = allowed(i);
  const rivals = rows.map(({ metrics }, vm) => {
    const theirs = allowed(vm);
    const share = theirs.filter((pcpu) => own.includes(pcpu)).length / theirs.length;
    const { turns = 0, running_cycles: running = 0, ready_cycles: ready = 0 } = metrics;
    const rival = members[vm]!.vm.host.index === index && running + ready > 0;
    return { share: rival ? share : 0, turns, running };
  });
  const sharing = rivals.reduce((sum, { share }) => sum + share, 0) / own.length;
  const { kind, ...params } = scenario.hypervisor.scheduler;
  const turn = schedulers.find(kind)?.turn?.(params, all.length, sharing);
  if (turn === undefined) return undefined;
  const longest = (turn / 1e6) * machine.mhz;
  const cycles = rivals.reduce((sum, { share, turns, running }) => {
    const usual = turns > 0 ? running / turns : longest;
    // A turn that the scheduler or the window ended counts as a whole one.
    return sum + share * (usual > Math.min(longest, windowCycles) / 2 ? longest : usual);
  }, 0);
  return cycles / own.length;
}

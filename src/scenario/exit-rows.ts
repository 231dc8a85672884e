import type { Vcpu } from '../hypervisor/vm.ts';
import { EXITS, exitNames, Leaf } from '../stats/leaves.ts';
import type { ExitRow } from '../stats/result.ts';
import type { Simulation } from './build.ts';
import { hostColumn } from './hosts.ts';
import { ledgerBetween, type Measured } from './snapshot.ts';

/** Exits by VM, host where they happened, and reason; their cycles are those of the ledger. */
export function exitRows({ hosts, members }: Simulation, { start, end }: Measured): ExitRow[] {
  const rows = members.length + 1;
  return members.flatMap(({ vm, vcpu }) =>
    hosts.flatMap((host): ExitRow[] => {
      const sum = (leaf: number) =>
        host.machine.cores.reduce((n, { id: pcpu }) => {
          return n + ledgerBetween(start, end, rows, { host: host.index, pcpu, row: vm.id, leaf });
        }, 0);
      const counts = exitsOn(vcpu, host.index, start.exits[vcpu.id]!, end.exits[vcpu.id]!);
      return exitNames.flatMap((reason, r): ExitRow[] => {
        const transitionCycles = sum(Leaf.ExitTransition + r);
        const handlerCycles = sum(Leaf.ExitHandler + r);
        const count = counts[r]!;
        if (count + transitionCycles + handlerCycles === 0) return [];
        const cycles = { transitionCycles, handlerCycles };
        return [
          { ...hostColumn(hosts, host), vm: vm.name, vcpu: vcpu.index, reason, count, ...cycles },
        ];
      });
    }),
  );
}

/**
 * Exits on a host by reason, of those between two counts of all: counts only grow, so each stay on
 * a host is a stretch of them.
 */
function exitsOn(
  { left, vm }: Pick<Vcpu, 'left' | 'vm'>,
  host: number,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
): Float64Array {
  const stays = [...left, { host: vm.host.index, exits: to }];
  const counts = new Float64Array(EXITS);
  for (const [i, stay] of stays.entries()) {
    if (stay.host !== host) continue;
    const before = stays[i - 1]?.exits;
    for (let r = 0; r < EXITS; r++) {
      const first = Math.max(before?.[r] ?? 0, from[r]!);
      counts[r]! += Math.max(0, Math.min(stay.exits[r]!, to[r]!) - first);
    }
  }
  return counts;
}

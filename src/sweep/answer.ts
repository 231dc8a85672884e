import type { Scenario } from '../scenario/resolve.ts';
import { concerned, type Objective, vmValue } from './objective.ts';
import type { GroupResult, UnitResult } from './unit.ts';

/** Why a search ended where it did. */

export interface Breaker {
  readonly vm: string;
  readonly group: string;
  /** Mean over the replications; infinite when it finished nothing in one of them. */
  readonly value: number;
  /** Requests that it left unserved in the first replication in which it finished nothing. */
  readonly unserved: number | undefined;
}

/** The VM that is furthest from the objective, on average over replications. Undefined when it is about the host. */
export function breaker(objective: Objective, results: readonly UnitResult[]): Breaker | undefined {
  if (objective.scope === 'host') return undefined;
  const totals = new Map<
    string,
    { group: string; sum: number; n: number; unserved: number | undefined }
  >();
  for (const result of results) {
    for (const vm of concerned(objective, result)) {
      const value = vmValue(objective, vm);
      if (value === undefined) continue;
      const total = totals.get(vm.vm) ?? { group: vm.group, sum: 0, n: 0, unserved: undefined };
      const none = Number.isFinite(value) ? undefined : vm.values.requests_unfinished;
      totals.set(vm.vm, {
        ...total,
        sum: total.sum + value,
        n: total.n + 1,
        unserved: total.unserved ?? none,
      });
    }
  }
  const means = [...totals].map(([vm, { group, sum, n, unserved }]) => ({
    vm,
    group,
    value: sum / n,
    unserved,
  }));
  const worse = (a: Breaker, b: Breaker) =>
    objective.below ? a.value > b.value : a.value < b.value;
  return means.reduce<Breaker | undefined>(
    (worst, vm) => (worst === undefined || worse(vm, worst) ? vm : worst),
    undefined,
  );
}

export interface Growth {
  /** `leaf` or `leaf/detail` of the ledger, or `ready`: waiting for a pCPU, which is no cycle of a pCPU. */
  readonly leaf: string;
  /** Cycles per 1000 guest instructions, at the start of the search (0 if it broke there) and where it broke. */
  readonly before: number;
  readonly after: number;
}

export const READY = 'ready';

/** What takes more cycles per instruction than before, the largest increase first; of one VM group, or of all. */
export function growths(
  before: readonly UnitResult[],
  after: readonly UnitResult[],
  group: string | undefined,
): Growth[] {
  const [start, end] = [bill(before, group), bill(after, group)];
  return [...new Set([...start.keys(), ...end.keys()])]
    .map((leaf) => ({ leaf, before: start.get(leaf) ?? 0, after: end.get(leaf) ?? 0 }))
    .filter((growth) => growth.after > growth.before)
    .toSorted((a, b) => b.after - b.before - (a.after - a.before) || (a.leaf < b.leaf ? -1 : 1));
}

/** Cycles per 1000 instructions by leaf. */
function bill(results: readonly UnitResult[], group: string | undefined): Map<string, number> {
  const cycles = new Map<string, number>();
  let instructions = 0;
  const add = (leaf: string, n: number) => cycles.set(leaf, (cycles.get(leaf) ?? 0) + n);
  for (const row of results.flatMap(({ groups }) => groups)) {
    if (group !== undefined && row.group !== group) continue;
    instructions += row.values.instructions ?? 0;
    addGroup(row, add);
  }
  if (instructions === 0) return new Map();
  return new Map([...cycles].map(([leaf, n]) => [leaf, (1000 * n) / instructions]));
}

function addGroup({ ledger, values }: GroupResult, add: (leaf: string, n: number) => void): void {
  for (const [leaf, n] of Object.entries(ledger)) add(leaf, n);
  add(READY, values.ready_cycles ?? 0);
}

/** VMs per pCPU. */
export function vmsPerCore({ vms, host }: Scenario): number {
  return vms.reduce((sum, { count }) => sum + count, 0) / host.pcpus;
}

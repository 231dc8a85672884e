import { allPcpus } from '../scenario/hosts.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { GroupResult, UnitResult } from './unit.ts';

/** Why a search ended where it did. */

export interface Growth {
  /**
   * `leaf` or `leaf/detail` of the ledger, or `ready`: waiting for a pCPU, which is no cycle of a
   * pCPU.
   */
  readonly leaf: string;
  /**
   * Cycles per 1000 guest instructions, at the start of the search (0 if it broke there) and where
   * it broke.
   */
  readonly before: number;
  readonly after: number;
}

export const READY = 'ready';

/**
 * What takes more cycles per instruction than before, the largest increase first; of one VM group,
 * or of all.
 */
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
export function vmsPerCore(scenario: Scenario): number {
  return scenario.vms.reduce((sum, { count }) => sum + count, 0) / allPcpus(scenario);
}

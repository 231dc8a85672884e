import { inClocksOfVms } from '../stats/clocks.ts';
import type { RunResult, VmRow } from '../stats/result.ts';

/**
 * Where the cycles of some VMs went, by line of the ledger, together with the time in which they
 * wanted a pCPU and had none.
 */
export interface Account {
  readonly name: string;
  /** What the workload counts. */
  readonly unit: string;
  readonly userInstructions: number;
  /** Units of work finished. */
  readonly work: number;
  /** Cycles by `leaf detail`; they add up to `total`. */
  readonly lines: ReadonlyMap<string, number>;
  readonly total: number;
}

/** Run states in which a VM wants a pCPU and has none. Time asleep costs nobody anything. */
const WAITS = [
  ['ready', 'ready_cycles'],
  ['co-stopped', 'costopped_cycles'],
  ['parked', 'parked_cycles'],
] as const;

export function accountOf(result: RunResult, name: string, vms: readonly VmRow[]): Account {
  const lines = new Map<string, number>();
  let total = 0;
  const add = (line: string, cycles: number): void => {
    if (cycles === 0) return;
    lines.set(line, (lines.get(line) ?? 0) + cycles);
    total += cycles;
  };
  const names = new Set(vms.map(({ vm }) => vm));
  for (const { vm, leaf, detail, cycles } of inClocksOfVms(result, vms)) {
    if (names.has(vm)) add(lineName(leaf, detail), cycles);
  }
  for (const [state, metric] of WAITS) {
    for (const { metrics } of vms) add(lineName('wait', state), metrics[metric] ?? 0);
  }
  const sum = (metric: 'user_instructions' | 'work') =>
    vms.reduce((n, { metrics }) => n + (metrics[metric] ?? 0), 0);
  return {
    name,
    unit: vms[0]?.unit ?? '',
    userInstructions: sum('user_instructions'),
    work: sum('work'),
    lines,
    total,
  };
}

export const lineName = (leaf: string, detail: string): string =>
  detail === '' ? leaf : `${leaf} ${detail}`;

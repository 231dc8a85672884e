import type { Accounts, Edges } from '../hypervisor/edges.ts';
import { rareCounters, softCounters } from '../hypervisor/vm.ts';
import { HOT_COUNTERS, hotCounters } from '../machine/counters.ts';
import type { Evicted } from '../machine/evictions.ts';
import { LEAVES } from '../stats/leaves.ts';
import type { Simulation } from './build.ts';

/** All running totals at one moment. The measured window is the difference of two. */
export interface Snapshot extends Accounts {
  readonly time: number;
  readonly counts: Float64Array;
  readonly evicted: Evicted;
}

/** All accounts at an edge of the window, which everybody has reached. */
export function takeSnapshot(simulation: Simulation, edges: Edges, time: number): Snapshot {
  const { hypervisor, machine } = simulation;
  return {
    time,
    ...edges.accounts(time),
    counts: hypervisor.ledger.counts.slice(),
    evicted: copyOf(machine.evictions.fold()),
  };
}

const copyOf = ({ tlb, l2 }: Evicted): Evicted => ({ tlb: tlb.slice(), l2: l2.slice() });

/** Cycles of (pCPU, row, leaf) between two snapshots; the last row is the host. */
export function ledgerBetween(
  a: Snapshot,
  b: Snapshot,
  rows: number,
  pcpu: number,
  row: number,
  leaf: number,
): number {
  const at = (pcpu * rows + row) * LEAVES + leaf;
  return b.ledger[at]! - a.ledger[at]!;
}

/** Every counter of a VM between two snapshots, by metric name. */
export function countersBetween(a: Snapshot, b: Snapshot, vm: number): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [k, name] of hotCounters.entries()) {
    out[name] = b.counts[vm * HOT_COUNTERS + k]! - a.counts[vm * HOT_COUNTERS + k]!;
  }
  const { soft } = b;
  const rare = rareCounters.filter((name) => soft.some((counters) => counters[name] > 0));
  for (const name of [...softCounters, ...rare]) out[name] = soft[vm]![name] - a.soft[vm]![name];
  return out;
}

/** The accounts at the edges of the window, and in its middle where it is measured in halves. */
export interface Measured {
  readonly start: Snapshot;
  readonly middle: Snapshot | undefined;
  readonly end: Snapshot;
}

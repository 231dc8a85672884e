import type { Ticks, Timebase } from '../engine/timebase.ts';
import type { Accounts, Edges } from '../hypervisor/edges.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import { rareCounters, softCounters } from '../hypervisor/vm.ts';
import { HOT_COUNTERS, hotCounters } from '../machine/counters.ts';
import type { Evicted } from '../machine/evictions.ts';
import { LEAVES } from '../stats/leaves.ts';
import type { MetricName } from '../stats/metrics.ts';
import type { Simulation } from './build.ts';

/** All running totals at one moment. The measured window is the difference of two. */
export interface Snapshot extends Accounts {
  readonly time: Ticks;
  /** By VM: of the host where it is. */
  readonly timebases: readonly Timebase[];
  /** Of all hosts together: hot counters by VM. */
  readonly counts: Float64Array;
  /** By host. */
  readonly evicted: readonly Evicted[];
  /** By host: what went over its wire and to its disk, where VMs wait for these. */
  readonly shared: readonly SharedUse[];
}

/** All accounts at an edge of the window, which everybody has reached. */
export function takeSnapshot({ hosts, members }: Simulation, edges: Edges, time: Ticks): Snapshot {
  const accounts = edges.accounts(time);
  return {
    time,
    timebases: members.map(({ vcpu }) => vcpu.timebase),
    ...accounts,
    counts: sumOf(hosts.map(({ hypervisor }) => hypervisor.ledger.counts)),
    shared: hosts.map(({ hypervisor }) => sharedUse(hypervisor, time)),
    evicted: hosts.map(({ machine }) => copyOf(machine.evictions.fold())),
  };
}

export type SharedUse = Partial<Record<MetricName, number>>;

function sharedUse({ disk, engine, network: { wires } }: Hypervisor, at: Ticks): SharedUse {
  const time = engine.timebase.local(at);
  const { readBytes, writtenBytes } = disk.count;
  return {
    ...(wires && {
      network_in_cycles: wires.in.busyBy(time),
      network_out_cycles: wires.out.busyBy(time),
      network_in_bytes: wires.in.bytes,
      network_out_bytes: wires.out.bytes,
    }),
    ...(disk.limited && {
      disk_busy_cycles: disk.busyBy(time),
      disk_read_bytes: readBytes,
      disk_written_bytes: writtenBytes,
    }),
  };
}

function sumOf(counts: readonly Float64Array[]): Float64Array {
  const sum = counts[0]!.slice();
  for (const more of counts.slice(1)) for (const [i, n] of more.entries()) sum[i] = sum[i]! + n;
  return sum;
}

const copyOf = ({ tlb, l2 }: Evicted): Evicted => ({ tlb: tlb.slice(), l2: l2.slice() });

/**
 * Where a cell of a ledger is: on a host and its pCPU, in the row of a VM; the last is the host.
 */
export interface Cell {
  readonly host: number;
  readonly pcpu: number;
  readonly row: number;
  readonly leaf: number;
}

/** Cycles of a cell between two snapshots; `rows` of each pCPU. */
export function ledgerBetween(a: Snapshot, b: Snapshot, rows: number, cell: Cell): number {
  const at = (cell.pcpu * rows + cell.row) * LEAVES + cell.leaf;
  return b.hosts[cell.host]!.ledger[at]! - a.hosts[cell.host]!.ledger[at]!;
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

/** From one snapshot to another, as the host or the hosts count it where a VM is at each. */
export function elapsedBetween(a: Snapshot, b: Snapshot, vm: number): Ticks {
  const edge = ({ time, timebases }: Snapshot) => {
    const timebase = timebases[vm]!;
    return timebase.engine(timebase.local(time));
  };
  return edge(b) - edge(a);
}

/** The accounts at the edges of the window, and in its middle where it is measured in halves. */
export interface Measured {
  readonly start: Snapshot;
  readonly middle: Snapshot | undefined;
  readonly end: Snapshot;
}

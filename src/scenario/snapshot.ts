import { Runstate, type SoftCounters, softCounters } from '../hypervisor/vm.ts';
import { HOT_COUNTERS, hotCounters } from '../machine/counters.ts';
import type { Evicted } from '../machine/evictions.ts';
import { LEAVES } from '../stats/leaves.ts';
import type { Simulation } from './build.ts';

/** All running totals at one moment. The measured window is the difference of two. */
export interface Snapshot {
  /** Local time of each pCPU. */
  readonly pcpuTime: Float64Array;
  readonly ledger: Float64Array;
  readonly counts: Float64Array;
  readonly soft: readonly SoftCounters[];
  readonly flushes: Float64Array;
  readonly evicted: Evicted;
  /** Per vCPU: its five run states, then the time up to which they count. */
  readonly states: readonly Float64Array[];
  readonly exits: readonly {
    readonly counts: Float64Array;
    readonly transition: Float64Array;
    readonly handler: Float64Array;
  }[];
}

/** Settles every account up to `now` and copies it. */
export function takeSnapshot(simulation: Simulation, now: number): Snapshot {
  const { hypervisor, machine } = simulation;
  for (const pcpu of hypervisor.pcpus) {
    pcpu.accountIdle(now);
    hypervisor.drain(pcpu.core);
  }
  return {
    pcpuTime: Float64Array.from(machine.cores, (core) => core.time),
    ledger: hypervisor.ledger.slice(),
    counts: hypervisor.counts.slice(),
    soft: hypervisor.vms.map((vm) => ({ ...vm.counters })),
    flushes: Float64Array.from(machine.cores, (core) => core.flushes),
    evicted: copyOf(machine.evictions.fold()),
    states: hypervisor.vcpus.map((vcpu) => {
      const running = vcpu.state === Runstate.Running;
      const at = running ? machine.cores[vcpu.pcpu]!.time : Math.max(now, vcpu.since);
      vcpu.enter(vcpu.state, at);
      return Float64Array.from([...vcpu.stateCycles, vcpu.since]);
    }),
    exits: hypervisor.vcpus.map((vcpu) => ({
      counts: vcpu.exitCounts.slice(),
      transition: vcpu.transitionCycles.slice(),
      handler: vcpu.handlerCycles.slice(),
    })),
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
  for (const name of softCounters) out[name] = b.soft[vm]![name] - a.soft[vm]![name];
  return out;
}

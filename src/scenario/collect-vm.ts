import { ModelError } from '../base/errors.ts';
import type { Ticks, Timebase } from '../engine/timebase.ts';
import { runstateMetrics } from '../hypervisor/vm.ts';
import { HOT_COUNTERS, hotCounters, K } from '../machine/counters.ts';
import { secondCopy } from '../stats/copies.ts';
import { requestsNeeded } from '../stats/findings.ts';
import { isRare, type MetricName, MILLION_INSTRUCTIONS, percentiles } from '../stats/metrics.ts';
import type { LatencyRow, LedgerRow, MetricRow, OfHost, VmRow } from '../stats/result.ts';
import type { Member } from './build-guest.ts';
import { asCycles, inCycles } from './cycles.ts';
import type { Measured } from './snapshot.ts';
import { countersBetween, elapsedBetween } from './snapshot.ts';

export type Metrics = Partial<Record<MetricName, number>>;

export interface CollectedVm {
  readonly row: VmRow;
  readonly metrics: readonly MetricRow[];
  readonly latencies: readonly LatencyRow[];
}

/**
 * What a VM did in the window. `of`: the host where it is at its end, where there are several. All
 * of it is in cycles of that host. `timebaseOf`: of the host of a row; `more`: metrics that few VMs
 * have.
 */
export function collectVm(
  member: Member,
  of: { readonly host?: string },
  { start, end }: Measured,
  ledger: readonly LedgerRow[],
  timebaseOf: (row: OfHost) => Timebase,
  more: Metrics,
): CollectedVm {
  const { vm, vcpu, group, workload, guest, requests } = member;
  const i = vm.id;
  const own = end.timebases[i]!;
  const elapsed = elapsedBetween(start, end, i);
  const windowCycles = asCycles(elapsed, own);
  const counters = countersBetween(start, end, i);
  checkTlb(vm.name, counters);
  const work: Record<string, Ticks> = {};
  for (const row of ledger) {
    if (row.vm !== vm.name) continue;
    work[row.leaf] = (work[row.leaf] ?? 0) + timebaseOf(row).engine(row.cycles);
  }
  const exits = end.exits[i]!.reduce((sum, n, reason) => sum + n - start.exits[i]![reason]!, 0);
  const metrics: Metrics = { ...counters, exits, ...more };
  const seen = (state: number) => end.states.some((states) => states[state]! > 0);
  const reported = runstateMetrics
    .map((metric, state) => ({ metric, state }))
    .filter(({ metric, state }) => !isRare(metric) || seen(state));
  const spent = reported.map(({ state }) => end.states[i]![state]! - start.states[i]![state]!);
  const inStates = spent.reduce((sum, ticks) => sum + ticks, 0);
  if (inStates !== elapsed) {
    throw new ModelError(`run states of ${vm.name}: ${inStates} cycles, ${elapsed} in the window`);
  }
  checkRunning(vm.name, spent[0]!, work);
  const inState = inCycles(spent, own);
  const states = reported.map(({ metric }, n) => [metric, inState[n]!] as const);
  Object.assign(metrics, Object.fromEntries(states));
  metrics.elapsed_cycles = windowCycles;
  const cycles = inCycles(Object.values(work), own);
  const leaves = Object.fromEntries(Object.keys(work).map((leaf, n) => [leaf, cycles[n]!]));
  metrics.walk_cycles = (leaves['walk.guest'] ?? 0) + (leaves['walk.nested'] ?? 0);
  const measured = requests?.latencies(vm.clock.local(start.time), vm.clock.local(end.time));
  if (requests && measured) {
    const { served, unfinished } = measured;
    metrics.requests = served.length;
    metrics.work = served.length;
    metrics.requests_unfinished = unfinished.length;
    metrics.requests_queued_before = requests.queuedAt(
      vm.clock.local(start.time),
      start.soft[i]!.requests_arrived,
    );
    Object.assign(metrics, latencyMetrics(merged(served, unfinished)));
  }
  if (workload.unit === MILLION_INSTRUCTIONS) metrics.work = metrics.user_instructions! / 1e6;
  metrics.finished_at_cycles = Number.isNaN(vm.finishedAt) ? 0 : vm.finishedAt;
  metrics.guest_memory_bytes = guest.memory.used * 4096;
  metrics.host_memory_bytes = vm.p2m.reduce((n, frame) => n + (frame !== 0 ? 1 : 0), 0) * 4096;
  const startInstructions = start.counts[i * HOT_COUNTERS + K.user_instructions]!;
  metrics.user_instructions_before = startInstructions;
  const id = `${vm.name}/${vcpu.index}`;
  return {
    row: {
      ...of,
      vm: vm.name,
      group: vm.program === vm.name ? group.name : secondCopy(group.name),
      workload: group.preset ?? group.workload.kind,
      unit: workload.unit,
      startInstructions,
      metrics,
      ledger: leaves,
      ...(measured ? { requests: measured } : {}),
    },
    metrics: [
      ...states.map(([metric, value]) => ({ ...of, scope: 'vcpu' as const, id, metric, value })),
      { ...of, scope: 'vcpu', id, metric: 'elapsed_cycles', value: windowCycles },
      ...Object.entries(metrics).map(([metric, value]) => ({
        ...of,
        scope: 'vm' as const,
        id: vm.name,
        metric: metric as MetricName,
        value,
      })),
    ],
    latencies: measured
      ? distribution(vm.name, of, merged(measured.served, measured.unfinished))
      : [],
  };
}

/**
 * Every look-up is a visit, every L1 miss an L2 hit or a miss, every table read found somewhere,
 * every walk has a cause.
 */
function checkTlb(vm: string, n: Record<string, number>): void {
  const lookups = n['l1i_lookups']! + n['l1d_lookups']!;
  if (lookups !== n['visits'])
    throw new ModelError(`${vm}: ${lookups} look-ups for ${n['visits']} visits`);
  const completed = n['walk_reads_guest']! + n['walk_reads_nested']!;
  const reads = completed + n['fault_walk_reads_guest']! + n['fault_walk_reads_nested']!;
  const found = n['walk_l1_hits']! + n['walk_l2_hits']! + n['walk_l3_hits']! + n['walk_dram']!;
  if (reads !== found) throw new ModelError(`${vm}: ${reads} table reads, ${found} lines found`);
  const walks = hotCounters.filter((name) => name.startsWith('walks_'));
  const causes = walks.reduce((sum, name) => sum + n[name]!, 0);
  if (causes !== n['walks']) throw new ModelError(`${vm}: ${n['walks']} walks, ${causes} by cause`);
  for (const side of ['i', 'd']) {
    const misses = n[`l1${side}_misses`]!;
    const second = n[`l2${side}_hits`]! + n[`l2${side}_misses`]!;
    if (misses !== second)
      throw new ModelError(`${vm}: ${misses} L1${side} misses, ${second} at L2`);
  }
}

/** What pCPUs did for a VM, they did while its vCPUs ran, and the other way round. */
function checkRunning(vm: string, running: number, leaves: Record<string, number>): void {
  const charged = Object.values(leaves).reduce((sum, cycles) => sum + cycles, 0);
  if (charged !== running)
    throw new ModelError(`${vm}: ${running} cycles running, ${charged} in the ledger`);
}

const merged = (a: readonly number[], b: readonly number[]) =>
  Float64Array.from([...a, ...b]).sort();

/**
 * Of all requests, those not finished with their age; percentiles only where they are not the
 * maximum in disguise.
 */
function latencyMetrics(sorted: Float64Array): Metrics {
  if (sorted.length === 0) return {};
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const enough = Object.entries(percentiles).filter(
    ([, share]) => sorted.length >= requestsNeeded(share),
  );
  return {
    latency_mean_ns: Math.round(mean),
    ...Object.fromEntries(enough.map(([name, share]) => [name, quantile(sorted, share)])),
    latency_max_ns: Math.round(sorted.at(-1)!),
  };
}

/** The smallest value that at least this share of them does not exceed. */
function quantile(sorted: Float64Array, share: number): number {
  return Math.round(sorted[Math.ceil(share * sorted.length) - 1]!);
}

/** Points of a distribution, when there are more values. */
const POINTS = 200;

/** Every latency when they are few, else as many quantiles. */
function distribution(
  vm: string,
  of: { readonly host?: string },
  sorted: Float64Array,
): LatencyRow[] {
  const points = Math.min(POINTS, sorted.length);
  return Array.from({ length: points }, (_, i) => {
    const share = (i + 1) / points;
    return { ...of, vm, quantile: share, latencyNs: quantile(sorted, share) };
  });
}

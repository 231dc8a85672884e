import { ModelError } from '../base/errors.ts';
import { runstateMetrics } from '../hypervisor/vm.ts';
import { HOT_COUNTERS, hotCounters, K } from '../machine/counters.ts';
import { exitNames, LEAVES, leafNames } from '../stats/leaves.ts';
import { type MetricName, MILLION_INSTRUCTIONS } from '../stats/metrics.ts';
import type {
  EvictionRow,
  ExitRow,
  LatencyRow,
  LedgerRow,
  MetricRow,
  RunResult,
  SampleRow,
  VmRow,
} from '../stats/result.ts';
import type { Simulation } from './build.ts';
import { countersBetween, ledgerBetween, type Snapshot } from './snapshot.ts';

/** Makes the result of the window between two snapshots, and checks that every account balances. */
export function collect(
  simulation: Simulation,
  start: Snapshot,
  end: Snapshot,
  timeseries: readonly SampleRow[],
  windowCycles: number,
): RunResult {
  const { scenario, hypervisor, machine, members } = simulation;
  const rows = hypervisor.vms.length + 1;
  const names = [...hypervisor.vms.map((vm) => vm.name), 'host'];
  const metrics: MetricRow[] = [];
  const ledger: LedgerRow[] = [];
  const perVm = hypervisor.vms.map((): Record<string, number> => ({}));

  for (const core of machine.cores) {
    const elapsed = end.pcpuTime[core.id]! - start.pcpuTime[core.id]!;
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      for (let leaf = 0; leaf < LEAVES; leaf++) {
        const cycles = ledgerBetween(start, end, rows, core.id, row, leaf);
        if (cycles === 0) continue;
        sum += cycles;
        const name = leafNames[leaf]!;
        ledger.push({ pcpu: core.id, vm: names[row]!, ...name, cycles });
        const total = perVm[row];
        if (total) total[name.leaf] = (total[name.leaf] ?? 0) + cycles;
      }
    }
    if (sum !== elapsed) {
      throw new ModelError(
        `ledger of pCPU ${core.id}: ${sum} cycles in leaves, ${elapsed} elapsed`,
      );
    }
    metrics.push({ scope: 'pcpu', id: `${core.id}`, metric: 'elapsed_cycles', value: elapsed });
    const flushes = end.flushes[core.id]! - start.flushes[core.id]!;
    metrics.push({ scope: 'pcpu', id: `${core.id}`, metric: 'tlb_flushes', value: flushes });
  }

  const exits: ExitRow[] = [];
  const vms: VmRow[] = [];
  const latencies: LatencyRow[] = [];
  for (const [i, member] of members.entries()) {
    const { vm, vcpu, requests } = member;
    const counters = countersBetween(start, end, i);
    checkTlb(vm.name, counters);
    let exitCount = 0;
    for (const [reason, name] of exitNames.entries()) {
      const count = end.exits[i]!.counts[reason]! - start.exits[i]!.counts[reason]!;
      const handlerCycles = end.exits[i]!.handler[reason]! - start.exits[i]!.handler[reason]!;
      const transitionCycles =
        end.exits[i]!.transition[reason]! - start.exits[i]!.transition[reason]!;
      exitCount += count;
      if (count + handlerCycles + transitionCycles === 0) continue;
      exits.push({ vm: vm.name, vcpu: 0, reason: name, count, transitionCycles, handlerCycles });
    }
    const own: Partial<Record<MetricName, number>> = { ...counters, exits: exitCount };
    const vcpuElapsed = end.states[i]![5]! - start.states[i]![5]!;
    let inStates = 0;
    for (const [state, metric] of runstateMetrics.entries()) {
      const cycles = end.states[i]![state]! - start.states[i]![state]!;
      inStates += cycles;
      own[metric] = cycles;
      metrics.push({ scope: 'vcpu', id: `${vm.name}/${vcpu.index}`, metric, value: cycles });
    }
    if (inStates !== vcpuElapsed) {
      throw new ModelError(`run states of ${vm.name}: ${inStates} cycles, ${vcpuElapsed} elapsed`);
    }
    metrics.push({
      scope: 'vcpu',
      id: `${vm.name}/${vcpu.index}`,
      metric: 'elapsed_cycles',
      value: vcpuElapsed,
    });
    own.elapsed_cycles = vcpuElapsed;
    const leaves = perVm[i]!;
    checkRunning(vm.name, own.running_cycles!, leaves);
    own.walk_cycles = (leaves['walk.guest'] ?? 0) + (leaves['walk.nested'] ?? 0);
    if (requests) {
      const sorted = requests.sortedLatencies();
      Object.assign(own, latencyMetrics(sorted));
      latencies.push(...distribution(vm.name, sorted));
    }
    if (member.workload.unit === MILLION_INSTRUCTIONS) own.work = own.user_instructions! / 1e6;
    own.finished_at_cycles = Number.isNaN(vm.finishedAt) ? 0 : vm.finishedAt;
    own.guest_memory_bytes = member.kernel.guest.memory.used * 4096;
    own.host_memory_bytes = vm.p2m.reduce((n, frame) => n + (frame !== 0 ? 1 : 0), 0) * 4096;
    const startInstructions = start.counts[i * HOT_COUNTERS + K.user_instructions]!;
    own.user_instructions_before = startInstructions;
    for (const [metric, value] of Object.entries(own)) {
      metrics.push({ scope: 'vm', id: vm.name, metric: metric as MetricName, value });
    }
    vms.push({
      vm: vm.name,
      group: member.group.name,
      workload: member.group.preset ?? member.group.workload.kind,
      unit: member.workload.unit,
      startInstructions,
      metrics: own,
      ledger: leaves,
    });
  }
  const owners = ['host', ...hypervisor.vms.map((vm) => vm.name)];
  const evictions: EvictionRow[] = [];
  for (const structure of ['tlb', 'l2'] as const) {
    for (const [at, total] of end.evicted[structure].entries()) {
      const count = total - start.evicted[structure][at]!;
      const victim = owners[Math.floor(at / owners.length)]!;
      const evictor = owners[at % owners.length]!;
      if (count > 0) evictions.push({ structure, victim, evictor, count });
    }
  }
  metrics.unshift({ scope: 'host', id: '0', metric: 'elapsed_cycles', value: windowCycles });
  return {
    name: scenario.name,
    seed: scenario.seed,
    mhz: machine.mhz,
    windowCycles,
    pcpuCount: machine.cores.length,
    metrics,
    ledger,
    exits,
    evictions: scenario.output.evictions ? evictions : undefined,
    vms,
    latencies,
    timeseries,
  };
}

/** Every look-up is a visit, every L1 miss an L2 hit or a miss, every table read found somewhere, every walk has a cause. */
function checkTlb(vm: string, n: Record<string, number>): void {
  const lookups = n.l1i_lookups! + n.l1d_lookups!;
  if (lookups !== n.visits)
    throw new ModelError(`${vm}: ${lookups} look-ups for ${n.visits} visits`);
  const reads = n.walk_reads_guest! + n.walk_reads_nested!;
  const found = n.walk_l2_hits! + n.walk_l3_hits! + n.walk_dram!;
  if (reads !== found) throw new ModelError(`${vm}: ${reads} table reads, ${found} lines found`);
  const walks = hotCounters.filter((name) => name.startsWith('walks_'));
  const causes = walks.reduce((sum, name) => sum + n[name]!, 0);
  if (causes !== n.walks) throw new ModelError(`${vm}: ${n.walks} walks, ${causes} by cause`);
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

function latencyMetrics(sorted: Float64Array): Partial<Record<MetricName, number>> {
  if (sorted.length === 0) return {};
  const at = (share: number) => quantile(sorted, share);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return {
    latency_mean_ns: Math.round(mean),
    latency_p50_ns: at(0.5),
    latency_p95_ns: at(0.95),
    latency_p99_ns: at(0.99),
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
function distribution(vm: string, sorted: Float64Array): LatencyRow[] {
  const points = Math.min(POINTS, sorted.length);
  return Array.from({ length: points }, (_, i) => {
    const share = (i + 1) / points;
    return { vm, quantile: share, latencyNs: quantile(sorted, share) };
  });
}

import { ModelError } from '../base/errors.ts';
import { HOT_COUNTERS, K } from '../machine/counters.ts';
import { exitNames, LEAVES, Leaf, leafNames } from '../stats/leaves.ts';
import type {
  EvictionRow,
  ExitRow,
  LedgerRow,
  MetricRow,
  RunResult,
  SampleRow,
} from '../stats/result.ts';
import { windowFindings } from '../stats/window.ts';
import type { Simulation } from './build.ts';
import { collectVm } from './collect-vm.ts';
import { roundOf } from './rounds.ts';
import { ledgerBetween, type Measured, type Snapshot } from './snapshot.ts';

/** Makes the result of the window between two snapshots, and checks that every account balances. */
export function collect(
  simulation: Simulation,
  measured: Measured,
  timeseries: readonly SampleRow[],
): RunResult {
  const { scenario, hypervisor, machine, members } = simulation;
  const { start, end } = measured;
  const windowCycles = end.time - start.time;
  const ledger = ledgerRows(simulation, measured);
  checkPcpus(simulation, ledger, windowCycles);
  const collected = members.map((member, i) => collectVm(member, i, measured, ledger));
  const metrics: MetricRow[] = [
    { scope: 'host', id: '0', metric: 'elapsed_cycles', value: windowCycles },
  ];
  for (const { id } of machine.cores) {
    const flushes = end.flushes[id]! - start.flushes[id]!;
    metrics.push({ scope: 'pcpu', id: `${id}`, metric: 'elapsed_cycles', value: windowCycles });
    metrics.push({ scope: 'pcpu', id: `${id}`, metric: 'tlb_flushes', value: flushes });
  }
  metrics.push(...collected.flatMap((vm) => vm.metrics));
  const vms = collected.map(({ row }) => row);
  return {
    name: scenario.name,
    seed: scenario.seed,
    mhz: machine.mhz,
    windowCycles,
    pcpuCount: machine.cores.length,
    metrics,
    ledger,
    exits: exitRows(simulation, measured),
    evictions: scenario.output.evictions
      ? evictionRows(
          hypervisor.vms.map(({ name }) => name),
          measured,
        )
      : undefined,
    vms,
    latencies: collected.flatMap(({ latencies }) => latencies),
    timeseries,
    slices: simulation.slices?.upTo(end.time).map(({ pcpu, vcpu, start: cycle, cycles }) => {
      const { vm } = hypervisor.vcpus[vcpu]!;
      return { pcpu, vm: vm.name, cycle, cycles };
    }),
    findings: windowFindings({
      windowCycles,
      startCycle: start.time,
      mhz: machine.mhz,
      vms: members.map(({ vm, group, requests }, i) => {
        const at = (snapshot: Snapshot) => ({
          instructions: snapshot.counts[i * HOT_COUNTERS + K.instructions]!,
          runningCycles: snapshot.states[i]![0]!,
          queued: requests?.queuedAt(snapshot.time, snapshot.soft[i]!.requests_arrived) ?? 0,
        });
        const { middle } = measured;
        return {
          row: vms[i]!,
          progress: middle && [at(start), at(middle), at(end)],
          roundCycles: roundOf(simulation, vms, i, windowCycles),
          traceEndedAt:
            group.workload.kind === 'trace' && !Number.isNaN(vm.finishedAt)
              ? vm.finishedAt
              : undefined,
        };
      }),
    }),
  };
}

/** Every leaf that is not zero, by pCPU and VM. */
function ledgerRows({ hypervisor, machine }: Simulation, { start, end }: Measured): LedgerRow[] {
  const names = [...hypervisor.vms.map((vm) => vm.name), 'host'];
  const ledger: LedgerRow[] = [];
  for (const { id } of machine.cores) {
    for (const [row, vm] of names.entries()) {
      for (let leaf = 0; leaf < LEAVES; leaf++) {
        const cycles = ledgerBetween(start, end, names.length, id, row, leaf);
        if (cycles !== 0) ledger.push({ pcpu: id, vm, ...leafNames[leaf]!, cycles });
      }
    }
  }
  return ledger;
}

/** Every pCPU accounts for exactly the cycles of the window. */
function checkPcpus(
  { machine }: Simulation,
  ledger: readonly LedgerRow[],
  windowCycles: number,
): void {
  const sums = new Float64Array(machine.cores.length);
  for (const { pcpu, cycles } of ledger) sums[pcpu] = sums[pcpu]! + cycles;
  for (const [pcpu, sum] of sums.entries()) {
    if (sum === windowCycles) continue;
    throw new ModelError(
      `ledger of pCPU ${pcpu}: ${sum} cycles in leaves, ${windowCycles} in the window`,
    );
  }
}

/** Exits by VM and reason; their cycles are those of the ledger. */
function exitRows({ hypervisor, machine }: Simulation, { start, end }: Measured): ExitRow[] {
  const rows = hypervisor.vms.length + 1;
  const sum = (vm: number, leaf: number) =>
    machine.cores.reduce((n, { id }) => n + ledgerBetween(start, end, rows, id, vm, leaf), 0);
  return hypervisor.vcpus.flatMap(({ id, index, vm }) =>
    exitNames.flatMap((reason, r): ExitRow[] => {
      const count = end.exits[id]![r]! - start.exits[id]![r]!;
      const transitionCycles = sum(vm.id, Leaf.ExitTransition + r);
      const handlerCycles = sum(vm.id, Leaf.ExitHandler + r);
      if (count + transitionCycles + handlerCycles === 0) return [];
      return [{ vm: vm.name, vcpu: index, reason, count, transitionCycles, handlerCycles }];
    }),
  );
}

function evictionRows(vms: readonly string[], { start, end }: Measured): EvictionRow[] {
  const owners = ['host', ...vms];
  return (['tlb', 'l2'] as const).flatMap((structure) =>
    [...end.evicted[structure]].flatMap((total, at): EvictionRow[] => {
      const count = total - start.evicted[structure][at]!;
      const victim = owners[Math.floor(at / owners.length)]!;
      const evictor = owners[at % owners.length]!;
      return count > 0 ? [{ structure, victim, evictor, count }] : [];
    }),
  );
}

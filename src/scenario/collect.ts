import { ModelError } from '../base/errors.ts';
import type { Host } from '../cluster/host.ts';
import { rowsOf } from '../cluster/migration/rows.ts';
import type { Ticks } from '../engine/timebase.ts';
import { HOT_COUNTERS, K } from '../machine/counters.ts';
import { LEAVES, leafNames } from '../stats/leaves.ts';
import type { MetricName } from '../stats/metrics.ts';
import type {
  EvictionRow,
  LedgerRow,
  MetricRow,
  OfHost,
  RunResult,
  SampleRow,
  SliceRow,
} from '../stats/result.ts';
import { windowFindings } from '../stats/window.ts';
import type { Simulation } from './build.ts';
import { metricsOfMoving } from './collect-moving.ts';
import { collectVm } from './collect-vm.ts';
import { asCycles } from './cycles.ts';
import { exitRows } from './exit-rows.ts';
import { firstPcpus, hostColumn, isPlaced } from './hosts.ts';
import { roundOf } from './rounds.ts';
import { ledgerBetween, type Measured, type Snapshot } from './snapshot.ts';

/** Looks at the pairs, in the order of their times. */
function ftRows({ protections, reference }: Simulation): RunResult['faultTolerance'] {
  if (protections.length === 0) return undefined;
  const lasting = (ticks: Ticks) => asCycles(ticks, reference);
  return protections
    .flatMap(({ rows }) => rows)
    .toSorted((a, b) => a.cycle - b.cycle)
    .map((row) => ({
      ...row,
      cycle: reference.passed(row.cycle),
      cycles: lasting(row.cycles),
      lagCycles: lasting(row.lagCycles),
      heldCycles: lasting(row.heldCycles),
      ...(row.epochCycles !== undefined && { epochCycles: lasting(row.epochCycles) }),
      ...(row.pauseCycles !== undefined && { pauseCycles: lasting(row.pauseCycles) }),
    }));
}

function migrationRows(simulation: Simulation, end: Ticks): RunResult['migrations'] {
  const { migrations, reference } = simulation;
  if (!mayMigrate(simulation)) return undefined;
  const lasting = (ticks: Ticks) => asCycles(ticks, reference);
  return migrations
    .flatMap(({ record }) => rowsOf(record, end))
    .map((row) => ({
      ...row,
      cycle: reference.passed(row.cycle),
      cycles: lasting(row.cycles),
      downtimeCycles: lasting(row.downtimeCycles),
      remoteWaitCycles: lasting(row.remoteWaitCycles),
    }));
}

/** Length of the window in cycles of a host. */
function windowOf({ start, end }: Measured, { hypervisor }: Host): number {
  const { timebase } = hypervisor.engine;
  return timebase.local(end.time) - timebase.local(start.time);
}

/** Makes the result of the window between two snapshots, and checks that every account balances. */
export function collect(
  simulation: Simulation,
  measured: Measured,
  timeseries: readonly SampleRow[],
): RunResult {
  const { scenario, hosts, members, reference } = simulation;
  const { start, end } = measured;
  const windowCycles = windowOf(measured, hosts[0]!);
  const ledger = ledgerRows(simulation, measured);
  checkPcpus(simulation, ledger, measured);
  const timebaseOf = ({ host }: OfHost) => {
    const { hypervisor } = hosts.find(({ name }) => name === host) ?? hosts[0]!;
    return hypervisor.engine.timebase;
  };
  const collected = members.map((member) =>
    collectVm(
      member,
      hostColumn(hosts, member.vm.host),
      measured,
      ledger,
      timebaseOf,
      metricsOfMoving(simulation, member, measured),
    ),
  );
  const placed = collected.filter((_, i) => isPlaced(members[i]!));
  const metrics: MetricRow[] = hosts.flatMap((host) => hostMetrics(simulation, measured, host));
  metrics.push(...placed.flatMap((vm) => vm.metrics));
  const all = collected.map(({ row }) => row);
  return {
    name: scenario.name,
    seed: scenario.seed,
    mhz: hosts[0]!.machine.mhz,
    windowCycles,
    pcpuCount: hosts.reduce((sum, { machine: { cores } }) => sum + cores.length, 0),
    ...severalHosts(simulation),
    metrics,
    ledger,
    exits: exitRows(simulation, measured),
    evictions: scenario.output.evictions
      ? hosts.flatMap((host) => evictionRows(simulation, measured, host))
      : undefined,
    vms: placed.map(({ row }) => row),
    latencies: placed.flatMap(({ latencies }) => latencies),
    timeseries,
    faultTolerance: ftRows(simulation),
    slices: sliceRows(simulation, reference.local(end.time)),
    migrations: migrationRows(simulation, end.time),
    findings: windowFindings({
      windowCycles,
      startCycle: reference.local(start.time),
      mhz: hosts[0]!.machine.mhz,
      vms: members.filter(isPlaced).map(({ vm, group, requests }) => {
        const i = vm.id;
        const own = end.timebases[i]!;
        const at = (snapshot: Snapshot) => ({
          instructions: snapshot.counts[i * HOT_COUNTERS + K.instructions]!,
          runningCycles: snapshot.states[i]![0]! / own.ticks,
          queued:
            requests?.queuedAt(vm.clock.local(snapshot.time), snapshot.soft[i]!.requests_arrived) ??
            0,
        });
        const { middle } = measured;
        const window = windowOf(measured, hosts[vm.host.index]!);
        const round = roundOf(simulation, all, i, window);
        return {
          row: all[i]!,
          progress: middle && [at(start), at(middle), at(end)],
          roundCycles: round && (round * own.ticks) / reference.ticks,
          traceEndedAt:
            group.workload.kind === 'trace' && !Number.isNaN(vm.finishedAt)
              ? reference.passed(own.engine(vm.finishedAt))
              : undefined,
        };
      }),
    }),
  };
}

/** Whether VMs may go over a link, or second copies of them. */
const mayMigrate = ({ protections, scenario }: Simulation): boolean =>
  scenario.events.some(({ choice }) => choice.kind === 'migrate') ||
  protections.some(({ renewable }) => renewable);

/** What a result says of its hosts, where there are several. */
function severalHosts({ hosts }: Simulation): Pick<RunResult, 'hosts'> {
  if (hosts.length === 1) return {};
  return {
    hosts: hosts.map(({ name, machine }) => ({
      name,
      mhz: machine.mhz,
      pcpuCount: machine.cores.length,
    })),
  };
}

function hostMetrics({ hosts }: Simulation, measured: Measured, host: Host): MetricRow[] {
  const { start, end } = measured;
  const of = hostColumn(hosts, host);
  const elapsed = { metric: 'elapsed_cycles', value: windowOf(measured, host) } as const;
  const id = hosts.length > 1 ? host.name : '0';
  const flushes = (pcpu: number) =>
    end.hosts[host.index]!.flushes[pcpu]! - start.hosts[host.index]!.flushes[pcpu]!;
  return [
    { ...of, scope: 'host', id, ...elapsed },
    ...Object.entries(end.shared[host.index]!).map(([name, value]): MetricRow => {
      const metric = name as MetricName;
      const before = start.shared[host.index]![metric]!;
      return { ...of, scope: 'host', id, metric, value: value - before };
    }),
    ...host.machine.cores.flatMap(({ id }): MetricRow[] => [
      { ...of, scope: 'pcpu', id: `${id}`, ...elapsed },
      { ...of, scope: 'pcpu', id: `${id}`, metric: 'tlb_flushes', value: flushes(id) },
    ]),
  ];
}

/** Every leaf that is not zero, by host, pCPU and VM. */
function ledgerRows({ hosts, members }: Simulation, { start, end }: Measured): LedgerRow[] {
  const names = [...members.map(({ vm }) => vm.name), 'host'];
  const ledger: LedgerRow[] = [];
  for (const host of hosts) {
    const of = hostColumn(hosts, host);
    for (const { id: pcpu } of host.machine.cores) {
      for (const [row, vm] of names.entries()) {
        for (let leaf = 0; leaf < LEAVES; leaf++) {
          const cell = { host: host.index, pcpu, row, leaf };
          const cycles = ledgerBetween(start, end, names.length, cell);
          if (cycles !== 0) ledger.push({ ...of, pcpu, vm, ...leafNames[leaf]!, cycles });
        }
      }
    }
  }
  return ledger;
}

/** Every pCPU of every host accounts for exactly the cycles of the window. */
function checkPcpus({ hosts }: Simulation, ledger: readonly LedgerRow[], measured: Measured): void {
  for (const host of hosts) {
    const { machine, name } = host;
    const windowCycles = windowOf(measured, host);
    const sums = new Float64Array(machine.cores.length);
    for (const { host: of = name, pcpu, cycles } of ledger) {
      if (of === name) sums[pcpu] = sums[pcpu]! + cycles;
    }
    for (const [pcpu, sum] of sums.entries()) {
      if (sum === windowCycles) continue;
      const where = hosts.length > 1 ? ` of ${name}` : '';
      throw new ModelError(
        `ledger of pCPU ${pcpu}${where}: ${sum} cycles in leaves, ${windowCycles} in the window`,
      );
    }
  }
}

function evictionRows(
  { hosts, members }: Simulation,
  { start, end }: Measured,
  host: Host,
): EvictionRow[] {
  const owners = ['host', ...members.map(({ vm }) => vm.name)];
  const of = hostColumn(hosts, host);
  const [before, after] = [start.evicted[host.index]!, end.evicted[host.index]!];
  return (['tlb', 'l2'] as const).flatMap((structure) =>
    [...after[structure]].flatMap((total, at): EvictionRow[] => {
      const count = total - before[structure][at]!;
      const victim = owners[Math.floor(at / owners.length)]!;
      const evictor = owners[at % owners.length]!;
      return count > 0 ? [{ ...of, structure, victim, evictor, count }] : [];
    }),
  );
}

/** When VMs and threads of hosts ran, with the pCPU as its host numbers it. */
function sliceRows({ hosts, members, scenario, slices }: Simulation, end: number) {
  const firsts = firstPcpus(scenario.hosts);
  return slices?.upTo(end).map(({ pcpu, runner, start: cycle, cycles }): SliceRow => {
    const index = firsts.findLastIndex((first) => first <= pcpu);
    const of = hostColumn(hosts, hosts[index]!);
    return {
      ...of,
      pcpu: pcpu - firsts[index]!,
      vm: members[runner]?.vm.name ?? 'host',
      cycle,
      cycles,
    };
  });
}

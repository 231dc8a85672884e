import { firstOf } from '../stats/copies.ts';
import type { RunResult, VmRow } from '../stats/result.ts';
import { timebaseOf } from './hosts.ts';
import type { Scenario, VmGroup } from './resolve.ts';
import { type RunOptions, runScenario } from './run.ts';

/** Cycles in which a VM wanted the processor: everything but sleep. */
function wanted(metrics: VmRow['metrics']): number {
  return (
    (metrics.running_cycles ?? 0) +
    (metrics.ready_cycles ?? 0) +
    (metrics.costopped_cycles ?? 0) +
    (metrics.parked_cycles ?? 0)
  );
}

/**
 * Runs each VM of a finished run alone and native for the same piece of work, from the same
 * instruction to the same instruction of its stream, and fills in `slowdown` (cycles the work took,
 * waiting for a pCPU included, per native cycle) and `overhead` (the same without the waiting).
 * Work is user instructions, which no paging mode, scheduler or neighbour changes. Time asleep
 * (waiting for clients or disks) counts on neither side.
 */
export async function runBaseline(
  scenario: Scenario,
  result: RunResult,
  options: RunOptions = {},
): Promise<RunResult> {
  const vms: VmRow[] = [];
  const metrics = [...result.metrics];
  for (const [done, row] of result.vms.entries()) {
    const instructions = row.metrics.user_instructions ?? 0;
    if (instructions === 0) {
      vms.push(row);
      continue;
    }
    // VMs of one group differ by their random streams only; each is compared with its own twin.
    const alone = await runNative(scenario, row, {
      ...options,
      onProgress: ({ fraction, cycle }) =>
        options.onProgress?.({ fraction: (done + fraction) / result.vms.length, cycle }),
    });
    const twin = alone.vms[0]!;
    const perInstruction = wanted(twin.metrics) / (twin.metrics.user_instructions || 1);
    const slowdown = wanted(row.metrics) / instructions / perInstruction;
    const overhead = (row.metrics.running_cycles ?? 0) / instructions / perInstruction;
    const of = {
      ...(row.host !== undefined && { host: row.host }),
      scope: 'vm',
      id: row.vm,
    } as const;
    metrics.push({ ...of, metric: 'slowdown', value: slowdown });
    metrics.push({ ...of, metric: 'overhead', value: overhead });
    vms.push({ ...row, metrics: { ...row.metrics, slowdown, overhead } });
  }
  return { ...result, vms, metrics };
}

/**
 * Runs one VM of a finished run, which has executed instructions, alone and native: from the first
 * instruction of the measured window to the last.
 */
export function runNative(
  scenario: Scenario,
  row: VmRow,
  options: RunOptions = {},
): Promise<RunResult> {
  const program = firstOf(row.vm) ?? row.vm;
  const groupName = firstOf(row.group) ?? row.group;
  const group = scenario.vms.find(({ name }) => name === groupName);
  if (!group) throw new Error(`the scenario has no VMs ${groupName}`);
  const from = row.startInstructions;
  return runScenario(nativeTwin(scenario, group, program, row.host), {
    ...options,
    observer: undefined,
    slices: undefined,
    piece: { from, to: from + (row.metrics.user_instructions ?? 0) },
  });
}

const NATIVE = { kind: 'native' };

/**
 * The same VM on the host where it was at the end, alone, without a hypervisor and without
 * protection: its cycles are those of that host.
 */
function nativeTwin(
  scenario: Scenario,
  group: VmGroup,
  vm: string,
  host: string = group.host,
): Scenario {
  const index = Number(vm.slice(group.name.length + 1));
  const hosts = scenario.hosts.filter(({ name }) => name === host);
  const timebase = timebaseOf(hosts[0]!, scenario);
  return {
    ...scenario,
    hosts,
    links: [],
    events: [],
    // Alone, a host's cycles are the ticks. The piece of work gives the window, whatever times say.
    output: { ...scenario.output, timeseries: timebase.local(scenario.output.timeseries) },
    hypervisor: {
      ...scenario.hypervisor,
      mmu: NATIVE,
      tags: { kind: 'none', flush: 'vm-switch' },
      scheduler: { kind: 'round-robin', timeslice: 1e12, references: 0, steal: true },
    },
    free: [],
    vms: [{ ...group, host, mmu: NATIVE, count: 1, firstIndex: index, faultTolerance: undefined }],
  };
}

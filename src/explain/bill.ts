import type { LossCause } from '../stats/leaves.ts';
import { walkMetric } from '../stats/metrics.ts';
import type { EvictionRow, RunResult, VmRow } from '../stats/result.ts';
import { accountOf } from './account.ts';

/**
 * The bill of a VM: what its work costs on the bare machine, and what each mechanism adds to that.
 * Both sides cover the same user instructions, so the lines add up to the difference, to the cycle.
 */
export interface BillLine {
  readonly mechanism: string;
  /** Cycles in the run. */
  readonly cycles: number;
  /** Cycles of the same work alone and native. */
  readonly native: number;
  /** How often, where the run counts it: exits, walks, vCPU switches. */
  readonly count: number | undefined;
}

export interface Bill {
  readonly vm: string;
  readonly unit: string;
  readonly userInstructions: number;
  readonly work: number;
  readonly native: number;
  readonly total: number;
  /** Its kernel's share of its instructions, and of its time on pCPUs; undefined: none was run. */
  readonly kernel: { readonly instructions: number; readonly time: number } | undefined;
  /** Largest difference first. */
  readonly lines: readonly BillLine[];
  /**
   * Cycles of the host's threads and Dom0 for the devices of all VMs, its own among them: in no
   * VM's bill.
   */
  readonly beside: number;
  /** How many pCPUs those took on average. */
  readonly besidePcpus: number;
  /** Who evicted its entries; empty when evictions were not counted. */
  readonly evictions: readonly EvictionRow[];
}

const BESIDE: ReadonlySet<string> = new Set(['device', 'interrupt']);

/** `native`: the result of `runNative` for this VM. */
export function billOf(result: RunResult, vm: string, native: RunResult): Bill {
  const row = result.vms.find((candidate) => candidate.vm === vm)!;
  const run = accountOf(result, vm, [row]);
  const bare = accountOf(native, vm, native.vms);
  // Marks stand at the ends of visits, so the native run may be a few instructions longer or
  // shorter.
  const scale = bare.userInstructions > 0 ? run.userInstructions / bare.userInstructions : 0;
  const sums = new Map<string, { cycles: number; native: number }>();
  const add = (line: string, cycles: number, nativeCycles: number): void => {
    const mechanism = mechanismOf(line);
    const sum = sums.get(mechanism) ?? { cycles: 0, native: 0 };
    sums.set(mechanism, {
      cycles: sum.cycles + cycles,
      native: sum.native + nativeCycles,
    });
  };
  for (const [line, cycles] of run.lines) add(line, cycles, 0);
  for (const [line, cycles] of bare.lines) add(line, 0, Math.round(cycles * scale));
  const lines = [...sums]
    .map(([mechanism, sum]) => ({ mechanism, ...sum, count: countOf(result, vm, mechanism) }))
    .toSorted((a, b) => Math.abs(b.cycles - b.native) - Math.abs(a.cycles - a.native));
  const beside = result.ledger
    .filter((row) => row.vm === 'host' && row.leaf === 'host' && BESIDE.has(row.detail))
    .reduce((sum, { cycles }) => sum + cycles, 0);
  return {
    vm,
    unit: row.unit,
    userInstructions: run.userInstructions,
    work: run.work,
    beside,
    besidePcpus: beside / result.windowCycles,
    native: lines.reduce((sum, line) => sum + line.native, 0),
    total: run.total,
    kernel: kernelShare(row),
    lines,
    evictions: (result.evictions ?? []).filter(({ victim }) => victim === vm),
  };
}

function kernelShare({ metrics }: VmRow): Bill['kernel'] {
  const {
    instructions = 0,
    user_instructions = 0,
    kernel_cycles = 0,
    running_cycles = 0,
  } = metrics;
  if (instructions === user_instructions || running_cycles === 0) return undefined;
  return {
    instructions: 1 - user_instructions / instructions,
    time: kernel_cycles / running_cycles,
  };
}

/**
 * Lines of the ledger that belong together: all nested reads whatever the cause, an exit and its
 * handler.
 */
export function mechanismOf(line: string): string {
  if (line.startsWith('walk.nested')) return 'walk.nested';
  return line.replace(/^exit\.(transition|handler)/, 'exit');
}

function countOf(result: RunResult, vm: string, mechanism: string): number | undefined {
  const { metrics } = result.vms.find((row) => row.vm === vm)!;
  const [leaf, detail = ''] = mechanism.split(' ');
  if (leaf === 'exit') {
    return result.exits
      .filter((row) => row.vm === vm && row.reason === detail)
      .reduce((sum, { count }) => sum + count, 0);
  }
  if (leaf === 'switch') return metrics.vcpu_switches;
  if (leaf === 'walk.nested') return metrics.walks;
  if (leaf !== 'walk.guest') return undefined;
  return metrics[detail === 'dirty' ? 'dirty_walks' : walkMetric(detail as LossCause)];
}

/**
 * The VM whose cycles on a pCPU, or waiting for one, are the largest multiple of the cycles of its
 * own instructions.
 */
export function worstVm(result: RunResult): string | undefined {
  const ratios = result.vms
    .filter(({ metrics }) => (metrics.user_instructions ?? 0) > 0)
    .map((row) => {
      const own = (row.ledger['guest.user'] ?? 0) + (row.ledger['guest.kernel'] ?? 0);
      return { vm: row.vm, ratio: accountOf(result, row.vm, [row]).total / own };
    });
  return ratios.toSorted((a, b) => b.ratio - a.ratio)[0]?.vm;
}

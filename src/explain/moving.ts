import { clockOfHost, inClockOf } from '../stats/clocks.ts';
import { secondCopy } from '../stats/copies.ts';
import type { MigrationRow, RunResult, VmRow } from '../stats/result.ts';
import { accountOf } from './account.ts';
import { mechanismOf } from './bill.ts';

/** What it costs a VM to be protected, or to move: the run against worlds without that. */

/** What one world adds to another for the same work, in cycles of the VM. */
export interface Step {
  readonly added: number;
  /** Largest first; they add up to `added`. */
  readonly lines: readonly { readonly mechanism: string; readonly cycles: number }[];
}

export interface ProtectionBill {
  /** As the VM is paged now, and as it would be. */
  readonly paging: string;
  readonly usualPaging: string;
  /** Cycles of the same work without protection. */
  readonly unprotected: number;
  /** Undefined: protection asks for no other paging. */
  readonly shadow: Step | undefined;
  readonly recording: Step;
  readonly protected: number;
  /**
   * In which the VM was held: its log was full, or its secondary too far behind. This and
   * `holdCycles` are cycles of the first host, all others those of the host of the VM.
   */
  readonly heldCycles: number;
  readonly elsewhere: Elsewhere;
  readonly outputs: { readonly count: number; readonly holdCycles: number };
}

/** Cycles of the window that others spend for the protection. */
export interface Elsewhere {
  /** The second copy, and of that what it takes to replay the log. */
  readonly secondary: number;
  readonly replay: number;
  /** Of the pCPU time of the VM itself: how much the second copy takes. */
  readonly ofPrimary: number;
  /** Threads that carry logs, by host; of all pairs of that host. */
  readonly threads: readonly { readonly host: string; readonly cycles: number }[];
}

/** `same` and `usual`: results of the worlds of `unprotected` for the same piece of work. */
export function protectionBill(
  result: RunResult,
  vm: string,
  same: RunResult,
  usual: RunResult | undefined,
  paging: { readonly now: string; readonly usual: string },
): ProtectionBill {
  const now = linesOf(result, vm, result);
  const before = linesOf(same, vm, result);
  const first = usual ? linesOf(usual, vm, result) : before;
  const row = rowOf(result, vm);
  const rows = (result.faultTolerance ?? []).filter(({ pair }) => pair === vm);
  const last = rows.findLast(({ releasedOutputs }) => releasedOutputs > 0);
  return {
    paging: paging.now,
    usualPaging: paging.usual,
    unprotected: total(first),
    shadow: usual ? step(first, before) : undefined,
    recording: step(before, now),
    protected: total(now),
    heldCycles: heldOf(result, row),
    elsewhere: elsewhere(result, row),
    outputs: { count: last?.releasedOutputs ?? 0, holdCycles: last?.heldCycles ?? 0 },
  };
}

function elsewhere(result: RunResult, { host: own, vm }: VmRow): Elsewhere {
  const ledger = inClockOf(result, own);
  const cycles = (fits: (row: RunResult['ledger'][number]) => boolean) =>
    Math.round(ledger.filter(fits).reduce((sum, row) => sum + row.cycles, 0));
  const second = secondCopy(vm);
  const secondary = cycles((row) => row.vm === second);
  return {
    secondary,
    replay: cycles((row) => row.vm === second && row.leaf === 'ft'),
    ofPrimary: secondary / (cycles((row) => row.vm === vm) || 1),
    threads: (result.hosts ?? []).map(({ name: host }) => ({
      host,
      cycles: cycles((row) => row.host === host && row.leaf === 'host' && row.detail === 'ft'),
    })),
  };
}

export interface MigrationBill {
  readonly unmoved: number;
  readonly moving: Step;
  readonly moved: number;
  /**
   * In which it was held, and of that at the switch from host to host, in cycles of the first host.
   * All others are those of the host where it is at the end.
   */
  readonly heldCycles: number;
  readonly downtimeCycles: number;
  readonly dirtyLog: { readonly count: number; readonly cycles: number };
  /** Migration threads, by host; of all migrations. */
  readonly threads: Elsewhere['threads'];
  readonly moves: readonly MigrationRow[];
}

/** `stayed`: the result of the world of `unmoved` for the same piece of work. */
export function migrationBill(result: RunResult, vm: string, stayed: RunResult): MigrationBill {
  const now = linesOf(result, vm, result);
  const before = linesOf(stayed, vm, result);
  const row = rowOf(result, vm);
  const faults = result.exits.filter((row) => row.vm === vm && row.reason === 'dirty-log');
  const ledger = inClockOf(result, row.host);
  const moves = (result.migrations ?? []).filter((row) => row.vm === vm && row.round === undefined);
  return {
    unmoved: total(before),
    moving: step(before, now),
    moved: total(now),
    heldCycles: heldOf(result, row),
    downtimeCycles: moves.reduce((sum, row) => sum + row.downtimeCycles, 0),
    dirtyLog: {
      count: faults.reduce((sum, row) => sum + row.count, 0),
      cycles: faults.reduce((sum, { host, transitionCycles, handlerCycles }) => {
        const ratio = clockOfHost(result, row.host) / clockOfHost(result, host);
        return sum + Math.round((transitionCycles + handlerCycles) * ratio);
      }, 0),
    },
    threads: (result.hosts ?? []).map(({ name: host }) => ({
      host,
      cycles: Math.round(
        ledger
          .filter((row) => row.host === host && row.leaf === 'host' && row.detail === 'migration')
          .reduce((sum, row) => sum + row.cycles, 0),
      ),
    })),
    moves,
  };
}

/**
 * Cycles by mechanism, scaled to as many user instructions as the VM executed in `like`, and
 * counted
 * by the clock of the host where it is there.
 */
function linesOf(result: RunResult, vm: string, like: RunResult): Map<string, number> {
  const account = (run: RunResult) => {
    return accountOf(
      run,
      vm,
      run.vms.filter((row) => row.vm === vm),
    );
  };
  const own = account(result);
  const clock = (run: RunResult) => clockOfHost(run, rowOf(run, vm).host);
  const instructions = account(like).userInstructions / (own.userInstructions || 1);
  const scale = instructions * (clock(like) / clock(result));
  const lines = new Map<string, number>();
  for (const [line, cycles] of own.lines) {
    const mechanism = mechanismOf(line);
    lines.set(mechanism, (lines.get(mechanism) ?? 0) + Math.round(cycles * scale));
  }
  return lines;
}

const rowOf = ({ vms }: RunResult, vm: string): VmRow => vms.find((row) => row.vm === vm)!;

const heldOf = (result: RunResult, { host, metrics }: VmRow): number =>
  Math.round(((metrics.paused_cycles ?? 0) * result.mhz) / clockOfHost(result, host));

const total = (lines: ReadonlyMap<string, number>) =>
  [...lines.values()].reduce((sum, cycles) => sum + cycles, 0);

function step(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Step {
  const lines = [...new Set([...before.keys(), ...after.keys()])]
    .map((mechanism) => ({
      mechanism,
      cycles: (after.get(mechanism) ?? 0) - (before.get(mechanism) ?? 0),
    }))
    .filter(({ cycles }) => cycles !== 0)
    .toSorted((a, b) => Math.abs(b.cycles) - Math.abs(a.cycles));
  return { added: total(after) - total(before), lines };
}

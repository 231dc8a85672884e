import type { MetricName } from '../../../src/stats/metrics.ts';
import type { RunResult } from '../../../src/stats/result.ts';
import { metric } from '../../support/scenarios.ts';

/** Readings of a run that several cases share. Each is about the first VM unless a name is given. */

/** Cycles the VM ran for each instruction of its programs; the same work in every paging mode. */
export const cyclesPerInstruction = (result: RunResult, vm?: string): number =>
  metric(result, 'running_cycles', vm) / metric(result, 'user_instructions', vm);

/** Cycles the VM ran for each unit of its work. */
export const cyclesPerWork = (result: RunResult, vm?: string): number =>
  metric(result, 'running_cycles', vm) / metric(result, 'work', vm);

/** Cycles in the leaves whose name begins with one of `prefixes`, of the first VM. */
export function leafCycles(result: RunResult, ...prefixes: readonly string[]): number {
  const { vm } = result.vms[0]!;
  return result.ledger
    .filter((row) => row.vm === vm && prefixes.some((prefix) => row.leaf.startsWith(prefix)))
    .reduce((sum, { cycles }) => sum + cycles, 0);
}

export const walkCycles = (result: RunResult): number => leafCycles(result, 'walk.');
export const hypervisorCycles = (result: RunResult): number =>
  leafCycles(result, 'exit.', 'switch', 'host', 'shootdown');

/** Cycles of an average page walk. */
export const cyclesPerWalk = (result: RunResult): number => walkCycles(result) / allWalks(result);

export const allWalks = (result: RunResult): number =>
  metric(result, 'walks') + metric(result, 'dirty_walks');

/**
 * Instructions of a visit with which native walks take `share` of the time that all else takes: a program is fitted to
 * what was published of it without a hypervisor. `native` ran it with `instructions`, at one cycle each.
 */
export function fittedInstructions(native: RunResult, instructions: number, share: number): number {
  const visits = metric(native, 'visits');
  const walks = walkCycles(native) / visits;
  const others = metric(native, 'running_cycles') / visits - walks - instructions;
  return Number((walks / share - others).toFixed(3));
}

/** A metric for each unit of another. */
export const per = (result: RunResult, what: MetricName, each: MetricName): number =>
  metric(result, what) / metric(result, each);

/** Exits of the first VM for any of `reasons`. */
export const exits = (result: RunResult, ...reasons: readonly string[]): number =>
  exitRows(result, reasons).reduce((sum, { count }) => sum + count, 0);

/** Cycles of the average exit of the first VM for any of `reasons`, transition and handler. */
export const cyclesPerExit = (result: RunResult, ...reasons: readonly string[]): number =>
  exitRows(result, reasons).reduce(
    (sum, { transitionCycles, handlerCycles }) => sum + transitionCycles + handlerCycles,
    0,
  ) / exits(result, ...reasons);

const exitRows = (result: RunResult, reasons: readonly string[]) =>
  result.exits.filter(({ vm, reason }) => vm === result.vms[0]!.vm && reasons.includes(reason));

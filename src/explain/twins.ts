import { type MechanismName, mechanismNames, mechanisms } from '../scenario/free.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { RunResult } from '../stats/result.ts';
import { accountOf } from './account.ts';

/** What mechanisms cost, measured: the same world again, with one or two of them free of charge. */
export interface Twin {
  readonly free: readonly MechanismName[];
  /** Cycles per 1000 user instructions that the ledger charged to them. */
  readonly charged: number;
  /** By how much less the twin runs. */
  readonly gained: number;
  /** The same with the time it waits for a pCPU. */
  readonly gainedWaiting: number;
  /** What freeing both gains beyond the sum of freeing each; undefined for one alone. */
  readonly interaction: number | undefined;
}

/**
 * The mechanisms that cost a VM most beyond what it pays natively, none of which is part of
 * another.
 */
export function largestMechanisms(
  result: RunResult,
  native: RunResult,
  vm: string,
  most: number,
): MechanismName[] {
  const taken: MechanismName[] = [];
  const covered = (run: RunResult, name: MechanismName) =>
    run.ledger.filter((row) => row.vm === vm && mechanisms[name].covers(row.leaf, row.detail));
  const sum = (run: RunResult, name: MechanismName) =>
    covered(run, name).reduce((total, row) => total + row.cycles, 0);
  const extra = new Map(
    mechanismNames.map((name) => [name, sum(result, name) - sum(native, name)]),
  );
  for (const name of mechanismNames.toSorted((a, b) => extra.get(b)! - extra.get(a)!)) {
    const shares = covered(result, name).some(({ leaf, detail }) =>
      taken.some((other) => mechanisms[other].covers(leaf, detail)),
    );
    if (taken.length < most && extra.get(name)! > 0 && !shares) taken.push(name);
  }
  return taken;
}

/**
 * Runs the twins, one after the other, through `run`, which measures the same piece of work of the
 * VM as `base`.
 */
export async function runTwins(
  scenario: Scenario,
  base: RunResult,
  vm: string,
  names: readonly MechanismName[],
  run: (twin: Scenario) => Promise<RunResult>,
): Promise<Twin[]> {
  const before = costOf(base, vm);
  const twins: Twin[] = [];
  const add = async (free: readonly MechanismName[]): Promise<void> => {
    const after = costOf(await run({ ...scenario, free: [...scenario.free, ...free] }), vm);
    const gained = before.running - after.running;
    const single = (name: MechanismName) => twins.find((twin) => twin.free[0] === name)!.gained;
    const charged = base.ledger
      .filter((row) => row.vm === vm)
      .filter(({ leaf, detail }) => free.some((name) => mechanisms[name].covers(leaf, detail)))
      .reduce((sum, row) => sum + row.cycles, 0);
    twins.push({
      free,
      charged: (charged * 1000) / before.instructions,
      gained,
      gainedWaiting: before.total - after.total,
      interaction: free.length === 2 ? gained - single(free[0]!) - single(free[1]!) : undefined,
    });
  };
  for (const name of names) await add([name]);
  for (const [i, first] of names.entries()) {
    for (const second of names.slice(i + 1)) await add([first, second]);
  }
  return twins;
}

/**
 * Cycles of a VM per 1000 of its user instructions: on a pCPU, and with the time it waits for one.
 */
function costOf(result: RunResult, vm: string) {
  const row = result.vms.find((candidate) => candidate.vm === vm)!;
  const { total, userInstructions } = accountOf(result, vm, [row]);
  const per1000 = (cycles: number) => (cycles * 1000) / userInstructions;
  const running = row.metrics.running_cycles ?? 0;
  return { instructions: userInstructions, running: per1000(running), total: per1000(total) };
}

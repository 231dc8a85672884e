import { enoughWork } from '../report/quantities.ts';
import type { RunResult } from '../stats/result.ts';
import { type Account, accountOf } from './account.ts';

/** Two runs, line by line of the ledger, per unit of work. */
export interface ComparedLine {
  readonly leaf: string;
  readonly detail: string;
  /** Cycles per 1000 user instructions. */
  readonly a: number;
  readonly b: number;
  readonly difference: number;
  /** Of all cycles of A. */
  readonly share: number;
  /**
   * Cycles per unit of work, with as many user instructions in a unit as both sides have on
   * average. Whole units are counted when they end, so the cycles of a window over its units could
   * differ in the other direction. Undefined when a side has finished too few units.
   */
  readonly perUnit: { readonly a: number; readonly b: number } | undefined;
}

export interface Compared {
  /** A VM, or a group of VMs whose number differs between the sides. */
  readonly name: string;
  readonly unit: string;
  readonly total: ComparedLine;
  /** By size of the difference. They add up to the total. */
  readonly lines: readonly ComparedLine[];
}

/** Two runs that have no VMs in common. */
export class Incomparable extends Error {
  override readonly name = 'Incomparable';
}

/** Pairs VMs by name, or groups of them when their numbers differ. Throws Incomparable. */
export function compareRuns(a: RunResult, b: RunResult): Compared[] {
  const pairs = subjects(a, b).map(([before, after]) => compareAccounts(before, after));
  const idle = pairs.filter((pair) => pair === undefined);
  if (idle.length === pairs.length) {
    throw new Incomparable('no VM has executed user instructions on both sides');
  }
  return pairs.filter((pair) => pair !== undefined);
}

function subjects(a: RunResult, b: RunResult): [Account, Account][] {
  const groupsOf = ({ vms }: RunResult) => [...new Set(vms.map(({ group }) => group))];
  const [left, right] = [groupsOf(a), groupsOf(b)];
  const alone = [
    ...left.filter((group) => !right.includes(group)).map((group) => `${group} (only in A)`),
    ...right.filter((group) => !left.includes(group)).map((group) => `${group} (only in B)`),
  ];
  if (alone.length > 0) throw new Incomparable(`the groups of VMs differ: ${alone.join(', ')}`);
  return left.flatMap((group): [Account, Account][] => {
    const [before, after] = [a, b].map(({ vms }) => vms.filter((row) => row.group === group));
    for (const key of ['workload', 'unit'] as const) {
      if (before![0]![key] === after![0]![key]) continue;
      throw new Incomparable(
        `the VMs ${group} do different work: ${before![0]![key]} in A, ${after![0]![key]} in B`,
      );
    }
    if (before!.map(({ vm }) => vm).join() !== after!.map(({ vm }) => vm).join()) {
      return [[accountOf(a, group, before!), accountOf(b, group, after!)]];
    }
    return before!.map(({ vm }, i) => [
      accountOf(a, vm, [before![i]!]),
      accountOf(b, vm, [after![i]!]),
    ]);
  });
}

function compareAccounts(a: Account, b: Account): Compared | undefined {
  if (a.userInstructions === 0 || b.userInstructions === 0) return undefined;
  const enough = enoughWork(a.work, a.unit) && enoughWork(b.work, b.unit);
  const unit = enough ? (a.userInstructions + b.userInstructions) / (a.work + b.work) / 1000 : 0;
  const line = (name: string, before: number, after: number): ComparedLine => {
    const [leaf, detail = ''] = name.split(' ');
    const per1000 = (cycles: number, account: Account) =>
      (cycles * 1000) / account.userInstructions;
    const difference = per1000(after, b) - per1000(before, a);
    return {
      leaf: leaf!,
      detail,
      a: per1000(before, a),
      b: per1000(after, b),
      difference,
      share: difference / per1000(a.total, a),
      perUnit: enough ? { a: per1000(before, a) * unit, b: per1000(after, b) * unit } : undefined,
    };
  };
  const lines = [...new Set([...a.lines.keys(), ...b.lines.keys()])]
    .map((name) => line(name, a.lines.get(name) ?? 0, b.lines.get(name) ?? 0))
    .toSorted((x, y) => Math.abs(y.difference) - Math.abs(x.difference));
  return { name: a.name, unit: a.unit, total: line('total', a.total, b.total), lines };
}

import { type Bill, billOf, worstVm } from '../explain/bill.ts';
import {
  type MigrationBill,
  migrationBill,
  type ProtectionBill,
  protectionBill,
} from '../explain/moving.ts';
import { migrationText, protectionText } from '../explain/moving-text.ts';
import { billText, twinsText } from '../explain/text.ts';
import { largestMechanisms, runTwins } from '../explain/twins.ts';
import { unmoved, unprotected } from '../explain/unmoved.ts';
import { faultIn } from '../files/faults.ts';
import { isDirectory } from '../files/tables.ts';
import { runNative } from '../scenario/baseline.ts';
import { didYouMean } from '../scenario/findings.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { Setting } from '../scenario/settings.ts';
import { secondCopy } from '../stats/copies.ts';
import type { RunResult, VmRow } from '../stats/result.ts';
import { mechanismsOf } from './free-option.ts';
import { onInterrupt } from './interrupt.ts';
import { openSide, Runner } from './side.ts';
import { print, style } from './terminal.ts';
import { sayTwins } from './twin-estimate.ts';

export interface WhyOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  /** True: the largest. */
  readonly free?: string | true;
  readonly all?: boolean;
  readonly json?: boolean;
}

const MOST = 14;
const EVICTIONS: Setting = { option: '', text: 'true', form: 'yaml', key: 'output.evictions' };
/** Twins of the largest mechanisms, one by one and in pairs. */
const MECHANISMS = 3;

export async function why(
  path: string,
  vm: string | undefined,
  options: WhyOptions,
): Promise<void> {
  const free = typeof options.free === 'string' ? mechanismsOf(options.free) : undefined;
  const set = isDirectory(path) ? options.set : [EVICTIONS, ...options.set];
  const side = await openSide(path, { ...options, set });
  const { loaded } = side;
  if (vm !== undefined) checkName(vm, namesOf(loaded.scenario));
  const interrupt = onInterrupt();
  try {
    if (options.free !== undefined && !options.json) {
      await sayTwins(loaded, interrupt, free?.length ?? MECHANISMS, side.stored ? 1 : 2);
    }
    const runner = new Runner(interrupt, options.json === true);
    const result = await runner.result(side);
    const name = vm ?? worstVm(result);
    const row = result.vms.find((candidate) => candidate.vm === name);
    if (!name || !row?.metrics.user_instructions) {
      throw faultIn(
        'why',
        `${name ?? 'no VM'} has executed no user instructions in the measured window`,
        'use a longer duration',
      );
    }
    const native = await runner.run(loaded, 'native', (hooks) =>
      runNative(loaded.scenario, row, hooks),
    );
    const bill = billOf(result, name, native);
    const twins =
      options.free === undefined
        ? []
        : await runTwins(
            loaded.scenario,
            result,
            name,
            free ?? largestMechanisms(result, native, name, MECHANISMS),
            (twin) => runner.twin(loaded, twin, row),
          );
    const moving = await movingBills(loaded, result, row, runner);
    if (options.json) {
      print(`${JSON.stringify({ ...bill, twins, ...moving })}\n`);
      return;
    }
    const text = { most: options.all ? Infinity : MOST, style };
    print(`${billText(bill, text)}\n`);
    print(hints(result, bill, vm));
    const { protection, migration } = moving;
    if (protection) print(`\n${protectionText(name, protection, result.mhz, text)}`);
    if (migration) print(`\n${migrationText(name, migration, result.mhz, text)}`);
    if (twins.length > 0) print(`\n${twinsText(twins, text)}`);
  } finally {
    interrupt.dispose();
  }
}

/** What being protected, or having moved, has cost the VM: runs the worlds without that. */
async function movingBills(
  loaded: LoadedScenario,
  result: RunResult,
  row: VmRow,
  runner: Runner,
): Promise<{ readonly protection?: ProtectionBill; readonly migration?: MigrationBill }> {
  const { scenario } = loaded;
  const { vm } = row;
  const pair = result.faultTolerance?.some(({ pair }) => pair === vm);
  const moved = result.migrations?.some((move) => move.vm === vm);
  const world = (label: string, twin: Scenario) => runner.twin(loaded, twin, row, label);
  if (pair) {
    const { paging, same, usual } = unprotected(scenario, vm);
    const without = await world('unprotected', same);
    const usually = usual && (await world(`unprotected, ${scenario.hypervisor.mmu.kind}`, usual));
    const kinds = { now: paging.kind, usual: scenario.hypervisor.mmu.kind };
    return { protection: protectionBill(result, vm, without, usually, kinds) };
  }
  if (!moved) return {};
  return { migration: migrationBill(result, vm, await world('unmoved', unmoved(scenario, vm))) };
}

function namesOf({ vms }: Pick<Scenario, 'vms'>): string[] {
  const names = (group: Scenario['vms'][number]) =>
    Array.from({ length: group.count }, (_, i) => `${group.name}-${i}`);
  const pairs = vms.filter(({ faultTolerance }) => faultTolerance !== undefined);
  return [...vms.flatMap(names), ...pairs.flatMap(names).map((name) => secondCopy(name))];
}

function checkName(vm: string, names: readonly string[]): void {
  if (names.includes(vm)) return;
  const some = `there is ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
  throw faultIn('why', `there is no VM "${vm}"`, didYouMean(vm, names) ?? some);
}

function hints(result: RunResult, bill: Bill, vm: string | undefined): string {
  const lines: string[] = [];
  if (result.evictions === undefined) {
    lines.push('evictions were not counted: run with --set output.evictions=true');
  }
  if (vm === undefined && result.vms.length > 1) {
    const others = result.vms.map((row) => row.vm).filter((name) => name !== bill.vm);
    const some = others.slice(0, 6).join(', ');
    lines.push(
      `of ${result.vms.length} VMs it pays most per instruction; the others: ` +
        `${some}${others.length > 6 ? ', …' : ''}`,
    );
  }
  return lines.map((line) => `${style('dim', line)}\n`).join('');
}

import { type Bill, billOf, worstVm } from '../explain/bill.ts';
import { billText, twinsText } from '../explain/text.ts';
import { largestMechanisms, runTwins } from '../explain/twins.ts';
import { faultIn } from '../files/faults.ts';
import { isDirectory } from '../files/tables.ts';
import { runNative } from '../scenario/baseline.ts';
import { didYouMean } from '../scenario/findings.ts';
import type { Setting } from '../scenario/settings.ts';
import type { RunResult } from '../stats/result.ts';
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
  if (vm !== undefined) checkName(vm, namesOf(loaded.scenario.vms));
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
    if (options.json) {
      print(`${JSON.stringify({ ...bill, twins })}\n`);
      return;
    }
    const text = { most: options.all ? Infinity : MOST, style };
    print(`${billText(bill, text)}\n`);
    print(hints(result, bill, vm));
    if (twins.length > 0) print(`\n${twinsText(twins, text)}`);
  } finally {
    interrupt.dispose();
  }
}

function namesOf(groups: readonly { readonly name: string; readonly count: number }[]): string[] {
  return groups.flatMap(({ name, count }) =>
    Array.from({ length: count }, (_, i) => `${name}-${i}`),
  );
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
      `of ${result.vms.length} VMs it pays most per instruction; the others: ${some}${others.length > 6 ? ', …' : ''}`,
    );
  }
  return lines.map((line) => `${style('dim', line)}\n`).join('');
}

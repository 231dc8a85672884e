import { showCycles } from '../base/units.ts';
import type { Scenario } from '../scenario/resolve.ts';
import type { RunResult } from '../stats/result.ts';

export interface SummaryOptions {
  readonly style?: (format: 'bold' | 'dim' | 'red', text: string) => string;
}

/** What a person wants to see first. */
export function summary(
  scenario: Scenario,
  result: RunResult,
  options: SummaryOptions = {},
): string {
  const { style = (_: string, text: string) => text } = options;
  const lines = [style('bold', scenario.name), showCycles(result.windowCycles, result.mhz)];
  for (const { vm, unit, metrics } of result.vms) lines.push(`${vm} ${metrics.work} ${unit}`);
  return lines.join('\n');
}

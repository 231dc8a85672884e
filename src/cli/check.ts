import { openScenario } from '../files/scenario-file.ts';
import { scenarioYaml } from '../scenario/resolve.ts';
import { print } from './terminal.ts';

export interface CheckOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function check(file: string, options: CheckOptions): Promise<void> {
  const { scenario } = await openScenario(file, options);
  if (options.quiet) return;
  if (options.json) print(`${JSON.stringify(scenario.input, null, 2)}\n`);
  else print(scenarioYaml(scenario));
}

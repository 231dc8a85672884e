import { openTree } from '../files/scenario-file.ts';
import { checkTraces } from '../files/trace-files.ts';
import { scenarioYaml } from '../scenario/resolve.ts';
import { checkPointsPausing, makePlan } from '../sweep/plan.ts';
import { readQuestion } from '../sweep/question.ts';
import { sayDeprived, sayEmptyGroups } from './notes.ts';
import { originsOf, originsYaml } from './origins.ts';
import { print } from './terminal.ts';

export interface CheckOptions {
  readonly set: readonly string[];
  readonly seed?: string;
  readonly origins?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function check(file: string, options: CheckOptions): Promise<void> {
  const { tree } = openTree(file, options);
  const loaded = tree.load();
  await checkTraces(loaded);
  const { scenario } = loaded;
  if (scenario.sweep) await checkPointsPausing(makePlan(tree), () => {});
  if (scenario.find) await checkPointsPausing(readQuestion(tree).plan, () => {});
  if (options.quiet) return;
  sayEmptyGroups(loaded);
  sayDeprived(loaded);
  if (options.origins) {
    const rows = originsOf(loaded);
    print(options.json ? `${JSON.stringify(rows, null, 2)}\n` : originsYaml(loaded));
  } else if (options.json) print(`${JSON.stringify(scenario.input, null, 2)}\n`);
  else print(scenarioYaml(scenario));
}

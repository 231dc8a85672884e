import { faultIn } from '../files/faults.ts';
import { didYouMean } from '../scenario/findings.ts';
import { type MechanismName, mechanismNames, mechanisms } from '../scenario/free.ts';

/** `--free exit,tlb-flush`. Throws ConfigError for a name that is none. */
export function mechanismsOf(text: string): MechanismName[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (Object.hasOwn(mechanisms, name)) continue;
    throw faultIn(
      '--free',
      `there is no mechanism "${name}"`,
      didYouMean(name, mechanismNames) ?? `there is ${mechanismNames.join(', ')}`,
    );
  }
  return [...new Set(names)] as MechanismName[];
}

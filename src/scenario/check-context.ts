import type { Path } from './located.ts';
import type { ParsedScenario } from './schema.ts';

/** What the rules that tie several keys of a scenario together have to do with. */
export interface CheckContext {
  readonly scenario: ParsedScenario;
  /** True when no value on or below this path was faulty, so that a rule on it makes sense. */
  readonly sound: (...paths: readonly Path[]) => boolean;
  /** True when the path was written in the scenario or a preset, not defaulted. */
  readonly written: (path: Path) => boolean;
  /** True when the author of the scenario chose the value at this path: see meant.ts. */
  readonly meant: (path: Path) => boolean;
  readonly fault: (path: Path, message: string, suggestion?: string) => void;
}

import { didYouMean } from '../../base/words.ts';

/** A parameter of a workload that does not go with the others. */
export class ParameterFault extends Error {
  /** Where it stands in the parameters: `['phases', 0, 'name']`. */
  readonly path: readonly (string | number)[];
  readonly suggestion: string | undefined;

  constructor(path: readonly (string | number)[], message: string, suggestion?: string) {
    super(message);
    this.path = path;
    this.suggestion = suggestion;
  }
}

/** What to write instead of a name that nothing has. */
export const oneOf = (name: string, known: readonly string[]): string =>
  [didYouMean(name, known), `there are ${known.join(', ')}`].filter(Boolean).join(' ');

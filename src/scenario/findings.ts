export { didYouMean, listed, nearest } from '../base/words.ts';

import type { YAMLError } from 'yaml';
import { ConfigError, type Diagnostic, type Place } from '../base/errors.ts';

/** Problems told at once. */
const MOST = 200;

/**
 * Collects every problem of a scenario and of the files it is made of, so that all of them are
 * shown at once, each at its own place and with the line it stands on.
 */
/** What the YAML parser complains about: in words of ours, and where to point to. */
export type ExplainYaml = (
  error: YAMLError,
  text: string,
) => {
  readonly message: string;
  readonly suggestion?: string | undefined;
  readonly offset: number;
};

export class Findings {
  /** Undefined: in words of the parser. */
  readonly explainYaml: ExplainYaml | undefined;
  readonly #sources: Map<string, readonly string[]>;
  /** By place. */
  readonly #found = new Map<string, Diagnostic>();

  /** With the texts of `other`, when given, but none of its problems. */
  constructor(other?: Findings, explainYaml = other?.explainYaml) {
    this.explainYaml = explainYaml;
    this.#sources = other ? other.#sources : new Map();
  }

  /**
   * Registers the text of a file, for excerpts. Files are reported in the order they were added.
   */
  addSource(file: string, text: string): void {
    this.#sources.set(file, text.split(/\r\n|\r|\n/));
  }

  /** True when there are so many problems that no more are taken: nobody reads them. */
  get full(): boolean {
    return this.#found.size >= MOST;
  }

  get any(): boolean {
    return this.#found.size > 0;
  }

  /**
   * A second problem at the same place is nearly always a consequence of the first: it is dropped.
   */
  add(place: Place, message: string, suggestion?: string): void {
    const { line, column, file } = place;
    const at = `${line}:${column}:${file}:${line > 0 ? '' : message}`;
    if (this.full || this.#found.has(at)) return;
    this.#found.set(at, this.diagnostic(place, message, suggestion));
  }

  /** A diagnostic with its excerpt; not recorded. */
  diagnostic(place: Place, message: string, suggestion?: string): Diagnostic {
    const excerpt = this.#sources.get(place.file)?.[place.line - 1];
    return { place, message, suggestion, excerpt };
  }

  throwIfAny(): void {
    if (!this.any) return;
    const order = [...this.#sources.keys()];
    throw new ConfigError(
      [...this.#found.values()].toSorted(
        (a, b) =>
          order.indexOf(a.place.file) - order.indexOf(b.place.file) ||
          a.place.line - b.place.line ||
          a.place.column - b.place.column,
      ),
    );
  }
}

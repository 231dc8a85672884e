import { visible } from './visible.ts';

/**
 * Where in an input file something stands. Lines and columns count from 1; line 0: in a thing that
 * has no lines, such as a directory, an option or a command.
 */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One fault in an input file. */
export interface Diagnostic {
  readonly place: Place;
  readonly message: string;
  /** What to write instead, when there is a good guess. */
  readonly suggestion?: string | undefined;
  /** The source line, for printing with a caret. */
  readonly excerpt?: string | undefined;
}

/**
 * Bad input: every problem found, each with its place. The command line prints it and exits with 2.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join('\n'));
    this.diagnostics = diagnostics;
  }
}

/** The model broke one of its own rules: a bug. Says where in simulated time. Exit code 1. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/**
 * Simulated memory ran out while running: the scenario asks for more than its machine has. `vm` is
 * the name of the VM whose memory it was; undefined: that of `host`. With the place of the value
 * it becomes a ConfigError.
 */
export class MemoryError extends Error {
  override readonly name = 'MemoryError';
  readonly vm: string | undefined;
  readonly host: string | undefined;

  constructor(message: string, of: { readonly vm?: string; readonly host?: string } = {}) {
    super(message);
    this.vm = of.vm;
    this.host = of.host;
  }
}

/**
 * `file:line:column: error: message — suggestion`, then the source line with a caret. Of what has
 * no lines: `worldswitch: directory: message — suggestion`.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { place, message, suggestion, excerpt } = diagnostic;
  const { file, line, column } = place;
  const at = line > 0 ? `${file}:${line}:${column}: error` : `worldswitch: ${file}`;
  const head = `${at}: ${message}`;
  const lines = [visible(suggestion ? `${head} — ${suggestion}` : head)];
  if (excerpt !== undefined && excerpt !== '' && excerpt.length <= 160) {
    lines.push(`    ${visible(excerpt)}`, `    ${' '.repeat(Math.max(0, column - 1))}^`);
  }
  return lines.join('\n');
}

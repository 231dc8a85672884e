import { foreignContent } from '../../base/content.ts';

/** Bad input in a page trace. `line` counts from 1. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`);
    this.file = file;
    this.line = line;
  }
}

/**
 * What a file is that does not begin as a page trace, judged by its first line, which is `shown`.
 */
export function otherFile(line: Uint8Array, shown: string): string {
  const foreign = foreignContent(line);
  if (foreign) return foreign;
  const hint = /^"(==|\s*[ILSM]\s+[0-9a-fA-F]+,)/.test(shown)
    ? ' (it looks like raw output of lackey, which has to be converted)'
    : /^"[ILSMPX#] .*\\r"$/.test(shown)
      ? ' (its lines end in CR LF instead of LF)'
      : '';
  return `it begins with ${shown}${hint}`;
}

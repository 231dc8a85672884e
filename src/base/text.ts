/** Texts that a user writes and that reach a terminal, a page or a spreadsheet. */

/**
 * Characters that are invisible but control how text is shown: control characters (escape sequences
 * among them), marks that change the direction of writing, line separators, lone surrogates.
 * Joiners, which some scripts need, are not among them.
 */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** `U+001B`: the first character that a text must not contain; undefined if there is none. */
export function unseenIn(text: string): string | undefined {
  const [found] = UNSEEN.exec(text) ?? [];
  return found && `U+${found.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}

/**
 * Whether a spreadsheet would take the text for a formula: `=1+1`, `+A1`, `@SUM(A1)`, but not a
 * number.
 */
export const isFormula = (text: string): boolean =>
  /^[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) && !Number.isFinite(Number(text));

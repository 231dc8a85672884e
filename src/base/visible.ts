/**
 * A text that somebody else has written, made safe for a terminal: control characters, and those
 * that change the direction of writing, become escapes. So do line breaks: the text stays on one
 * line.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    const short = SHORT[character];
    return short ?? `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same for a text of several lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

import { otherNames } from './issues.ts';
import { type JsonSchema, when } from './json-schema.ts';

/**
 * What was meant by a word that is not allowed. A JSON Schema cannot measure how much two words
 * differ, so that regular expressions do: one for each word, which fits its likely misspellings.
 */

/** Shorter words have too many neighbours: only case and separators are looked past. */
const SHORT = 3;
/** In longer words, a few characters in a row may be others, missing, or one too many. */
const LONG = 8;

/**
 * A regular expression without anchors. It may fit the word itself. Other digits mean another
 * thing, unless two have changed places.
 */
export function misspellings(word: string): string {
  const parts = partsOf(word);
  const text = (from: number, to?: number) => parts.slice(from, to).join('');
  const isLong = parts.length >= LONG;
  const step = isLong ? Math.max(2, Math.ceil(parts.length / LONG)) : 1;
  const width = isLong ? step + 1 : 1;
  const gap = isLong ? `.{${width - 2},${width + 1}}` : '.{0,2}';
  const fits = [text(0), ...(otherNames[word] ?? [])];
  for (let i = 0; parts.length >= SHORT && i < parts.length; i += step) {
    const from = Math.min(i, parts.length - width);
    const isFixed = /^[0-9]$/m.test(parts.slice(from, from + width).join('\n'));
    if (!isFixed) fits.push(`${text(0, from)}${gap}${text(from + width)}`);
  }
  for (let i = 0; parts.length >= SHORT && i + 2 <= parts.length; i++) {
    const pair = parts.slice(i, i + 2);
    const isSwappable = !isLong || pair.every((part) => /^[0-9]$/.test(part));
    if (isSwappable && pair[0] !== pair[1]) {
      fits.push(`${text(0, i)}${pair[1]}${pair[0]}${text(i + 2)}`);
    }
  }
  return [...new Set(fits)].join('|');
}

/** The characters of a word as regular expressions; `exitPath` may be `exit_path` or `ExitPath`. */
function partsOf(word: string): string[] {
  return [...word].map((char, i) => {
    if (/[-_. ]/.test(char)) return '[-_. ]?';
    if (/[0-9]/.test(char)) return char;
    if (!/[a-zA-Z]/.test(char)) return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
    const starts = i === 0 || /[A-Z]/.test(char);
    if (!starts && !/[-_. ]/.test(word[i - 1]!)) return char;
    const either = `[${char.toUpperCase()}${char.toLowerCase()}]`;
    return i > 0 && /[A-Z]/.test(char) && /[a-z0-9]/.test(word[i - 1]!)
      ? `[-_. ]?${either}`
      : either;
  });
}

/**
 * For a text that is none of `words`: no valid one, with `suggests` for the word that was meant, or
 * else as `otherwise` says.
 */
export function refuseWord(
  words: readonly string[],
  suggests: (word: string) => string,
  otherwise: JsonSchema | undefined,
): JsonSchema {
  return words.reduceRight<JsonSchema>(
    (rest, word) =>
      when(
        { pattern: `^(${misspellings(word)})$` },
        { const: word, errorMessage: suggests(word) },
        Object.keys(rest).length > 0 ? rest : undefined,
      ),
    otherwise ?? {},
  );
}

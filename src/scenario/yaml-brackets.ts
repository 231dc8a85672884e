/**
 * What is open at a place of a text that is no right YAML: brackets and quotes, found by a scan
 * that knows comments and quotes, and takes a bracket for one where a value may begin.
 */
export interface Open {
  /** The innermost bracket that is open. */
  readonly bracket: string | undefined;
  readonly start: number;
  /** What closes it after all, and where. */
  readonly closedBy: string | undefined;
  readonly closedAt: number | undefined;
  /** Where the quote begins that the text ends in. */
  readonly quote: number | undefined;
}

interface Bracket {
  readonly bracket: string;
  readonly start: number;
  closedBy?: string;
  closedAt?: number;
}

/** Undefined when nothing is open at `offset`. */
export function openAt(text: string, offset: number): Open | undefined {
  const stack: Bracket[] = [];
  let found: Bracket | undefined;
  let quote: number | undefined;
  /** The last character that counts, in this line. */
  let before = '';
  for (let i = 0; i < text.length; i++) {
    if (i === offset) found = stack.at(-1);
    const character = text[i]!;
    if (quote !== undefined) {
      if (character === '\\' && text[quote] === '"') i++;
      else if (character === text[quote]) [quote, before] = [undefined, character];
      continue;
    }
    if (character === '\n') before = '';
    else if (character === '#' && /^\s?$/.test(text[i - 1] ?? '')) {
      const end = text.indexOf('\n', i);
      // The line break itself is looked at.
      const next = end < 0 ? text.length : end;
      if (offset > i && offset < next) found = stack.at(-1);
      i = next - 1;
    } else if (/\s/.test(character)) continue;
    else {
      const begins = before === '' || /[:,[{-]/.test(before);
      if (begins && /["']/.test(character)) quote = i;
      else if (begins && /[[{]/.test(character)) stack.push({ bracket: character, start: i });
      else if (/[\]}]/.test(character) && stack.length > 0) {
        Object.assign(stack.pop()!, { closedBy: character, closedAt: i });
      }
      before = character;
    }
  }
  if (offset >= text.length) found = stack.at(-1);
  if (!found && quote === undefined) return undefined;
  const { bracket, start = 0, closedBy, closedAt } = found ?? {};
  return { bracket, start, closedBy, closedAt, quote };
}

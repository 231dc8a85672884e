import { closest, distance } from 'fastest-levenshtein';

/** `did you mean "weight"?` when one of the candidates is close enough to be a slip of the pen. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const near = nearest(word, candidates);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

/** The candidate that was meant, when one is close enough. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0 || word.length > 64) return undefined;
  const lower = word.toLowerCase();
  const near =
    candidates.find((candidate) => candidate.toLowerCase() === lower) ?? closest(word, candidates);
  if (distance(lower, near.toLowerCase()) < 2) return near;
  const [short] = candidates
    .filter((candidate) => isShort(lower, candidate.toLowerCase()))
    .toSorted((a, b) => a.length - b.length);
  return short ?? (isNear(lower, near.toLowerCase()) ? near : undefined);
}

/** `bse` is short for `baseline`: its letters in their order, the first one first. */
function isShort(a: string, b: string): boolean {
  if (a.length < 3 || a[0] !== b[0]) return false;
  let at = 0;
  for (const letter of b) if (letter === a[at]) at++;
  return at === a.length;
}

function isNear(a: string, b: string): boolean {
  if (a.length >= 3 && (b.startsWith(a) || a.startsWith(b))) return true;
  return distance(a, b) <= Math.max(2, Math.floor(b.length / 3));
}

/** `a, b, c`, cut short when there are very many. */
export function listed(words: readonly (string | number)[]): string {
  const shown = words.slice(0, 40).join(', ');
  return words.length > 40 ? `${shown}, …` : shown;
}

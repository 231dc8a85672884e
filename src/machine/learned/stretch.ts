/**
 * Ordinary visits of a program that nothing comes between: how many, and what they do in all. Kept
 * while a core works through them, piece by piece.
 */
export class Stretch {
  /** Which of its program's mixes they are of. */
  kind = 0;
  /** Instructions still to come. */
  left = 0;
  instructions = 0;
  visits = 0;
  references = 0;
  fetches = 0;
  lines = 0;
}

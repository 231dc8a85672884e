/** What `--fast` sets: a key given by `--set` beside it has the last word. */
export const fastSettings = ({ fast }: { readonly fast?: boolean }): string[] =>
  fast ? ['sampling.kind=learned'] : [];

import * as z from 'zod';

/**
 * One policy: what it is called, what it takes, how it is made. A policy is one file that exports a
 * definition and one line in its folder's `index.ts`; schema, `worldswitch list` and the
 * conformance tests follow from that list.
 */
export interface Definition<T, Deps, P extends z.ZodObject = z.ZodObject> {
  /** The word used in YAML, kebab-case. */
  readonly name: string;
  /** One line, printed by `worldswitch list`. */
  readonly summary: string;
  /** Types, units and defaults of its parameters, declared here only. */
  readonly params: P;
  /**
   * What a parameter chooses from, where its values are worth a list of their own: shadow's
   * `profile` is `worldswitch list shadow-profiles`.
   */
  readonly lists?: Readonly<Record<string, readonly Listed[]>>;
  create(params: z.output<P>, deps: Deps): T;
}

/** A name with its explanation, as `worldswitch list` prints them. */
export interface Listed {
  readonly name: string;
  readonly summary: string;
}

/** A parsed `{ kind, ...params }`. */
export interface Choice {
  readonly kind: string;
  readonly [param: string]: unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
export interface Registry<T, Deps, D extends Definition<T, Deps, any> = Definition<T, Deps, any>> {
  /** What the entries are, in the singular: `scheduler`. */
  readonly role: string;
  readonly definitions: readonly D[];
  /** The union of all parameter sets, told apart by `kind`; unknown keys are refused. */
  readonly schema: z.ZodType<Choice>;
  /** What the policy called `kind` says of itself. Throws `Error` when it is not registered. */
  of(kind: string): D;
  /** Throws `Error` when `choice.kind` is not registered. */
  create(choice: Choice, deps: Deps): T;
}

// biome-ignore lint/suspicious/noExplicitAny: see Registry
export function registry<T, Deps, D extends Definition<T, Deps, any> = Definition<T, Deps, any>>(
  role: string,
  definitions: readonly D[],
): Registry<T, Deps, D> {
  const options = definitions.map((definition) =>
    z
      .strictObject({
        kind: z.literal(definition.name).describe(`which ${role}`),
        ...definition.params.shape,
      })
      .describe(definition.summary),
  );
  const schema = z.discriminatedUnion('kind', options as never) as unknown as z.ZodType<Choice>;
  const of = (kind: string): D => {
    const definition = definitions.find((candidate) => candidate.name === kind);
    if (!definition) throw new Error(`no ${role} is called ${kind}`);
    return definition;
  };
  return {
    role,
    definitions,
    schema,
    of,
    create({ kind, ...params }, deps) {
      return of(kind).create(params, deps);
    },
  };
}

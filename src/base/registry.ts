import * as z from 'zod';

/**
 * One policy: what it is called, what it takes, how it is made. A policy is one file that exports a
 * definition and one line in its folder's `index.ts`; schema, `worldswitch list` and the conformance
 * tests follow from that list.
 */
export interface Definition<T, Deps, P extends z.ZodObject = z.ZodObject> {
  /** The word used in YAML, kebab-case. */
  readonly name: string;
  /** One line, printed by `worldswitch list`. */
  readonly summary: string;
  /** Types, units and defaults of its parameters, declared here only. */
  readonly params: P;
  create(params: z.output<P>, deps: Deps): T;
}

/** A parsed `{ kind, ...params }`. */
export interface Choice {
  readonly kind: string;
  readonly [param: string]: unknown;
}

export interface Registry<T, Deps> {
  /** What the entries are, in the singular: `scheduler`. */
  readonly role: string;
  // biome-ignore lint/suspicious/noExplicitAny: definitions differ in their parameters
  readonly definitions: readonly Definition<T, Deps, any>[];
  /** The union of all parameter sets, told apart by `kind`; unknown keys are refused. */
  readonly schema: z.ZodType<Choice>;
  /** Throws `Error` when `choice.kind` is not registered. */
  create(choice: Choice, deps: Deps): T;
}

export function registry<T, Deps>(
  role: string,
  // biome-ignore lint/suspicious/noExplicitAny: see Registry.definitions
  definitions: readonly Definition<T, Deps, any>[],
): Registry<T, Deps> {
  const options = definitions.map((definition) =>
    z
      .strictObject({
        kind: z.literal(definition.name).describe(`which ${role}`),
        ...definition.params.shape,
      })
      .describe(definition.summary),
  );
  const schema = z.discriminatedUnion('kind', options as never) as unknown as z.ZodType<Choice>;
  return {
    role,
    definitions,
    schema,
    create(choice, deps) {
      const definition = definitions.find((candidate) => candidate.name === choice.kind);
      if (!definition) throw new Error(`no ${role} is called ${choice.kind}`);
      const { kind: _, ...params } = choice;
      return definition.create(params, deps);
    },
  };
}

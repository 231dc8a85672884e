import * as z from 'zod';
import type { AnySchedulerDefinition, SchedulerRegistry } from './scheduler.ts';

/** A VM's own parameters of a scheduler, as parsed. */
export type VmScheduling = Readonly<Record<string, unknown>>;

const shapeOf = (definition: AnySchedulerDefinition | undefined): Record<string, z.ZodType> =>
  definition?.vmParams?.shape ?? {};

/** Names of the parameters of a VM that a scheduler understands. */
export const vmKeysOf = (definition: AnySchedulerDefinition | undefined): string[] =>
  Object.keys(shapeOf(definition));

/** Names of the schedulers that understand a parameter of a VM. */
export const whoKnows = ({ definitions }: SchedulerRegistry, key: string): string[] =>
  definitions.filter((definition) => key in shapeOf(definition)).map(({ name }) => name);

/**
 * The schema of `vms[].scheduler` under the scheduler `kind`: its parameters with their defaults,
 * and those of all other schedulers without: who tries several schedulers writes them side by side.
 * Whether one that the chosen scheduler does not understand is refused is for effects.ts to say. No
 * `kind`: any of them, for editors.
 */
export function vmParamsSchema(
  registry: SchedulerRegistry,
  kind?: unknown,
): z.ZodType<VmScheduling | undefined> {
  const own = shapeOf(registry.find(kind));
  const keys = registry.definitions.flatMap((definition) => vmKeysOf(definition));
  const shape = Object.fromEntries(
    [...new Set(keys)].map((key) => [key, own[key] ?? foreign(registry, key)]),
  );
  const schema = z
    .strictObject(shape)
    .describe('parameters of these VMs that the chosen scheduler understands; see docs/model.md');
  const complete = Object.keys(own).length > 0 ? schema.prefault({}) : schema.optional();
  return complete as unknown as z.ZodType<VmScheduling | undefined>;
}

/** A parameter that may be left out, and what it means to whom. */
function foreign(registry: SchedulerRegistry, key: string): z.ZodType {
  const meanings = whoKnows(registry, key).map((name) => {
    const schema = shapeOf(registry.find(name))[key]!;
    return { schema: bare(schema), text: `${name}: ${schema.description}` };
  });
  const [first, ...others] = meanings.map(({ schema }) => schema);
  const any = others.length > 0 ? z.union([first!, ...others]) : first!;
  return any.optional().describe(meanings.map(({ text }) => text).join('; '));
}

/** Without the default. */
const bare = (schema: z.ZodType): z.ZodType =>
  schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema;

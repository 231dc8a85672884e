import * as z from 'zod';

/**
 * A registry of nothing, for pages (esbuild.config.mjs): moving and protecting VMs would make their
 * script a fifth larger. A scenario that asks for it is refused, with what it would take.
 */
export const leftOut = (what: string) => ({
  definitions: [],
  schema: z.custom<never>(() => false, {
    message: `a page simulates no ${what}, to be small: run the scenario with Node`,
  }),
  of(kind: string): never {
    throw new Error(`there is no ${kind} in a page`);
  },
});

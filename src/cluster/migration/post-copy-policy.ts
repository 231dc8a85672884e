import * as z from 'zod';
import { costParams, type MigrationDefinition } from './policy.ts';

const params = z.object({
  prePaging: z
    .boolean()
    .prefault(true)
    .describe('pages follow unasked, those around the last fault first; default true'),
  ...costParams(500, 64, {
    page: 'assumed (200-2000): as for Xen',
    line: 'assumed (32-96): as for Xen',
  }),
});

/**
 * Post-copy (Hines and Gopalan, VEE 2009): the VM is stopped, the state of its processors moves,
 * and
 * it goes on at the target without its memory. Each page comes once: asked for by the fault that
 * misses it, or unasked, in bubbles that grow around the last faults. No product of the time had
 * it; theirs was Xen 3.2 with a network swap device.
 */
export const postCopy: MigrationDefinition<typeof params> = {
  name: 'post-copy',
  summary: 'post-copy: moves at once, pages follow on demand and around faults',
  params,
  products: [],
  create: (chosen) => ({
    wire: {
      batch: 8, // assumed (1-32): small, so that pages asked for do not wait long
      header: 8,
      emptyPage: undefined,
      stateBytes: 12288, // as Xen's
      pageCycles: chosen.pageCycles,
      lineCycles: chosen.lineCycles,
    },
    preCopy: undefined,
    prePaging: chosen.prePaging,
  }),
};

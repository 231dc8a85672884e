import * as z from 'zod';
import { pageSize } from './page-size.ts';
import { io, per1M } from './synthetic-params.ts';

/** Parameters of the workload that replays a page trace. */
export const traceParams = z.object({
  file: z.string().min(1).describe('page trace, plain or gzip, relative to the scenario'),
  loop: z.boolean().default(false).describe('start again at the end'),
  limitReferences: z
    .int()
    .min(0)
    .meta({ unit: 'references' })
    .default(0)
    .describe('use only this many references, from the first on, of all kinds together; 0 = all'),
  populate: z
    .boolean()
    .optional()
    .describe(
      'pages are mapped as if before the run: first touches are free; default: true, false ' +
        'with per1M',
    ),
  kernel: z
    .boolean()
    .optional()
    .describe(
      'the guest kernel takes time of its own; default: if populate is false, per1M is ' +
        'given, or events are replayed without populate: true',
    ),
  pageSize: pageSize('page size the guest kernel maps with'),
  events: z
    .enum(['ignore', 'replay'])
    .default('ignore')
    .describe(
      'replay: recorded events happen, in the guest kernel, or (kernel: false) in the TLBs ' +
        'alone: removed pages go, a change of address space empties them',
    ),
  per1M: per1M
    .optional()
    .describe('rates of kernel events, for a trace that has recorded none; none = none happen'),
  ...io,
  cpi: z
    .number()
    .min(0.1)
    .max(16)
    .meta({ unit: 'cycles' })
    .default(1)
    .describe('cycles per instruction'), // assumed (0.7-2)
  overlap: z
    .number()
    .min(0)
    .max(1)
    .meta({ unit: 'share, 0 to 1' })
    .default(0)
    .describe('share of a data stall that is hidden'),
  hz: z
    .int()
    .min(0)
    .max(10_000)
    .meta({ unit: 'ticks a second' })
    .default(0)
    .describe('guest timer ticks a second; 0 = none'),
});

/** Whether the guest kernel takes time of its own. */
export function takesKernel(options: {
  readonly events: string;
  readonly kernel?: boolean | undefined;
  readonly per1M?: unknown;
  readonly populate?: boolean | undefined;
}): boolean {
  const faults = options.per1M !== undefined || options.populate === false;
  const replayed = options.events === 'replay' && options.populate !== true;
  return options.kernel ?? (faults || replayed);
}

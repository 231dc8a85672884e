import * as z from 'zod';
import { duration, rate, size } from '../../base/units.ts';
import { type CallClass, callClasses, callClassNames } from '../system-call-classes.ts';
import { aslr } from './aslr.ts';
import type { BackgroundRates } from './background.ts';
import { pageSize } from './page-size.ts';
import { patternSchema } from './patterns.ts';
import { phases } from './phases.ts';

/** Parameters of the synthetic workload: what a program touches, and what it asks of its kernel. */

const share = () => z.number().min(0).max(1).meta({ unit: 'share, 0 to 1' });
const perMillion = (what: string) =>
  z
    .number()
    .min(0)
    .max(1e5)
    .meta({ unit: 'per million user instructions' })
    .default(0)
    .describe(`${what} per million user instructions`);

/** A rate or a number for each class of system calls. */
const byClass = <T extends z.ZodType>(of: (what: string) => T) =>
  z.strictObject(
    Object.fromEntries(callClassNames.map((name) => [name, of(callClasses[name])])) as Record<
      CallClass,
      T
    >,
  );

const region = z.strictObject({
  name: z.string().min(1).describe('unique in the program; a region called stack lies at the top'),
  size: size()
    .pipe(
      z
        .number()
        .min(1)
        .max(2 ** 38),
    )
    .describe('bytes, rounded up to whole pages'),
  kind: z
    .enum(['code', 'anon', 'file', 'shared'])
    .describe('program text, private memory, private file mapping, or memory all processes share'),
  share: z
    .number()
    .min(0)
    .meta({ unit: 'relative to the other regions' })
    .describe('relative frequency of visits to this region'),
  stores: share().default(0).describe('share of stores among the visits'),
  pattern: patternSchema.prefault({ kind: 'uniform' }),
  pageSize: pageSize(),
  populated: z.boolean().default(true).describe('mapped before the run starts'),
  lines: z
    .number()
    .min(1)
    .max(64)
    .meta({ unit: 'lines of 64 bytes' })
    .default(1)
    .describe(
      'mean of the 64-byte lines that a visit touches, neighbours: 1.23 = one, and in 23 % ' +
        'of the visits two; 4 or more are fetched ahead',
    ),
  hotLines: z
    .int()
    .min(1)
    .max(64)
    .meta({ unit: 'lines of 64 bytes' })
    .default(64)
    .describe(
      'lines of each page that visits ever begin at: a page in use need not be used in full',
    ),
  lineSkew: z
    .number()
    .min(0)
    .max(4)
    .meta({ unit: 'no unit' })
    .default(1) // measured: data of programs, 1.0-1.3
    .describe('how unevenly these lines are used: line of rank k has weight 1/k^lineSkew'),
});
export type SyntheticRegion = z.output<typeof region>;

export const per1M = z.strictObject({
  syscalls: byClass(perMillion)
    .prefault({})
    .describe('system calls that change no mapping, by class; the guest kernel prices each'),
  blockingIo: perMillion('I/O operations the process sleeps for'),
  mmap: z
    .strictObject({
      calls: perMillion('mmap calls'),
      pages: z
        .int()
        .min(1)
        .max(2 ** 18)
        .meta({ unit: 'pages' })
        .default(8)
        .describe('pages of a new mapping'),
      live: z
        .int()
        .min(1)
        .max(4096)
        .meta({ unit: 'mappings' })
        .default(64)
        .describe('mappings kept; one more unmaps the oldest'),
    })
    .prefault({})
    .describe('new mappings'),
  munmap: perMillion('munmap calls (of the oldest mapping)'),
  mprotect: perMillion('mprotect calls'),
  heapGrowth: z
    .strictObject({
      calls: perMillion('heap extensions'),
      pages: z
        .int()
        .min(1)
        .max(2 ** 18)
        .meta({ unit: 'pages' })
        .default(33)
        .describe('pages of an extension'), // glibc: 132 KiB
      limit: size()
        .default(2 ** 26)
        .describe('size at which the grown part is given back'),
    })
    .prefault({})
    .describe('growth of the heap'),
  yields: perMillion('sched_yield calls'),
});

/** The rates with the limit of the heap in pages. */
export function ratesOf(given: z.output<typeof per1M>): BackgroundRates {
  const { heapGrowth } = given;
  return { ...given, heapGrowth: { ...heapGrowth, limit: Math.floor(heapGrowth.limit / 4096) } };
}

const jobs = z.strictObject({
  instructions: z
    .number()
    .min(1)
    .max(1e12)
    .meta({ unit: 'instructions' })
    .describe('user instructions of a job'),
  forks: z
    .boolean()
    .default(true)
    .describe('each job is a child process that its parent waits for'),
  exec: z
    .boolean()
    .default(true)
    .describe('the child loads a new program: its regions are touched for the first time'),
  freshPages: z
    .int()
    .min(0)
    .max(2 ** 22)
    .meta({ unit: 'pages' })
    .default(0)
    .describe('pages of new memory a job stores to, besides its regions'),
  cowPages: z
    .int()
    .min(0)
    .max(2 ** 18)
    .meta({ unit: 'pages' })
    .default(24)
    .describe('pages of its parent the child writes before it execs'), // measured: dash, 24
  parentInstructions: z
    .number()
    .min(1)
    .max(1e9)
    .meta({ unit: 'instructions' })
    .default(50_000)
    .describe('user instructions of the parent between two jobs'), // assumed (20e3-500e3)
  parentCode: size()
    .default(2 ** 18)
    .describe('text of the parent, when jobs exec'),
  parentData: size()
    .default(2 ** 20)
    .describe('private memory of the parent, when jobs exec'),
});

const requests = z.strictObject({
  arrivals: z
    .discriminatedUnion('kind', [
      z
        .strictObject({
          kind: z.literal('open').describe('how requests arrive'),
          rate: rate().pipe(z.number().positive()).describe('mean requests a second'),
        })
        .describe('requests come however fast they are served (Poisson)'),
      z
        .strictObject({
          kind: z.literal('closed').describe('how requests arrive'),
          clients: z
            .int()
            .min(1)
            .max(100_000)
            .meta({ unit: 'clients' })
            .describe('clients that ask at the same time'),
          think: duration().describe('mean time from an answer to the next request'),
        })
        .describe('clients wait for their answer, think, and ask again'),
    ])
    .describe('where requests come from'),
  instructions: z
    .number()
    .min(1)
    .max(1e11)
    .meta({ unit: 'instructions' })
    .describe('mean user instructions of a request'),
  distribution: z
    .enum(['exponential', 'fixed'])
    .default('exponential')
    .describe('how the instructions of requests spread around the mean'),
  syscalls: byClass((what) =>
    z
      .int()
      .min(0)
      .max(10_000)
      .meta({ unit: 'system calls' })
      .default(0)
      .describe(`${what}, in a request`),
  )
    .prefault({})
    .describe('system calls of a request, by class, besides those that receive it and answer'),
  ioProbability: share().default(0).describe('share of requests that wait for the disk once'),
  ioWrites: share()
    .default(0)
    .describe('share of these waits in which the disk is written, not read'),
  requestBytes: z
    .int()
    .min(1)
    .max(2 ** 30)
    .meta({ unit: 'bytes' })
    .default(512)
    .describe('bytes of a request: packets that come in'),
  responseBytes: z
    .int()
    .min(0)
    .max(2 ** 30)
    .meta({ unit: 'bytes' })
    .default(4096)
    .describe('bytes of an answer: packets that go out, and acknowledgements that come in'),
});

/** An I/O operation of a program. */
export const io = {
  ioLatency: duration().default(5e9).describe('time the device takes for an I/O operation'),
  ioBytes: z
    .int()
    .min(0)
    .max(2 ** 30)
    .meta({ unit: 'bytes' })
    .default(4096)
    .describe('bytes of an I/O operation: one or more requests to the disk'),
};

export const syntheticParams = z.object({
  processes: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'processes' })
    .default(1)
    .describe('processes that run at the same time'),
  threads: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'threads' })
    .default(1)
    .describe(
      'threads of each process: they run the same program on the same memory, and a switch ' +
        'between them loads no CR3; a forked child has one',
    ),
  aslr: aslr(),
  regions: z
    .array(region)
    .min(1)
    .max(64)
    .describe('parts of the address space, and how each is used'),
  phases,
  visit: z
    .strictObject({
      references: z
        .number()
        .min(1)
        .max(40_000)
        .meta({ unit: 'references' })
        .default(4)
        .describe('mean references'),
      instructions: z
        .number()
        .min(1)
        .max(40_000)
        .meta({ unit: 'instructions' })
        .default(8)
        .describe('mean instructions'),
    })
    .prefault({})
    .describe('a visit: consecutive references to one page'),
  cpi: z
    .number()
    .min(0.1)
    .max(16)
    .meta({ unit: 'cycles' })
    .default(1)
    .describe('cycles per instruction with every reference a hit in L2'),
  overlap: share().default(0.5).describe('share of a data stall that the core hides'),
  per1M: per1M.prefault({}).describe('rates of kernel events, per million user instructions'),
  ...io,
  jobs: jobs.optional().describe('the program works off jobs one after the other'),
  requests: requests.optional().describe('the program serves requests'),
  work: z
    .int()
    .min(1)
    .meta({ unit: 'units of work' })
    .optional()
    .describe('jobs, requests or million instructions to do'),
  hz: z
    .int()
    .min(0)
    .max(10_000)
    .meta({ unit: 'ticks a second' })
    .meta({ usual: 'those of the guest kernel' })
    .optional()
    .describe('timer ticks a second, where the program asks for others; 0 = none'),
  quantum: z
    .int()
    .min(1000)
    .max(2 ** 31 - 1)
    .meta({ unit: 'instructions' })
    .default(10_000_000)
    .describe('user instructions of a guest timeslice'), // assumed (2e6-200e6): 5 ms at 2 GHz
});
export type SyntheticParams = z.output<typeof syntheticParams>;

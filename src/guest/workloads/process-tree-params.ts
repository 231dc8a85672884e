import * as z from 'zod';
import { size } from '../../base/units.ts';
import { syntheticParams } from './synthetic-params.ts';

/** Parameters of the process tree: programs that start each other, with pipes between them. */

/** What a program and its machine are like, as in the synthetic workload. */
const shared = syntheticParams.shape;
const common = syntheticParams.omit({
  processes: true,
  threads: true,
  regions: true,
  visit: true,
  per1M: true,
  phases: true,
  jobs: true,
  requests: true,
}).shape;

const step = z.strictObject({
  commands: z
    .array(z.string().min(1))
    .min(1)
    .max(16)
    .describe('programs, each of which reads what the one before it writes, through a pipe'),
  every: z
    .int()
    .min(1)
    .max(1_000_000)
    .meta({ unit: 'units of work' })
    .default(1)
    .describe('happens once in so many units of work'),
});

const program = z.strictObject({
  name: z.string().min(1).describe('what commands call it'),
  instructions: z
    .number()
    .min(1)
    .max(1e12)
    .meta({ unit: 'instructions' })
    .describe('user instructions of a run; of the first program, for each unit of work'),
  scaled: z
    .boolean()
    .default(false)
    .describe('a unit of twice the size takes twice the instructions and writes twice the bytes'),
  regions: shared.regions.describe(
    'parts of the address space, and how each is used; files of the same name are the same ' +
      'file in all programs',
  ),
  visit: shared.visit,
  per1M: shared.per1M,
  output: size()
    .pipe(
      z
        .number()
        .min(0)
        .max(2 ** 40),
    )
    .default(0)
    .describe('bytes it writes into the pipe to the next command, evenly over its run'),
  input: size()
    .pipe(
      z
        .number()
        .min(0)
        .max(2 ** 40),
    )
    .optional()
    .describe('bytes after which it reads no more from its pipe, as head does; default: all'),
  runs: z
    .array(step)
    .max(64)
    .default([])
    .describe('what it starts and waits for, one step after the other, evenly over its run'),
  starts: z
    .enum(['fork', 'vfork'])
    .default('fork')
    .describe('how: with a copy of its memory, or lending its memory until the new program runs'),
  cowPages: shared.jobs
    .unwrap()
    .shape.cowPages.describe(
      'pages of its memory that a forked child writes before it runs its program',
    ),
  usedPages: z
    .int()
    .min(0)
    .max(2 ** 18)
    .meta({ unit: 'pages' })
    .default(0)
    .describe('pages of its text that a forked child executes before it runs its program'),
});
export type TreeProgram = z.output<typeof program>;

export const processTreeParams = z.object({
  programs: z
    .array(program)
    .min(1)
    .max(64)
    .describe('the first one is there from power-on and works off units; the others are started'),
  processes: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'processes' })
    .default(1)
    .describe('how many of the first program there are'),
  jobs: z
    .int()
    .min(1)
    .max(256)
    .meta({ unit: 'commands' })
    .default(1)
    .describe('commands that each of the first program has running at a time (make -j)'),
  size: z
    .number()
    .min(1e-6)
    .max(1e6)
    .meta({ unit: 'times what the programs say' })
    .default(1)
    .describe('mean size of a unit of work'),
  sizes: z
    .enum(['exponential', 'fixed'])
    .default('exponential')
    .describe('how the sizes of units spread around the mean'),
  unit: z
    .string()
    .regex(/^[a-z]+s$/)
    .default('jobs')
    .describe('what a unit of work is called, in the plural: files, commands, sessions'),
  ...common,
});
export type ProcessTreeParams = z.output<typeof processTreeParams>;
